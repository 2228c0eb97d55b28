//! Writes that name a content of this node, and wait until its copy has been verified.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use steadfast_protocol::ContentId;
use steadfast_store::ContentError;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::readers::Undecided;
use super::{Reply, Write};
use crate::disk::NodeContents;

/// How many contents are verified at once.
const VERIFICATIONS_MAX: usize = 4;

/// A content that has been read, with its length or the reason why it has no good copy.
pub(crate) type Verification = (ContentId, Result<u64, ContentError>);

/// The writes that wait, by the content that their entries would name. Each has a client that waits for it, so that the
/// limit on requests bounds them.
#[derive(Debug)]
pub(crate) struct Unverified {
    writes: BTreeMap<ContentId, Vec<Undecided>>,
    /// The contents whose verification has not begun, oldest first.
    next: VecDeque<ContentId>,
    running: JoinSet<Verification>,
    /// The runtime whose threads verify. The node's own runtime would wait for them at its end.
    runtime: Handle,
}

impl Unverified {
    pub(crate) fn new(runtime: Handle) -> Unverified {
        let (writes, next) = (BTreeMap::new(), VecDeque::new());
        Unverified { writes, next, running: JoinSet::new(), runtime }
    }

    /// Adds a write. [`Unverified::begin`] begins to verify its content.
    pub(crate) fn add(&mut self, content: ContentId, write: Write, reply: oneshot::Sender<Reply>) {
        let waiting = self.writes.entry(content).or_default();
        if waiting.is_empty() {
            self.next.push_back(content);
        }
        waiting.push((write, reply));
    }

    /// Begins verifications, up to the limit, and drops contents whose clients have all gone.
    pub(crate) fn begin(&mut self, contents: &Arc<NodeContents>) {
        while self.running.len() < VERIFICATIONS_MAX
            && let Some(content) = self.next.pop_front()
        {
            let waiting = self.end(content);
            if !waiting.is_empty() {
                self.writes.insert(content, waiting);
                let contents = Arc::clone(contents);
                let verify = move || (content, contents.verify(content));
                self.running.spawn_blocking_on(verify, &self.runtime);
            }
        }
    }

    /// The next verification that ends; `None` while none runs.
    pub(crate) async fn next_verification(&mut self) -> Option<Verification> {
        match self.running.join_next().await? {
            Ok(ended) => Some(ended),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// The writes that waited for a content and whose clients still wait.
    pub(crate) fn end(&mut self, content: ContentId) -> Vec<Undecided> {
        let mut waiting = self.writes.remove(&content).unwrap_or_default();
        waiting.retain(|it| !it.1.is_closed());
        waiting
    }
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::{Base, Dot, Intent, Path};
    use steadfast_store::Contents;
    use steadfast_wal::RealDisk;

    use super::*;
    use crate::core::Condition;

    fn write() -> Write {
        let (path, intent, base) = (Path::new("a"), Intent::Restore(Dot::default()), Base::Visible);
        Write { key: None, stored: None, path, intent, base, condition: Condition::Any }
    }

    #[tokio::test]
    async fn a_content_is_verified_once_for_all_clients_that_still_wait() {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = RealDisk::new(directory.path());
        let contents = Arc::new(Contents::open(Arc::new(disk)).expect("no contents"));
        let mut writer = contents.writer().expect("a writer");
        writer.update(b"bytes").expect("room");
        let (content, length) = writer.finish().expect("a content");
        let mut waiting = Unverified::new(Handle::current());
        assert!(waiting.next_verification().await.is_none(), "nothing is verified");

        let (first, first_answer) = oneshot::channel();
        let (second, second_answer) = oneshot::channel();
        let (third, _third_answer) = oneshot::channel();
        waiting.add(content, write(), first);
        waiting.add(content, write(), second);
        waiting.begin(&contents);
        waiting.add(content, write(), third);
        waiting.begin(&contents);
        drop(second_answer);
        let (verified, result) = waiting.next_verification().await.expect("a verification ends");
        assert_eq!((verified, result.expect("a good copy")), (content, length));
        assert_eq!(waiting.end(content).len(), 2, "the second client is gone");
        assert!(waiting.next_verification().await.is_none(), "it was verified once");

        // No client waits for an answer any more.
        drop(first_answer);
        let (gone, answer) = oneshot::channel();
        drop(answer);
        waiting.add(content, write(), gone);
        waiting.begin(&contents);
        assert!(waiting.next_verification().await.is_none());

        let missing = ContentId([9; 32]);
        let (asker, _answer) = oneshot::channel();
        waiting.add(missing, write(), asker);
        waiting.begin(&contents);
        let (verified, result) = waiting.next_verification().await.expect("a verification ends");
        assert!(verified == missing && matches!(result, Err(ContentError::Missing(_))));
    }
}
