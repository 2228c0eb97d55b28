//! The messages that replicas exchange.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ContentId, Digest, Entry, Epoch, Sealed, SessionId, Staging, State, Tag, VersionVector,
};

/// A content that travels with a message. The driver handles the bytes; the protocol knows only which
/// content they make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Payload {
    /// The content that the payload makes.
    pub content: ContentId,
    /// The base of the delta, which the sender believes that the peer holds; `None` if the payload is
    /// the whole content.
    pub base: Option<ContentId>,
}

/// From a leader: entries that the peer lacks, in stamp order, so that every prefix is causally closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Append {
    /// The epoch that the sender leads.
    pub epoch: Epoch,
    /// The tag that the Ack echoes.
    pub tag: Tag,
    /// Entries that the peer lacks.
    pub entries: Vec<Entry>,
    /// Instead of entries, if the sender has dropped some of them.
    pub state: Option<Sealed<State>>,
    /// The entries that the leader has synced.
    pub vv: VersionVector,
    /// The digest of the entries that `vv` covers, so that a peer that holds different ones notices.
    pub digest: Digest,
    /// How far states have come that the sender is receiving, so that their senders go on.
    pub staged: Vec<Staging>,
    /// The contents that the entries name.
    pub payloads: Vec<Payload>,
    /// Entries that all nodes hold. Whoever has the entries of `vv` has every entry whose author did not
    /// know these. Empty from a leader that does not know, or whose parameters do not ask for it.
    pub stable: VersionVector,
}

/// The answer to an Append. The follower sends it when it has synced the entries of the Append.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ack {
    /// The epoch of the Append.
    pub epoch: Epoch,
    /// The tag of the Append.
    pub tag: Tag,
    /// The entries that the sender has synced.
    pub vv: VersionVector,
    /// The digest of the entries that `vv` covers, so that a peer that holds different ones notices.
    pub digest: Digest,
    /// How far states have come that the sender is receiving, so that their senders go on.
    pub staged: Vec<Staging>,
    /// Entries that the sender has and the leader lacks, in stamp order.
    pub entries: Vec<Entry>,
    /// Instead of entries, if the sender has dropped some of them.
    pub state: Option<Sealed<State>>,
    /// The contents that the entries name.
    pub payloads: Vec<Payload>,
}

/// The answer to an Append, a vote request or a pre-vote request whose epoch is too low for the
/// sender's promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reject {
    /// The sender's promise.
    pub promise: Epoch,
}

/// A node asks whether it would get a vote for this epoch before it becomes a candidate. A peer that
/// would vote sends the same content back; a peer that would not sends no pre-vote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PreVote {
    /// The epoch for which the node would become a candidate.
    pub epoch: Epoch,
}

/// From a candidate, which sends it once it has synced its own promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VoteRequest {
    /// The epoch that the candidate wants to lead.
    pub epoch: Epoch,
    /// The entries that the candidate has synced.
    pub vv: VersionVector,
    /// The digest of the entries that `vv` covers, so that a peer that holds different ones notices.
    pub digest: Digest,
    /// How far states have come that the sender is receiving, so that their senders go on.
    pub staged: Vec<Staging>,
}

/// The answer of a voter, which sends it once it has synced its promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// The epoch of the candidate.
    pub epoch: Epoch,
    /// The entries that the voter has synced.
    pub vv: VersionVector,
    /// The digest of the entries that `vv` covers, so that a peer that holds different ones notices.
    pub digest: Digest,
    /// Entries that the voter has and the candidate lacks, in stamp order.
    pub entries: Vec<Entry>,
    /// Instead of entries, if the sender has dropped some of them.
    pub state: Option<Sealed<State>>,
    /// The contents that the entries name.
    pub payloads: Vec<Payload>,
}

/// A question for a content, which the peer answers with the whole content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Need {
    /// The content that is missing or bad.
    pub content: ContentId,
}

/// The answer to a Need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentReply {
    /// The content of the Need.
    pub content: ContentId,
    /// The whole content, or `None` if the sender has no good copy now. Such a sender answers again as
    /// soon as it has one.
    pub payload: Option<Payload>,
}

/// The answer to a Need for a content that nothing at the sender names, and of which it has no copy. If the
/// sender itself sent an entry that names the content, it has dropped the entry since, and sends state
/// instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gone {
    /// The content of the Need.
    pub content: ContentId,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// A leader sends entries, and shows its followers that it is alive.
    Append(Append),
    /// A follower has synced the entries of an Append.
    Ack(Ack),
    /// A node refuses a lower epoch.
    Reject(Reject),
    /// A candidate asks for a vote.
    VoteRequest(VoteRequest),
    /// A voter votes for a candidate.
    Vote(Vote),
    /// A node asks for a content.
    Need(Need),
    /// A node sends a content, or says that it lacks it.
    Content(ContentReply),
    /// A node asks whether it would get a vote.
    PreVoteRequest(PreVote),
    /// A node would vote for the sender of a pre-vote request.
    PreVote(PreVote),
    /// Nothing at the sender names a content that it was asked for.
    Gone(Gone),
}

impl Message {
    /// A number for each kind of message.
    #[must_use]
    pub fn kind(&self) -> u8 {
        match self {
            Message::Append(_) => 0,
            Message::Ack(_) => 1,
            Message::Reject(_) => 2,
            Message::VoteRequest(_) => 3,
            Message::Vote(_) => 4,
            Message::Need(_) => 5,
            Message::Content(_) => 6,
            Message::PreVoteRequest(_) => 7,
            Message::PreVote(_) => 8,
            Message::Gone(_) => 9,
        }
    }

    /// Whether the message is about epochs and entries, and not a question for a content or its answer.
    #[must_use]
    pub fn is_of_log(&self) -> bool {
        !matches!(self, Message::Need(_) | Message::Content(_) | Message::Gone(_))
    }

    /// The contents that travel with the message.
    #[must_use]
    pub fn payloads(&self) -> &[Payload] {
        match self {
            Message::Append(it) => &it.payloads,
            Message::Ack(it) => &it.payloads,
            Message::Vote(it) => &it.payloads,
            Message::Content(it) => it.payload.as_slice(),
            _ => &[],
        }
    }

    /// The message without the payload of a content that its sender cannot read.
    #[must_use]
    pub fn without_payload(mut self, content: ContentId) -> Message {
        match &mut self {
            Message::Append(it) => it.payloads.retain(|payload| payload.content != content),
            Message::Ack(it) => it.payloads.retain(|payload| payload.content != content),
            Message::Vote(it) => it.payloads.retain(|payload| payload.content != content),
            Message::Content(it) => it.payload = it.payload.filter(|it| it.content != content),
            _ => {}
        }
        self
    }

    /// Whether an older message of the same sender in the same session adds nothing to this one.
    #[must_use]
    pub(crate) fn covers(&self, older: &Message) -> bool {
        match (self, older) {
            (Message::Append(new), Message::Append(old)) => {
                (new.epoch == old.epoch && new.tag >= old.tag)
                    && (new.vv.includes(&old.vv) && are_among(&old.entries, &new.entries))
                    && (old.state.is_none() || old.state == new.state)
            }
            (Message::Ack(new), Message::Ack(old)) => {
                (new.epoch == old.epoch && new.tag >= old.tag)
                    && (new.vv.includes(&old.vv) && are_among(&old.entries, &new.entries))
                    && (old.state.is_none() || old.state == new.state)
            }
            _ => self == older,
        }
    }

    /// The entries that the sender holds, as a version vector with its digest, if the message says so.
    #[must_use]
    pub(crate) fn held(&self) -> Option<(VersionVector, Digest)> {
        match self {
            Message::Append(it) => Some((it.vv, it.digest)),
            Message::Ack(it) => Some((it.vv, it.digest)),
            Message::VoteRequest(it) => Some((it.vv, it.digest)),
            Message::Vote(it) => Some((it.vv, it.digest)),
            _ => None,
        }
    }

    /// The entries that all nodes hold, if the message says so.
    #[must_use]
    pub(crate) fn stable(&self) -> Option<&VersionVector> {
        match self {
            Message::Append(it) => Some(&it.stable),
            _ => None,
        }
    }

    /// The entries that the message carries; if it carries state, its heads.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        let (entries, state) = match self {
            Message::Append(it) => (&it.entries, &it.state),
            Message::Ack(it) => (&it.entries, &it.state),
            Message::Vote(it) => (&it.entries, &it.state),
            _ => return &[],
        };
        state.as_ref().map_or(entries, |it| &it.heads)
    }

    /// The state that the message carries.
    #[must_use]
    pub fn state(&self) -> Option<&Sealed<State>> {
        match self {
            Message::Append(it) => it.state.as_ref(),
            Message::Ack(it) => it.state.as_ref(),
            Message::Vote(it) => it.state.as_ref(),
            _ => None,
        }
    }

    /// Whether the message brings entries or state.
    #[must_use]
    pub(crate) fn brings_news(&self) -> bool {
        self.state().is_some() || !self.entries().is_empty()
    }
}

/// Whether `some` is a subsequence of `others`.
fn are_among(some: &[Entry], others: &[Entry]) -> bool {
    let mut others = others.iter();
    some.iter().all(|it| others.any(|other| other == it))
}

/// A shared, immutable [`Message`].
pub type SealedMessage = Sealed<Message>;

/// A message in its session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Packet {
    /// The session in which the message was sent.
    pub session: SessionId,
    /// The message.
    pub message: SealedMessage,
}

fn list(
    f: &mut fmt::Formatter<'_>,
    (entries, state): (&[Entry], Option<&Sealed<State>>),
    payloads: &[Payload],
) -> fmt::Result {
    state.map_or(Ok(()), |it| write!(f, " {it}"))?;
    entries.iter().try_for_each(|entry| write!(f, " +{entry}"))?;
    payloads.iter().try_for_each(|it| match it.base {
        Some(base) => write!(f, " with delta {base}->{}", it.content),
        None => write!(f, " with content {}", it.content),
    })
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Append(it) => {
                write!(f, "Append {} t{} vv{}", it.epoch, it.tag, it.vv)?;
                list(f, (&it.entries, it.state.as_ref()), &it.payloads)
            }
            Message::Ack(it) => {
                write!(f, "Ack {} t{} vv{}", it.epoch, it.tag, it.vv)?;
                list(f, (&it.entries, it.state.as_ref()), &it.payloads)
            }
            Message::Reject(it) => write!(f, "Reject, promised {}", it.promise),
            Message::VoteRequest(it) => write!(f, "VoteRequest {} vv{}", it.epoch, it.vv),
            Message::Vote(it) => {
                write!(f, "Vote {} vv{}", it.epoch, it.vv)?;
                list(f, (&it.entries, it.state.as_ref()), &it.payloads)
            }
            Message::PreVoteRequest(it) => write!(f, "PreVoteRequest {}", it.epoch),
            Message::PreVote(it) => write!(f, "PreVote {}", it.epoch),
            Message::Need(it) => write!(f, "Need {}", it.content),
            Message::Content(it) => match it.payload {
                Some(_) => write!(f, "Content {}", it.content),
                None => write!(f, "Lacks {}", it.content),
            },
            Message::Gone(it) => write!(f, "Gone {}", it.content),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Change, Content, Counter, Dot, EntryBody, Incarnation, Lineages, NodeId, Path, Place,
        RequestId, Round, Sequence, Stamp,
    };

    fn vv(sequence: u64) -> VersionVector {
        let mut vv = VersionVector::default();
        vv.insert(Dot { origin: NodeId(0), sequence: Sequence(sequence) });
        vv
    }

    fn content(number: u8) -> ContentId {
        ContentId([number; 32])
    }

    /// The entry with this number, which names the content of this number.
    fn entry(number: u8) -> Entry {
        let (origin, sequence) = (NodeId(0), u64::from(number));
        Sealed::new(EntryBody {
            dot: Dot { origin, sequence: Sequence(sequence) },
            stamp: Stamp { fence: None, counter: Counter(sequence), origin },
            context: VersionVector::default(),
            incarnation: Incarnation::default(),
            context_digest: Digest::default(),
            replaces: Vec::new(),
            path: Path::new("a"),
            change: Change::Put(Content::Named(content(number))),
            request: RequestId { client: 1, number: sequence },
        })
    }

    fn state(sequence: u64) -> Sealed<State> {
        Sealed::new(State {
            since: VersionVector::default(),
            vv: vv(sequence),
            lineages: Lineages::default(),
            counter: Counter(1),
            forgotten: VersionVector::default(),
            heads: vec![entry(9)],
            requests: Vec::new(),
            after: Place::Start,
            until: None,
        })
    }

    fn ack() -> Ack {
        Ack {
            epoch: Epoch::default(),
            tag: Tag(5),
            vv: vv(2),
            digest: Digest::default(),
            staged: Vec::new(),
            entries: vec![entry(1), entry(2)],
            state: None,
            payloads: vec![payload(1), payload(2)],
        }
    }

    /// The Append that carries the same.
    fn append_of(ack: Ack) -> Append {
        let Ack { epoch, tag, vv, digest, staged, entries, state, payloads } = ack;
        let stable = VersionVector::default();
        Append { epoch, tag, vv, digest, staged, entries, state, payloads, stable }
    }

    fn append() -> Append {
        append_of(ack())
    }

    fn vote() -> Vote {
        let Ack { epoch, vv, digest, entries, state, payloads, .. } = ack();
        Vote { epoch, vv, digest, entries, state, payloads }
    }

    fn payload(number: u8) -> Payload {
        Payload { content: content(number), base: None }
    }

    /// A message of each kind, with the number of its kind.
    fn all() -> [Message; 10] {
        let (epoch, content) = (Epoch::default(), content(1));
        let reply = ContentReply { content, payload: Some(payload(1)) };
        [
            Message::Append(append()),
            Message::Ack(ack()),
            Message::Reject(Reject { promise: epoch }),
            Message::VoteRequest(VoteRequest {
                epoch,
                vv: vv(1),
                digest: Digest::default(),
                staged: Vec::new(),
            }),
            Message::Vote(vote()),
            Message::Need(Need { content }),
            Message::Content(reply),
            Message::PreVoteRequest(PreVote { epoch }),
            Message::PreVote(PreVote { epoch }),
            Message::Gone(Gone { content }),
        ]
    }

    #[test]
    fn a_message_says_what_it_carries() {
        for (number, message) in all().iter().enumerate() {
            assert_eq!(usize::from(message.kind()), number);
            assert_eq!(message.is_of_log(), !matches!(number, 5 | 6 | 9), "{message}");
            let carries = matches!(number, 0 | 1 | 4);
            assert_eq!(message.entries().len(), if carries { 2 } else { 0 }, "{message}");
            let payloads = if carries { 2 } else { usize::from(number == 6) };
            assert_eq!(message.payloads().len(), payloads, "{message}");
            assert_eq!(message.brings_news(), carries, "{message}");
            // It goes without one of its payloads, and keeps the others.
            let left = message.clone().without_payload(content(1));
            let expected = if carries { &[payload(2)][..] } else { &[] };
            assert_eq!(left.payloads(), expected, "{message}");
            assert_eq!(message.clone().without_payload(content(7)), *message);
        }
    }

    #[test]
    fn a_message_that_carries_state_brings_its_heads() {
        let with_state = [
            Message::Append(Append { state: Some(state(3)), entries: Vec::new(), ..append() }),
            Message::Ack(Ack { state: Some(state(3)), entries: Vec::new(), ..ack() }),
            Message::Vote(Vote { state: Some(state(3)), entries: Vec::new(), ..vote() }),
        ];
        for message in with_state {
            assert_eq!(message.state(), Some(&state(3)));
            assert_eq!(message.entries(), [entry(9)]);
            assert!(message.brings_news());
        }
        let of_requests = State { heads: Vec::new(), ..(*state(3)).clone() };
        let state = Some(Sealed::new(of_requests));
        assert!(Message::Ack(Ack { state, entries: Vec::new(), ..ack() }).brings_news());
        assert!(all().iter().all(|it| it.state().is_none()));
    }

    #[test]
    fn a_message_covers_an_older_one_that_adds_nothing() {
        let later = Epoch { round: Round(1), node: NodeId(0) };
        let with_state = || Ack { state: Some(state(3)), ..ack() };
        let olds = [
            (ack(), ack(), true),
            (ack(), Ack { entries: vec![entry(2)], ..ack() }, true),
            (ack(), Ack { vv: vv(1), tag: Tag(4), ..ack() }, true),
            (ack(), Ack { epoch: later, ..ack() }, false),
            (ack(), Ack { tag: Tag(6), ..ack() }, false),
            (ack(), Ack { vv: vv(3), ..ack() }, false),
            (ack(), Ack { entries: vec![entry(3)], ..ack() }, false),
            (ack(), with_state(), false),
            (with_state(), ack(), true),
            (with_state(), with_state(), true),
        ];
        for (newer, older, expected) in olds {
            let appends = [&newer, &older].map(|it| Message::Append(append_of(it.clone())));
            let acks = [newer, older].map(Message::Ack);
            for [newer, older] in [appends, acks] {
                assert_eq!(newer.covers(&older), expected, "{newer} and {older}");
            }
        }
        for (at, message) in all().iter().enumerate() {
            assert!(
                all().iter().enumerate().all(|(other, it)| message.covers(it) == (at == other))
            );
        }
    }
}
