//! Records and checkpoints as version 1 wrote them: without the forgotten deletes.
//!
//! These types are read in the form of version 1 and written in that of version 2, in which there are no forgotten
//! deletes. The log of version 1 does not say which deletes it has forgotten, so a node learns of a peer's rollback
//! only from those that it forgets from now on.

use serde::{Deserialize, Serialize};
use steadfast_protocol::{
    Counter, Digests, Entry, Epoch, Identity, LogIndex, Place, RequestId, VersionVector, Written,
};

/// A record.
#[derive(Serialize, Deserialize)]
pub(super) enum Record {
    Identity(Identity),
    Promise(Epoch),
    Entry(Entry),
    State(State),
    Checkpoint(Checkpoint),
}

/// A part of a state.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    since: VersionVector,
    vv: VersionVector,
    digests: Digests,
    counter: Counter,
    #[serde(skip_deserializing)]
    forgotten: VersionVector,
    heads: Vec<Entry>,
    requests: Vec<(RequestId, Written)>,
    after: Place,
    until: Option<Place>,
}

/// A checkpoint.
#[derive(Serialize, Deserialize)]
pub(super) struct Checkpoint {
    identity: Identity,
    length: LogIndex,
    fold: Fold,
}

/// The fold of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Fold {
    promise: Epoch,
    vv: VersionVector,
    digests: Digests,
    counter: Counter,
    #[serde(skip_deserializing)]
    forgotten: VersionVector,
    heads: Vec<Entry>,
    requests: Vec<(RequestId, Written)>,
    staged: Vec<State>,
}
