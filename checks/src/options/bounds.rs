//! Options that change a scope.

use std::num::NonZeroU32;

use clap::Args;
use steadfast_output::number::whole;
use steadfast_protocol::Settings;
use steadfast_trace::{Network, Scope, Start};

use super::NODES;

/// What a scope allows, where it is to differ from the scope as it is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Changes of the scope")]
pub(crate) struct ChangedBounds {
    /// E: votes needed to lead, 1 to N.
    #[arg(long, value_parser = whole::<u8>(NODES))]
    elect: Option<u8>,
    /// W: synced copies needed to acknowledge, 1 to N.
    #[arg(long, value_parser = whole::<u8>(NODES))]
    write: Option<u8>,
    /// N: nodes, 1 to 7.
    #[arg(long, value_parser = whole::<u8>(NODES))]
    nodes: Option<u8>,
    /// Client writes, from 0, as all counts below without another range.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    writes: Option<u32>,
    /// How many of the writes may delete.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    deletes: Option<u32>,
    /// How many of the writes may resolve a conflict, or restore a version.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    resolves: Option<u32>,
    /// Requests that are sent again with the same id.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    retries: Option<u32>,
    /// Linearizable reads.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    reads: Option<u32>,
    /// Stale reads.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    stale_reads: Option<u32>,
    /// Crashes.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    crashes: Option<u32>,
    /// Logs that lose synced records; they need crashes.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    rollbacks: Option<u32>,
    /// Cuts.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    partitions: Option<u32>,
    /// Links between two nodes that a cut may lose without splitting the cluster.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    lost_links: Option<u32>,
    /// Election timeouts.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    elections: Option<u32>,
    /// Heartbeats.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    ticks: Option<u32>,
    /// Files, 1 to 1000.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    paths: Option<u32>,
    /// Copies that go bad; they need named contents.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    rot: Option<u32>,
    /// Copies that are gone when their node starts again; they need named contents and crashes.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    lost_contents: Option<u32>,
    /// Logs that are trimmed.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    trims: Option<u32>,
    /// Disks that are lost, whose nodes get a new log while all nodes are down; they need elections and W of 2 or more.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    replacements: Option<u32>,
    /// Messages that are lost one by one; they need the lossy network.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    drops: Option<u32>,
    /// Messages that arrive twice; they need the lossy network.
    #[arg(long, value_name = "COUNT", value_parser = whole::<u32>(0..=u32::MAX))]
    duplicates: Option<u32>,
    /// Entries in one message, from 1.
    #[arg(long, value_name = "COUNT", value_parser = limit)]
    entries: Option<NonZeroU32>,
    /// Bytes of paths and inline contents in one message, from 1.
    #[arg(long, value_name = "COUNT", value_parser = limit)]
    bytes: Option<NonZeroU32>,
    /// Entries in one message whose contents travel beside them, from 1.
    #[arg(long, value_name = "COUNT", value_parser = limit)]
    payloads: Option<NonZeroU32>,
    /// Entries under way to one peer, from 1.
    #[arg(long, value_name = "COUNT", value_parser = limit)]
    window: Option<NonZeroU32>,
    /// How messages travel: fifo, unordered or lossy.
    #[arg(long)]
    network: Option<Network>,
    /// Begin without a leader, and without a promise.
    #[arg(long)]
    cold: bool,
    /// Cuts may also lose one direction only.
    #[arg(long)]
    one_way_cuts: bool,
    /// The two ends of a connection hear of its begin and end at different times.
    #[arg(long)]
    link_events_apart: bool,
    /// The log goes on while earlier records are being synced.
    #[arg(long)]
    pipelined_syncs: bool,
    /// Writes name contents, which are stored beside the log.
    #[arg(long)]
    named_contents: bool,
    /// Nodes ask for pre-votes, and leaders without a quorum step down.
    #[arg(long)]
    guards_elections: bool,
    /// Nodes that trim their logs forget deletes that all nodes hold.
    #[arg(long)]
    forgets_deletes: bool,
    /// Nodes forget all older requests at each write.
    #[arg(long)]
    forgets_requests: bool,
    /// Each start of a node is an incarnation of its own, and not only one after a loss of synced
    /// records.
    #[arg(long)]
    own_incarnations: bool,
}

/// A limit on replication.
fn limit(text: &str) -> Result<NonZeroU32, String> {
    let number = whole::<u32>(1..=u32::MAX)(text)?;
    NonZeroU32::new(number).ok_or_else(|| "0 is too little".to_owned())
}

impl ChangedBounds {
    /// The scope with the changes.
    ///
    /// # Errors
    /// Something that is asked for is impossible, or allows nothing. The error names the scope.
    pub(crate) fn changed(&self, scope: &Scope) -> Result<Scope, String> {
        self.changed_unnamed(scope).map_err(|it| format!("{}: {it}", scope.name))
    }

    fn changed_unnamed(&self, scope: &Scope) -> Result<Scope, String> {
        let mut changed = scope.clone();
        changed.settings = self.settings(scope)?;
        let bounds = &mut changed.bounds;
        let changes = [
            (&mut bounds.writes, self.writes),
            (&mut bounds.deletes, self.deletes),
            (&mut bounds.resolves, self.resolves),
            (&mut bounds.retries, self.retries),
            (&mut bounds.reads, self.reads),
            (&mut bounds.stale_reads, self.stale_reads),
            (&mut bounds.crashes, self.crashes),
            (&mut bounds.rollbacks, self.rollbacks),
            (&mut bounds.partitions, self.partitions),
            (&mut bounds.elections, self.elections),
            (&mut bounds.ticks, self.ticks),
            (&mut bounds.paths, self.paths),
            (&mut bounds.rot, self.rot),
            (&mut bounds.lost_contents, self.lost_contents),
            (&mut bounds.trims, self.trims),
            (&mut bounds.replacements, self.replacements),
            (&mut bounds.drops, self.drops),
            (&mut bounds.duplicates, self.duplicates),
            (&mut changed.lost_links, self.lost_links),
        ];
        for (bound, asked) in changes {
            *bound = asked.unwrap_or(*bound);
        }
        let limits = &mut changed.limits;
        let changes = [
            (&mut limits.entries, self.entries),
            (&mut limits.bytes, self.bytes),
            (&mut limits.payloads, self.payloads),
            (&mut limits.window, self.window),
        ];
        for (limit, asked) in changes {
            *limit = asked.unwrap_or(*limit);
        }
        changed.network = self.network.unwrap_or(scope.network);
        if self.cold {
            changed.start = Start::Cold;
        }
        changed.one_way_cuts |= self.one_way_cuts;
        changed.link_events_apart |= self.link_events_apart;
        changed.pipelined_syncs |= self.pipelined_syncs;
        changed.named_contents |= self.named_contents;
        changed.guards_elections |= self.guards_elections;
        changed.forgets_deletes |= self.forgets_deletes;
        changed.forgets_requests |= self.forgets_requests;
        changed.own_incarnations |= self.own_incarnations;
        changed.validate().map_err(|it| it.to_string())?;
        changed.check_effects().map_err(|it| it.to_string())?;
        Ok(changed)
    }

    fn settings(&self, scope: &Scope) -> Result<Settings, String> {
        let own = scope.settings;
        let or =
            |asked: Option<u8>, own: usize| asked.unwrap_or(u8::try_from(own).unwrap_or(u8::MAX));
        let nodes = self.nodes.unwrap_or(own.nodes());
        Settings::new(nodes, or(self.elect, own.elect()), or(self.write, own.write()))
            .map_err(|it| it.to_string())
    }
}
