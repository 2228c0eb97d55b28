//! What replicas say to each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ContentId, Digest, Entry, Epoch, Sealed, SessionId, Tag, VersionVector};

/// A content that travels with a message. The bytes are the driver's; the protocol knows what
/// they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Payload {
    /// The content it makes.
    pub content: ContentId,
    /// The content it is a delta against, which the sender believes the peer holds; `None` when
    /// it is whole.
    pub base: Option<ContentId>,
}

/// From a leader: entries the peer lacks, in stamp order, so that every prefix is causally closed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Append {
    /// The leadership that speaks.
    pub epoch: Epoch,
    /// To be echoed by the Ack.
    pub tag: Tag,
    /// What the peer lacks.
    pub entries: Vec<Entry>,
    /// What the leader has synced.
    pub vv: VersionVector,
    /// What stands for the entries that `vv` covers, so that whoever holds others notices.
    pub digest: Digest,
    /// The contents that the entries name.
    pub payloads: Vec<Payload>,
}

/// The answer to an Append, sent when everything in it is synced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ack {
    /// The leadership that is answered.
    pub epoch: Epoch,
    /// The Append that is answered.
    pub tag: Tag,
    /// What the sender has synced.
    pub vv: VersionVector,
    /// What stands for the entries that `vv` covers, so that whoever holds others notices.
    pub digest: Digest,
    /// What the sender has and the leader lacks, in stamp order.
    pub entries: Vec<Entry>,
    /// The contents that the entries name.
    pub payloads: Vec<Payload>,
}

/// The answer to whoever speaks for an epoch lower than the sender's promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reject {
    /// The sender's promise.
    pub promise: Epoch,
}

/// From a node that would be a candidate: whether it would get a vote for this epoch. And the answer
/// of one who would vote; one who would not is silent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PreVote {
    /// The leadership that would be asked for.
    pub epoch: Epoch,
}

/// From a candidate, once its own promise is synced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VoteRequest {
    /// The leadership it asks for.
    pub epoch: Epoch,
    /// What the candidate has synced.
    pub vv: VersionVector,
    /// What stands for the entries that `vv` covers, so that whoever holds others notices.
    pub digest: Digest,
}

/// The answer of a voter, once its promise is synced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// The leadership that is voted for.
    pub epoch: Epoch,
    /// What the voter has synced.
    pub vv: VersionVector,
    /// What stands for the entries that `vv` covers, so that whoever holds others notices.
    pub digest: Digest,
    /// What the voter has and the candidate lacks, in stamp order.
    pub entries: Vec<Entry>,
    /// The contents that the entries name.
    pub payloads: Vec<Payload>,
}

/// Asks for a content, to be answered whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Need {
    /// The content that is missing or bad.
    pub content: ContentId,
}

/// The answer to a Need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentReply {
    /// The content that was asked for.
    pub content: ContentId,
    /// The content, or nothing when the sender has no good copy now. One who has none answers
    /// again as soon as it has.
    pub payload: Option<Payload>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Message {
    /// A leader replicates, and keeps its followers from electing.
    Append(Append),
    /// A follower has synced what it was sent.
    Ack(Ack),
    /// A lower epoch is refused.
    Reject(Reject),
    /// A candidate asks for a vote.
    VoteRequest(VoteRequest),
    /// A voter gives it.
    Vote(Vote),
    /// A content is asked for.
    Need(Need),
    /// A content is sent, or is lacking.
    Content(ContentReply),
    /// A node asks whether it would get a vote.
    PreVoteRequest(PreVote),
    /// It would.
    PreVote(PreVote),
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
        }
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

    /// The message without the payload of a content that its sender turned out not to have.
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

    /// Whether whoever has this message learns nothing from an older one of the same sender in the
    /// same session.
    #[must_use]
    pub(crate) fn covers(&self, older: &Message) -> bool {
        match (self, older) {
            (Message::Append(new), Message::Append(old)) => {
                (new.epoch == old.epoch && new.tag >= old.tag)
                    && (new.vv.includes(&old.vv) && are_among(&old.entries, &new.entries))
            }
            (Message::Ack(new), Message::Ack(old)) => {
                (new.epoch == old.epoch && new.tag >= old.tag)
                    && (new.vv.includes(&old.vv) && are_among(&old.entries, &new.entries))
            }
            _ => self == older,
        }
    }

    /// What the message says its sender holds, and what stands for these entries.
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

    /// The entries that the message carries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match self {
            Message::Append(it) => &it.entries,
            Message::Ack(it) => &it.entries,
            Message::Vote(it) => &it.entries,
            _ => &[],
        }
    }
}

/// Whether entries are found among others in the same order, as senders order them.
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
    /// What is said.
    pub message: SealedMessage,
}

fn list(f: &mut fmt::Formatter<'_>, entries: &[Entry], payloads: &[Payload]) -> fmt::Result {
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
                list(f, &it.entries, &it.payloads)
            }
            Message::Ack(it) => {
                write!(f, "Ack {} t{} vv{}", it.epoch, it.tag, it.vv)?;
                list(f, &it.entries, &it.payloads)
            }
            Message::Reject(it) => write!(f, "Reject, promised {}", it.promise),
            Message::VoteRequest(it) => write!(f, "VoteRequest {} vv{}", it.epoch, it.vv),
            Message::Vote(it) => {
                write!(f, "Vote {} vv{}", it.epoch, it.vv)?;
                list(f, &it.entries, &it.payloads)
            }
            Message::PreVoteRequest(it) => write!(f, "PreVoteRequest {}", it.epoch),
            Message::PreVote(it) => write!(f, "PreVote {}", it.epoch),
            Message::Need(it) => write!(f, "Need {}", it.content),
            Message::Content(it) => match it.payload {
                Some(_) => write!(f, "Content {}", it.content),
                None => write!(f, "Lacks {}", it.content),
            },
        }
    }
}
