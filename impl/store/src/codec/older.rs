//! Records and checkpoints as versions 1 and 2 wrote them.
//!
//! These types are read in the form of the older version and written in that of version 3. What is new in it begins with
//! these values:
//!
//! - Version 2 brought the forgotten deletes. There are none: a node learns of a peer's rollback only from those deletes
//!   that it forgets from now on.
//! - Version 3 has lineages in the place of digests of entries. All older entries are of incarnation zero, whose digest is zero:
//!   nodes no longer compare them, and compare those that they make from now on.

use serde::{Deserialize, Serialize};
use steadfast_protocol::{
    Change, Dot, Epoch, Identity, Incarnation, Lineages, LogIndex, NODES_MAX, Path, Place,
    RequestId, Stamp, VersionVector, Written,
};

/// The forgotten deletes of version 1, which did not write them.
#[derive(Serialize, Deserialize)]
pub(super) struct Unknown {
    #[serde(skip_deserializing)]
    none: VersionVector,
}

/// A record with these forgotten deletes.
#[derive(Serialize, Deserialize)]
pub(super) enum Record<Forgotten> {
    Identity(Identity),
    Promise(Epoch),
    Entry(Entry),
    State(State<Forgotten>),
    Checkpoint(Checkpoint<Forgotten>),
}

/// For each origin, a digest of its entries.
type Digests = [u64; NODES_MAX as usize];

/// An entry.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    dot: Dot,
    stamp: Stamp,
    context: VersionVector,
    #[serde(skip_deserializing)]
    incarnation: Incarnation,
    #[serde(skip_serializing)]
    _context_digest_of_entries: u64,
    #[serde(skip_deserializing)]
    context_digest: u64,
    replaces: Vec<Dot>,
    path: Path,
    change: Change,
    request: RequestId,
}

/// A part of a state.
#[derive(Serialize, Deserialize)]
pub(super) struct State<Forgotten> {
    since: VersionVector,
    known: Known<Forgotten>,
    after: Place,
    until: Option<Place>,
}

/// The fields that states and folds share. Postcard encodes the fields of a nested struct in place.
#[derive(Serialize, Deserialize)]
struct Known<Forgotten> {
    vv: VersionVector,
    #[serde(skip_serializing)]
    _digests: Digests,
    #[serde(skip_deserializing)]
    lineages: Lineages,
    counter: u64,
    forgotten: Forgotten,
    heads: Vec<Entry>,
    requests: Vec<(RequestId, Written)>,
}

/// A checkpoint.
#[derive(Serialize, Deserialize)]
pub(super) struct Checkpoint<Forgotten> {
    identity: Identity,
    length: LogIndex,
    fold: Fold<Forgotten>,
}

/// The fold of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Fold<Forgotten> {
    promise: Epoch,
    known: Known<Forgotten>,
    staged: Vec<State<Forgotten>>,
}
