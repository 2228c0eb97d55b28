//! Counts of the faults injected into a run, and of the events that it reached.

use std::fmt;
use std::ops::AddAssign;

use postcard::ser_flavors::Size;
use steadfast_guarantees::NodeView;
use steadfast_protocol::{Entry, NodeId, Outcome, Path, Record, Replica, RequestId};

macro_rules! ledger {
    ($($(#[$doc:meta])* $field:ident $words:literal;)*) => {
        /// Counts of the faults injected into a run, and of the events that it reached.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Ledger {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl AddAssign for Ledger {
            fn add_assign(&mut self, other: Ledger) {
                $(self.$field += other.$field;)*
            }
        }

        impl Ledger {
            /// Every count with its name.
            pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$(($words, self.$field)),*].into_iter()
            }
        }
    };
}

ledger! {
    /// Deliveries, syncs and other inputs.
    events "events";
    /// Messages that arrived.
    deliveries "messages delivered";
    /// Batches that were synced.
    syncs "batches synced";
    /// Heartbeats.
    heartbeats "heartbeats";
    /// Writes that clients asked for.
    writes "writes";
    /// Reads that clients asked for.
    reads "reads";
    /// Stale reads that were answered.
    stale_reads "stale reads answered";
    /// Writes that were acknowledged.
    acknowledged "writes acknowledged";
    /// Requests that were refused.
    refused "requests refused";
    /// Requests at nodes that were down, which no node heard.
    turned_away "requests at nodes that were down";
    /// Writes with an outcome that is unknown to their client.
    unknown "outcomes unknown";
    /// Linearizable reads that were answered.
    answered "reads answered";
    /// Nodes that crashed.
    crashes "crashes";
    /// Crashes that took a part of the unsynced tail.
    tails_lost "crashes that lost a tail";
    /// Crashes that left a torn batch.
    torn "crashes that tore a batch";
    /// Logs that were trimmed.
    trims "logs trimmed";
    /// Copies of contents that nodes deleted.
    discards "copies deleted";
    /// Parts of logs that nodes got as state.
    states "states received";
    /// Logs that lost synced records.
    rollbacks "logs rolled back";
    /// Nodes that halted because of one.
    halts "nodes that halted because of it";
    /// Disks that were lost and replaced.
    replacements "disks replaced";
    /// Cuts in both directions.
    cuts "cuts";
    /// Cuts in one direction.
    one_way_cuts "one-way cuts";
    /// Cuts that lose links without splitting the cluster.
    link_cuts "cuts of single links";
    /// Messages lost with a connection.
    lost "messages lost with a connection";
    /// Stretches of frames with contents lost with a connection.
    lost_stretches "stretches of contents lost with a connection";
    /// Connections that an end refused, because it or its peer has halted.
    refused_connections "connections refused by halted nodes";
    /// Messages lost one by one.
    dropped "messages dropped";
    /// Messages that arrived twice.
    doubled "messages doubled";
    /// Messages that arrived before one that was sent earlier.
    overtakings "messages that overtook another";
    /// Nodes whose clocks run fast or slow.
    skewed "nodes with a wrong clock";
    /// Copies of contents that went bad.
    rotten "copies rotten";
    /// Copies of contents that were gone when their node started again.
    contents_lost "copies lost";
    /// Bad copies that were found.
    scrubbed "bad copies found";
    /// Elections begun.
    timeouts "election timeouts";
    /// Leaderships begun.
    leaders "leaders elected";
    /// Conflict versions that appeared.
    conflicts "conflicts listed";
    /// Disks that hung.
    hangs "disks that hung";
    /// Disks that were full.
    fills "disks that were full";
    /// Bytes of the messages with entries or contents that got under way.
    sent_bytes "bytes sent with entries or contents";
    /// Bytes of the others: heartbeats, their answers, elections, questions. Their number grows with
    /// time, not with the entries to be replicated.
    empty_bytes "bytes sent with neither";
    /// Bytes of entries and contents that reached a node that lacked them.
    useful_bytes "bytes that a node lacked";
    /// Contents that came as deltas.
    deltas "contents received as deltas";
    /// Transfers that went on after the connection of their beginning was lost.
    resumed "transfers resumed";
    /// Transfers that ended without the content, because their peer had lost it or the connection ended.
    transfers_ended "transfers that ended without the content";
    /// Contents under way, or not durable yet, that a crash undid.
    arrivals_undone "contents under way that a crash undid";
    /// Checkpoints that nodes had begun and lost in a crash.
    checkpoints_undone "checkpoints that a crash undid";
    /// Checkpoints that a node read when it started again.
    checkpoints_read "checkpoints read back";
    /// Bytes of the frames that brought contents.
    bytes_received "content bytes received";
    /// Bytes of these contents.
    bytes_whole "content bytes as whole copies";
}

impl Ledger {
    /// Counts the answers, the new conflicts and the received bytes of a node that changed.
    pub(crate) fn count_step(
        &mut self,
        node: NodeId,
        before: &NodeView<'_>,
        after: &NodeView<'_>,
        answers: &[(RequestId, Outcome)],
    ) {
        for (_, outcome) in answers {
            match outcome {
                Outcome::Acknowledged { .. } => self.acknowledged += 1,
                Outcome::Refused(_) => self.refused += 1,
                Outcome::Unknown => self.unknown += 1,
                Outcome::Value { stale: false, .. } => self.answered += 1,
                Outcome::Value { stale: true, .. } => self.stale_reads += 1,
            }
        }
        if let (Some(before), Some(after)) = (before.replica, after.replica) {
            // A file that was never written has no head, and so no loser; fewer losers are no new ones.
            let losers = |it: &Replica, path: &Path| it.files().heads(path).len().saturating_sub(1);
            for path in after.files().changed_since(before.files()) {
                self.conflicts += losers(after, &path).saturating_sub(losers(before, &path)) as u64;
            }
        }
        let fresh = after.fresh_since(before);
        self.states += fresh.iter().filter(|it| matches!(it, Record::State(_))).count() as u64;
        let received = fresh.iter().flat_map(Record::entries);
        let received = received.filter(|it| it.dot.origin != node);
        self.useful_bytes += received.map(entry_bytes).sum::<u64>();
    }
}

/// The length of an entry in a message, in bytes; a content beside the log is not a part of it.
fn entry_bytes(entry: &Entry) -> u64 {
    let length = postcard::serialize_with_flavor(entry, Size::default());
    length.unwrap_or_else(|error| panic!("entries-have-bytes: {error}")) as u64
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts().try_for_each(|(what, count)| writeln!(f, "  {count:>12} {what}"))
    }
}
