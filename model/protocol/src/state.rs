//! State: the heads that a peer lacks, instead of all the entries that led to them.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::parameters::Room;
use crate::{
    Counter, Decisions, Digest, Entry, Fold, Lineages, Path, RequestId, Sequence, VersionVector,
    Written,
};

/// A place in a fold, in the order in which its parts travel: requests first, then the heads of each path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// Before everything.
    Start,
    /// Behind this request.
    Request(RequestId),
    /// Behind this path.
    Path(Path),
    /// Behind this number of heads of this path, before its last.
    Heads(Path, u32),
}

impl Place {
    /// The path whose heads it lies behind, and the number of those heads; `u64::MAX` for all of them.
    pub(crate) fn behind(&self) -> Option<(&Path, u64)> {
        match self {
            Place::Start | Place::Request(_) => None,
            Place::Path(path) => Some((path, u64::MAX)),
            Place::Heads(path, count) => Some((path, (*count).into())),
        }
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |it: &Place| match it {
            Place::Start => (0, None),
            Place::Request(request) => (1, Some(*request)),
            Place::Path(_) | Place::Heads(..) => (2, None),
        };
        key(self).cmp(&key(other)).then_with(|| self.behind().cmp(&other.behind()))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A part of what a log amounts to beyond the entries that a peer has. A node sends it instead of entries
/// when it has dropped some of those that the peer lacks. The receiver logs each part and joins all of
/// them when the last one has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct State {
    /// The entries that the receiver must have.
    pub since: VersionVector,
    /// The entries that the receiver has after the last part.
    pub vv: VersionVector,
    /// Which incarnations of their origins made them.
    pub lineages: Lineages,
    /// The highest Lamport counter of any of them.
    pub counter: Counter,
    /// The deletes that the sender has forgotten. The receiver has these entries: all nodes held them when the sender
    /// forgot them. If it lacks one, it has lost it, and would keep the versions that the delete replaced.
    pub forgotten: VersionVector,
    /// The heads of each path that has a head outside `since`, path by path, the visible one first; the parts
    /// of a state have all of them together. The heads of the other paths are the same at every node that has
    /// `since`: an entry that replaced one of them would be a head itself, or be replaced by one.
    pub heads: Vec<Entry>,
    /// The requests whose entries are outside `since`. Without them a retry would write twice.
    pub requests: Vec<(RequestId, Written)>,
    /// The place at which this part begins: the end of the one before it.
    pub after: Place,
    /// The place at which it ends; `None` for the last part.
    pub until: Option<Place>,
}

/// How far a node has received a state, by which its sender goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Staging {
    /// The vector that the state builds on.
    pub since: VersionVector,
    /// The vector of the whole state.
    pub vv: VersionVector,
    /// The digest of the entries of the whole state.
    pub digest: Digest,
    /// The end of the last part that has come.
    pub until: Place,
}

/// A state that is being sent in parts. At most one part is under way, unless the sender has forgotten that it sent one.
/// A receiver refuses a part that comes twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transfer {
    /// The fold that is sent, as it was when the transfer began.
    fold: Fold,
    since: VersionVector,
    /// The end of the last part that the receiver has confirmed.
    confirmed: Place,
    /// The end of the last part that was sent.
    sent: Place,
    /// Whether the receiver has not confirmed that part yet.
    is_under_way: bool,
}

impl Transfer {
    /// Begins to send a fold to a peer that has `known`. The peer may have entries that the fold lacks: a
    /// leader has logged them and not synced them yet.
    pub(crate) fn begin(fold: &Fold, known: &VersionVector) -> Transfer {
        let fold = Fold { staged: Vec::new(), ..fold.clone() };
        let since = known.meet(fold.vv());
        let (confirmed, sent) = (Place::Start, Place::Start);
        Transfer { fold, since, confirmed, sent, is_under_way: false }
    }

    /// Whether a part is under way that the receiver has not confirmed.
    pub(crate) fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Whether a peer that has `vv` needs nothing of it any more.
    pub(crate) fn is_covered_by(&self, vv: &VersionVector) -> bool {
        vv.includes(self.fold.vv())
    }

    /// Whether a peer that has `vv` can take it.
    pub(crate) fn fits(&self, vv: &VersionVector) -> bool {
        vv.includes(&self.since)
    }

    /// Takes note of the stagings of the receiver; `None` if the transfer must begin again. Unless
    /// `is_certain`, a part that `staged` does not name is under way, and the transfer waits for it.
    pub(crate) fn advance(mut self, staged: &[Staging], is_certain: bool) -> Option<Transfer> {
        let is_mine = |it: &&Staging| {
            it.since == self.since && it.vv == *self.fold.vv() && it.digest == self.fold.digest()
        };
        match staged.iter().find(is_mine) {
            // The receiver may have further parts, from another sender of the same state.
            Some(mine) if is_certain || mine.until >= self.sent => {
                self.confirmed = mine.until.clone();
                self.rewind();
            }
            None if is_certain => return None,
            _ => {}
        }
        Some(self)
    }

    /// Goes on behind the last confirmed part: the one under way is sent again.
    pub(crate) fn rewind(&mut self) {
        self.sent = self.confirmed.clone();
        self.is_under_way = false;
    }

    /// The next part, and the transfer once it is sent; without a transfer after the last part.
    pub(crate) fn next(self, room: Room, decisions: &dyn Decisions) -> (State, Option<Transfer>) {
        let part = self.fold.part(&self.since, &self.sent, room, decisions);
        let sent = part.until.clone();
        let rest = sent.map(|sent| Transfer { sent, is_under_way: true, ..self });
        (part, rest)
    }
}

/// Why no node can have sent a state, or written a checkpoint.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Error,
)]
pub enum StateError {
    /// The version vector does not cover a head.
    #[error("a head is not among the entries that the version vector covers")]
    HeadOutside,
    /// The version vector does not cover a forgotten delete.
    #[error("a forgotten delete is not among the entries that the version vector covers")]
    ForgottenOutside,
    /// The heads are not listed path by path, or a path lists one twice or in the wrong order.
    #[error("the heads are not in order")]
    Order,
    /// The lineages are out of order, or name entries that the version vector does not cover.
    #[error("the lineages are not those of the entries that the version vector covers")]
    Lineages,
    /// An entry was made by a node that is not a member.
    #[error("an entry was made by a node that is not a member of the cluster")]
    Stranger,
    /// The version vector covers less than the vector that the state builds on.
    #[error("the version vector covers less than the vector that it builds on")]
    Backwards,
}

impl State {
    /// Whether both are parts of the same state.
    #[must_use]
    pub fn is_of(&self, other: &State) -> bool {
        (self.since, self.vv) == (other.since, other.vv) && self.lineages == other.lineages
    }

    /// How far a node has received the state that has this part; `None` if the part is the last.
    #[must_use]
    pub fn staging(&self) -> Option<Staging> {
        let State { since, vv, .. } = *self;
        // The newest span of each origin is always known.
        let digest = self.lineages.digest(&vv).unwrap_or_default();
        Some(Staging { since, vv, digest, until: self.until.clone()? })
    }

    /// Whether a node of a cluster of `nodes` nodes can have sent it.
    ///
    /// # Errors
    /// Names the first rule that it breaks.
    pub(crate) fn check(&self, nodes: u8) -> Result<(), StateError> {
        if !self.vv.includes(&self.since) {
            return Err(StateError::Backwards);
        }
        if self.until.as_ref().is_some_and(|until| *until <= self.after) {
            return Err(StateError::Order);
        }
        if !self.lineages.is_within(&self.vv) {
            return Err(StateError::Lineages);
        }
        check_covered(&self.heads, &self.forgotten, &self.vv, nodes)
    }
}

/// Whether heads are in order, and the vector of their fold covers them and the forgotten deletes.
pub(crate) fn check_covered(
    heads: &[Entry],
    forgotten: &VersionVector,
    vv: &VersionVector,
    nodes: u8,
) -> Result<(), StateError> {
    if !vv.includes(forgotten) {
        return Err(StateError::ForgottenOutside);
    }
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Start => write!(f, "the start"),
            Place::Request(request) => write!(f, "request {request}"),
            Place::Path(path) => write!(f, "{path}"),
            Place::Heads(path, count) => write!(f, "head {count} of {path}"),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state {} since {}", self.vv, self.since)?;
        match (&self.after, &self.until) {
            (Place::Start, None) => {}
            (_, Some(until)) => write!(f, " up to {until}")?,
            (after, None) => write!(f, " from {after}")?,
        }
        self.heads.iter().try_for_each(|head| write!(f, " +{head}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Dot, EntryBody, Incarnation, NodeId, Sealed, Stamp};

    #[test]
    fn places_are_ordered_as_parts_travel() {
        let request = |number| Place::Request(RequestId { client: 1, number });
        let [a, b] = ["a", "b"].map(Path::new);
        let heads = |path: &Path, count| Place::Heads(path.clone(), count);
        let places = [
            Place::Start,
            request(1),
            request(2),
            heads(&a, 1),
            heads(&a, 2),
            Place::Path(a.clone()),
            heads(&b, 1),
            Place::Path(b.clone()),
        ];
        assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
    }

    #[test]
    fn heads_are_in_the_order_of_their_paths_and_none_is_there_twice() {
        let head = |sequence, path: &str| {
            let dot = Dot { origin: NodeId(0), sequence: Sequence(sequence) };
            Sealed::new(EntryBody {
                dot,
                stamp: Stamp { fence: None, counter: Counter(1), origin: NodeId(0) },
                context: VersionVector::default(),
                incarnation: Incarnation::default(),
                context_digest: Digest::default(),
                replaces: Vec::new(),
                path: Path::new(path),
                change: Change::Delete,
                request: RequestId { client: 1, number: sequence },
            })
        };
        let [a, a2, b] = [head(1, "a"), head(2, "a"), head(3, "b")];
        let mut vv = VersionVector::default();
        vv.insert(b.dot);
        let check = |heads: &[&Entry]| {
            let heads: Vec<Entry> = heads.iter().copied().cloned().collect();
            check_covered(&heads, &VersionVector::default(), &vv, 1)
        };
        let legal: [&[&Entry]; 5] = [&[], &[&b], &[&a, &b], &[&a, &a2, &b], &[&a2, &a, &b]];
        legal.iter().for_each(|heads| assert_eq!(check(heads), Ok(())));
        let wrong: [&[&Entry]; 4] = [&[&b, &a], &[&a, &a], &[&b, &b], &[&a, &b, &a2]];
        wrong.iter().for_each(|heads| assert_eq!(check(heads), Err(StateError::Order)));
        assert_eq!(check(&[&head(4, "a")]), Err(StateError::HeadOutside));
        assert_eq!(check(&[&head(0, "a")]), Err(StateError::HeadOutside), "no entry has number 0");
        let of_stranger = Dot { origin: NodeId(1), ..a.dot };
        let stranger = Sealed::new(EntryBody { dot: of_stranger, ..(*a).clone() });
        assert_eq!(check(&[&stranger]), Err(StateError::Stranger));
    }

    #[test]
    fn a_part_does_not_end_before_it_begins_or_cover_less_than_it_builds_on() {
        let mut vv = VersionVector::default();
        vv.insert(Dot { origin: NodeId(0), sequence: Sequence(1) });
        let [a, b] = ["a", "b"].map(|path| Place::Path(Path::new(path)));
        let part = |since, after: &Place, until: Option<&Place>| State {
            since,
            vv,
            lineages: Lineages::default(),
            counter: Counter(1),
            forgotten: VersionVector::default(),
            heads: Vec::new(),
            requests: Vec::new(),
            after: after.clone(),
            until: until.cloned(),
        };
        let check = |after: &Place, until: Option<&Place>| part(vv, after, until).check(1);
        assert_eq!(check(&a, Some(&b)), Ok(()));
        assert_eq!(check(&a, None), Ok(()));
        assert_eq!(check(&a, Some(&a)), Err(StateError::Order));
        assert_eq!(check(&b, Some(&a)), Err(StateError::Order));
        let mut later = vv;
        later.insert(Dot { origin: NodeId(0), sequence: Sequence(2) });
        assert_eq!(part(later, &a, None).check(1), Err(StateError::Backwards));
    }

    #[test]
    fn a_transfer_goes_on_by_the_stagings_of_its_own_state_only() {
        let vv = |sequence| {
            let mut vv = VersionVector::default();
            vv.insert(Dot { origin: NodeId(0), sequence: Sequence(sequence) });
            vv
        };
        let mut fold = Fold { vv: vv(3), ..Fold::default() };
        fold.lineages.note(Dot { origin: NodeId(0), sequence: Sequence(1) }, Incarnation(3));
        let (since, digest) = (vv(1), fold.digest());
        let until = Place::Path(Path::new("a"));
        let mine = Staging { since, vv: vv(3), digest, until: until.clone() };
        let begun = || Transfer {
            sent: Place::Path(Path::new("b")),
            is_under_way: true,
            ..Transfer::begin(&fold, &since)
        };
        let confirmed = |staging: &Staging| {
            let advanced = begun().advance(std::slice::from_ref(staging), true);
            advanced.map(|it| (it.confirmed, it.is_under_way))
        };
        assert_eq!(confirmed(&mine), Some((until, false)));
        let others = [
            Staging { since: vv(2), ..mine.clone() },
            Staging { vv: vv(4), ..mine.clone() },
            Staging { digest: Digest::default(), ..mine.clone() },
        ];
        for other in others {
            assert_eq!(confirmed(&other), None, "{other:?}");
        }
        // An answer that is older than the last part confirms nothing.
        assert_eq!(begun().advance(&[mine], false), Some(begun()));
        assert_eq!(begun().advance(&[], false), Some(begun()));
    }
}
