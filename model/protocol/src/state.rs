//! State: the heads that a peer lacks, instead of all the entries that led to them.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Counter, Digests, Entry, Path, RequestId, Sequence, VersionVector, Written};

/// What a log amounts to beyond the entries that a peer has. A node sends it instead of entries when it
/// has dropped some of those that the peer lacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct State {
    /// The entries that the receiver must have.
    pub since: VersionVector,
    /// The entries that the receiver has afterwards.
    pub vv: VersionVector,
    /// Their digests.
    pub digests: Digests,
    /// The highest Lamport counter of any of them.
    pub counter: Counter,
    /// All heads of each path that has a head outside `since`, path by path, the visible one first. The
    /// heads of the other paths are the same at every node that has `since`: an entry that replaced one of
    /// them would be a head itself, or be replaced by one.
    pub heads: Vec<Entry>,
    /// The requests whose entries are outside `since`. Without them a retry would write twice.
    pub requests: Vec<(RequestId, Written)>,
}

/// Why no node can have sent a state, or written a checkpoint.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Error,
)]
pub enum StateError {
    /// The version vector does not cover a head.
    #[error("a head is not among the entries that the version vector covers")]
    HeadOutside,
    /// The heads are not listed path by path, or a path lists one twice or in the wrong order.
    #[error("the heads are not in order")]
    Order,
    /// An entry was made by a node that is not a member.
    #[error("an entry was made by a node that is not a member of the cluster")]
    Stranger,
    /// The version vector covers less than the vector that the state builds on.
    #[error("the version vector covers less than the vector that it builds on")]
    Backwards,
}

impl State {
    /// The heads of each path.
    pub(crate) fn by_path(&self) -> impl Iterator<Item = (&Path, &[Entry])> {
        let paths = self.heads.chunk_by(|one, next| one.path == next.path);
        paths.map(|heads| (&heads[0].path, heads))
    }

    /// Whether a node of a cluster of `nodes` nodes can have sent it.
    ///
    /// # Errors
    /// Names the first rule that it breaks.
    pub(crate) fn check(&self, nodes: u8) -> Result<(), StateError> {
        if !self.vv.includes(&self.since) {
            return Err(StateError::Backwards);
        }
        check_heads(&self.heads, &self.vv, nodes)
    }
}

/// Whether heads are in order and covered by the vector of their fold.
pub(crate) fn check_heads(
    heads: &[Entry],
    vv: &VersionVector,
    nodes: u8,
) -> Result<(), StateError> {
    if !vv.is_within(nodes) || heads.iter().any(|head| head.dot.origin.0 >= nodes) {
        return Err(StateError::Stranger);
    }
    if heads.iter().any(|it| it.dot.sequence == Sequence(0) || !vv.covers(it.dot)) {
        return Err(StateError::HeadOutside);
    }
    let mut pairs = heads.windows(2);
    match pairs.all(|it| it[0].path < it[1].path || (it[0].path == it[1].path && it[0] != it[1])) {
        true => Ok(()),
        false => Err(StateError::Order),
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state {} since {}", self.vv, self.since)?;
        self.heads.iter().try_for_each(|head| write!(f, " +{head}"))
    }
}
