//! What the clients of a run asked and heard, in the order in which this process saw it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use steadfast_client::{Head, Version};

/// The number of an operation in its history, from 0.
pub(crate) type OperationId = usize;

/// A request of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Writes bytes that name this operation; with a base, only over this version.
    Put {
        bytes: usize,
        base: Option<Version>,
    },
    Delete,
    Restore(Version),
    Resolve(Version),
    /// A linearizable read of the content.
    Get,
    /// A linearizable read of the heads.
    Versions,
    /// A read of one node for itself.
    StaleGet,
}

impl Request {
    /// Its kind, for the ledger.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Request::Put { base: None, .. } => "put",
            Request::Put { base: Some(_), .. } => "put over a version",
            Request::Delete => "delete",
            Request::Restore(_) => "restore",
            Request::Resolve(_) => "resolve",
            Request::Get => "read",
            Request::Versions => "read of versions",
            Request::StaleGet => "stale read",
        }
    }

    pub(crate) fn is_write(&self) -> bool {
        !matches!(self, Request::Get | Request::Versions | Request::StaleGet)
    }
}

/// The answer to a request, as far as the judge needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The write was acknowledged as this version.
    Written(Version),
    /// A version with its bytes: those of this put, or of none.
    Found { version: Version, author: Option<OperationId> },
    /// The path was deleted; by this version, if the answer says so.
    Deleted(Option<Version>),
    /// The path was never written.
    Absent,
    /// The heads of the path, the visible one first.
    Heads(Vec<Head>),
    /// An error. A write may have taken place all the same, now or later: an earlier attempt of the same call may have reached a
    /// leader.
    Failed(String),
}

impl Answer {
    /// Its kind, for the ledger.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Answer::Written(_) => "acknowledged",
            Answer::Found { .. } | Answer::Heads(_) => "found",
            Answer::Deleted(_) => "deleted",
            Answer::Absent => "absent",
            Answer::Failed(code) => code,
        }
    }
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Operation {
    pub(crate) client: usize,
    pub(crate) path: String,
    pub(crate) request: Request,
    /// The idempotency key of a write.
    pub(crate) key: Option<String>,
    /// The number of this event among all requests and answers.
    pub(crate) invoked: u64,
    pub(crate) answered: Option<u64>,
    pub(crate) answer: Option<Answer>,
}

impl Operation {
    /// The version that acknowledges the write.
    pub(crate) fn acknowledged(&self) -> Option<Version> {
        match &self.answer {
            Some(Answer::Written(version)) => Some(*version),
            _ => None,
        }
    }
}

/// The operations of a run. Clients share it.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Events>);

#[derive(Debug, Default)]
struct Events {
    operations: Vec<Operation>,
    count: u64,
}

impl Events {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

impl History {
    fn events(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request before it is sent. Returns its number.
    pub(crate) fn invoke(
        &self,
        client: usize,
        path: &str,
        request: Request,
        key: impl FnOnce(OperationId) -> String,
    ) -> OperationId {
        let mut events = self.events();
        let (id, invoked) = (events.operations.len(), events.next());
        let key = request.is_write().then(|| key(id));
        let path = path.to_owned();
        let (answered, answer) = (None, None);
        events.operations.push(Operation { client, path, request, key, invoked, answered, answer });
        id
    }

    /// Notes an answer after it has arrived.
    pub(crate) fn answer(&self, id: OperationId, answer: Answer) {
        let mut events = self.events();
        let at = events.next();
        let operation = &mut events.operations[id];
        (operation.answered, operation.answer) = (Some(at), Some(answer));
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.events().operations.clone()
    }

    /// How many writes were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.events().operations.iter().filter(|it| it.acknowledged().is_some()).count()
    }
}

/// How often each kind of request got each kind of answer.
pub(crate) fn tally(operations: &[Operation]) -> BTreeMap<&'static str, BTreeMap<String, u64>> {
    let mut tally: BTreeMap<_, BTreeMap<String, u64>> = BTreeMap::new();
    for it in operations {
        let kind = it.answer.as_ref().map_or("no answer", Answer::kind);
        *tally.entry(it.request.kind()).or_default().entry(kind.to_owned()).or_default() += 1;
    }
    tally
}
