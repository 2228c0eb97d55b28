//! Steps: everything that can happen to a cluster.

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{Base, Content, ContentId, Dot, Entry, Intent, NodeId};

use crate::Cut;
use crate::cut::NODES_MAX;

/// The kind of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteKind {
    /// Puts a new content in the place of the visible version.
    Put,
    /// Deletes the visible version.
    Delete,
    /// Puts a new content in the place of all heads.
    Resolve,
    /// Restores a conflict version.
    Restore(Dot),
}

impl WriteKind {
    /// The intent and base of a client that sees these heads of the path, the visible one first. `content`
    /// is the new content of a put or a resolve; `None` if one of these has none.
    #[must_use]
    pub fn intent(self, heads: &[Entry], content: Option<Content>) -> Option<(Intent, Base)> {
        Some(match self {
            WriteKind::Put => (Intent::Put(content?), Base::Visible),
            WriteKind::Delete => (Intent::Delete, Base::Visible),
            WriteKind::Resolve => {
                let named = heads.iter().map(|head| head.dot).collect();
                (Intent::Put(content?), Base::Named(named))
            }
            WriteKind::Restore(dot) => (Intent::Restore(dot), Base::Visible),
        })
    }
}

/// Declares [`Step`] and [`StepKind`]: per kind its name in traces and reports, its variant, and the
/// fields of its steps.
macro_rules! steps {
    ($(
        $(#[$doc:meta])*
        $name:literal $kind:ident $(($inner:ty))? $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })?
    )*) => {
        /// One thing that happens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub enum Step {
            $(
                $(#[$doc])*
                #[serde(rename = $name)]
                $kind $(($inner))? $({ $($(#[$field_doc])* $field: $type,)* })?,
            )*
        }

        /// A kind of steps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StepKind {
            $($(#[$doc])* $kind,)*
        }

        impl StepKind {
            /// All kinds, each in the place of its number.
            pub const ALL: &'static [StepKind] = &[$(StepKind::$kind),*];

            /// How traces and reports call it.
            #[must_use]
            pub fn name(self) -> &'static str {
                [$($name),*][self as usize]
            }
        }

        impl Step {
            /// The kind of this step.
            #[must_use]
            pub fn kind(&self) -> StepKind {
                match self {
                    $(Step::$kind { .. } => StepKind::$kind,)*
                }
            }
        }
    };
}

steps! {
    /// A message arrives: the `nth` of those under way.
    "deliver" Deliver {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// Which one, from 0; in a FIFO network always the first.
        nth: u32,
    }
    /// A sync ends.
    "sync" Sync {
        /// The node.
        node: NodeId,
    }
    /// A received payload is turned into a content.
    "store" Store {
        /// The node.
        node: NodeId,
    }
    /// One end of a connection hears that it began.
    "link-up" LinkUp {
        /// The end.
        node: NodeId,
        /// The other end.
        peer: NodeId,
    }
    /// One end of a connection hears that it ended.
    "link-down" LinkDown {
        /// The end.
        node: NodeId,
        /// The other end.
        peer: NodeId,
    }
    /// A client writes.
    "write" Write {
        /// The node that the client asks.
        node: NodeId,
        /// The number of the path, from 0.
        path: u32,
        /// The kind of the write.
        kind: WriteKind,
    }
    /// A client repeats a request with an unknown outcome.
    "retry" Retry {
        /// The node that the client asks.
        node: NodeId,
        /// The number of the request.
        request: u64,
    }
    /// A client asks for a linearizable read.
    "read" Read {
        /// The node that the client asks.
        node: NodeId,
        /// The number of the path, from 0.
        path: u32,
    }
    /// An election timeout expires.
    "timeout" Timeout {
        /// The node.
        node: NodeId,
    }
    /// A heartbeat is due.
    "tick" Tick {
        /// The node.
        node: NodeId,
    }
    /// A node crashes. Of the unsynced records the first `kept` survive, and the next one half when
    /// `torn`.
    "crash" Crash {
        /// The node.
        node: NodeId,
        /// How many unsynced records survive.
        kept: u32,
        /// Whether the next one is half written.
        torn: bool,
    }
    /// A node starts again from its disk.
    "recover" Recover {
        /// The node.
        node: NodeId,
    }
    /// Messages in some directions are lost from now on.
    "cut" Cut(Cut)
    /// All cuts end.
    "heal" Heal
    /// A copy of a content goes bad unnoticed.
    "rot" Rot {
        /// The node.
        node: NodeId,
        /// The content.
        content: ContentId,
    }
    /// A node finds that a copy is bad.
    "scrub" Scrub {
        /// The node.
        node: NodeId,
        /// The content.
        content: ContentId,
    }
    /// A message is lost.
    "drop" Drop {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// Which one, from 0.
        nth: u32,
    }
    /// A message arrives and is still under way.
    "duplicate" Duplicate {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// Which one, from 0.
        nth: u32,
    }
    /// The log of a node that is down loses synced records at its end, as when an older copy of the
    /// disk is restored.
    "rollback" Rollback {
        /// The node.
        node: NodeId,
        /// The index of the last record that remains; on a wiped disk 1, the one that names the node.
        kept: u32,
    }
    /// The copy of a content is gone from the disk of a node that is down.
    "lose-content" LoseContent {
        /// The node.
        node: NodeId,
        /// The content.
        content: ContentId,
    }
    /// A node begins to write a checkpoint, which will replace the synced records of its log.
    "trim" Trim {
        /// The node.
        node: NodeId,
    }
    /// The checkpoint of a node is durable, and the node hears of it.
    "checkpoint" Checkpoint {
        /// The node.
        node: NodeId,
    }
    /// All nodes stop, those that are up by a crash that takes their unsynced records. The disk of one of them is lost,
    /// and gets a new log from those of all others.
    "replace" Replace {
        /// The node with the lost disk.
        node: NodeId,
    }
    /// A client reads the version that a node shows, whether the node leads or not.
    "stale-read" StaleRead {
        /// The node that the client asks.
        node: NodeId,
        /// The number of the path, from 0.
        path: u32,
    }
    /// The transfer of the oldest received payload ends in a way that the state of its base does not lead to: the
    /// content came although the base is bad, or it did not come because its sender has lost it or the
    /// connection. A search takes it where the sender no longer has a good copy.
    "transfer" Transfer {
        /// The node that received the payload.
        node: NodeId,
        /// Whether it has the content now.
        made: bool,
    }
}

impl Step {
    /// The node at which the step happens: for a message that arrives its receiver, for news of a link
    /// the end that hears it; `None` for a step of the network.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        match *self {
            Step::Deliver { to, .. } | Step::Duplicate { to, .. } => Some(to),
            Step::Drop { .. } | Step::Cut(_) | Step::Heal => None,
            Step::Sync { node }
            | Step::Store { node }
            | Step::Transfer { node, .. }
            | Step::LinkUp { node, .. }
            | Step::LinkDown { node, .. }
            | Step::Write { node, .. }
            | Step::Retry { node, .. }
            | Step::Read { node, .. }
            | Step::StaleRead { node, .. }
            | Step::Timeout { node }
            | Step::Tick { node }
            | Step::Crash { node, .. }
            | Step::Rollback { node, .. }
            | Step::Recover { node }
            | Step::Trim { node }
            | Step::Checkpoint { node }
            | Step::Replace { node }
            | Step::Rot { node, .. }
            | Step::LoseContent { node, .. }
            | Step::Scrub { node, .. } => Some(node),
        }
    }

    /// The same step with other nodes in the place of those that it names; `None` if one of them has no
    /// replacement. A cut stays the cut of a cluster of `nodes` nodes that loses the directions left of it.
    #[must_use]
    pub fn with_nodes(self, nodes: u8, moved: impl Fn(NodeId) -> Option<NodeId>) -> Option<Step> {
        let mut step = self;
        match &mut step {
            Step::Deliver { from, to, .. }
            | Step::Drop { from, to, .. }
            | Step::Duplicate { from, to, .. } => {
                (*from, *to) = (moved(*from)?, moved(*to)?);
            }
            Step::LinkUp { node, peer } | Step::LinkDown { node, peer } => {
                (*node, *peer) = (moved(*node)?, moved(*peer)?);
            }
            Step::Cut(cut) => {
                let lost = cut.lost(NODES_MAX).iter();
                let left = lost.filter_map(|(from, to)| Some((moved(from)?, moved(to)?)));
                *cut = Cut::of(left.collect(), nodes)?;
            }
            Step::Heal => {}
            Step::Sync { node }
            | Step::Store { node }
            | Step::Transfer { node, .. }
            | Step::Write { node, .. }
            | Step::Retry { node, .. }
            | Step::Read { node, .. }
            | Step::StaleRead { node, .. }
            | Step::Timeout { node }
            | Step::Tick { node }
            | Step::Crash { node, .. }
            | Step::Rollback { node, .. }
            | Step::Recover { node }
            | Step::Trim { node }
            | Step::Checkpoint { node }
            | Step::Replace { node }
            | Step::Rot { node, .. }
            | Step::LoseContent { node, .. }
            | Step::Scrub { node, .. } => *node = moved(*node)?,
        }
        Some(step)
    }

    /// Whether the step may begin or end connections by itself: a cut, its end, the crash or the recovery of a
    /// node, and a replacement, for which all nodes stop.
    #[must_use]
    pub fn changes_connections(&self) -> bool {
        match self {
            Step::Crash { .. } | Step::Recover { .. } | Step::Replace { .. } => true,
            _ => matches!(self, Step::Cut(_) | Step::Heal),
        }
    }

    /// Whether the step belongs to the continuation in which no fault and no client acts any
    /// more: such steps always run out (G12).
    #[must_use]
    pub fn is_progress(&self) -> bool {
        matches!(
            self.kind(),
            StepKind::Deliver
                | StepKind::Sync
                | StepKind::Store
                | StepKind::Transfer
                | StepKind::Checkpoint
                | StepKind::LinkUp
                | StepKind::LinkDown
                | StepKind::Scrub
        )
    }
}

/// The name of a path by number: a, b, ... z, and then p26, p27, ...
#[must_use]
pub(crate) fn path_name(path: u32) -> String {
    match u8::try_from(path) {
        Ok(path) if path < 26 => char::from(b'a' + path).to_string(),
        _ => format!("p{path}"),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Deliver { from, to, nth: 0 } => write!(f, "{from} -> {to}"),
            Step::Deliver { from, to, nth } => write!(f, "{from} -> {to} (number {nth})"),
            Step::Sync { node } => write!(f, "{node} syncs its log"),
            Step::Store { node } => write!(f, "{node} stores a received content"),
            Step::Transfer { node, made: true } => {
                write!(f, "{node} stores a received content, whose base is bad")
            }
            Step::Transfer { node, made: false } => {
                write!(f, "{node} does not get the content of a payload")
            }
            Step::LinkUp { node, peer } => write!(f, "{node} sees the link to {peer} come up"),
            Step::LinkDown { node, peer } => write!(f, "{node} sees the link to {peer} go down"),
            Step::Write { node, path, kind } => {
                let path = path_name(*path);
                match kind {
                    WriteKind::Put => write!(f, "client puts {path} at {node}"),
                    WriteKind::Delete => write!(f, "client deletes {path} at {node}"),
                    WriteKind::Resolve => write!(f, "client resolves {path} at {node}"),
                    WriteKind::Restore(dot) => {
                        write!(f, "client restores {dot} of {path} at {node}")
                    }
                }
            }
            Step::Retry { node, request } => {
                write!(f, "client repeats request {request} at {node}")
            }
            Step::Read { node, path } => write!(f, "client reads {} at {node}", path_name(*path)),
            Step::StaleRead { node, path } => {
                write!(f, "client reads the {} that {node} shows", path_name(*path))
            }
            Step::Timeout { node } => write!(f, "{node} times out"),
            Step::Tick { node } => write!(f, "{node} sends heartbeats"),
            Step::Crash { node, kept, torn } => {
                let torn = if *torn { " and a torn one" } else { "" };
                write!(f, "{node} CRASHES, {kept} unsynced records{torn} survive")
            }
            Step::Recover { node } => write!(f, "{node} recovers"),
            Step::Trim { node } => write!(f, "{node} begins to trim its log"),
            Step::Checkpoint { node } => write!(f, "the checkpoint of {node} is durable"),
            Step::Replace { node } => {
                write!(f, "ALL STOP, the disk of {node} is LOST, and it gets a log from the others")
            }
            Step::Cut(cut @ Cut::Around { one_way: true, .. }) => write!(f, "ONE-WAY CUT, {cut}"),
            Step::Cut(cut) => write!(f, "CUT {cut}"),
            Step::Heal => write!(f, "HEAL"),
            Step::Rot { node, content } => write!(f, "content {content} ROTS on {node}"),
            Step::LoseContent { node, content } => {
                write!(f, "content {content} is GONE from the disk of {node}")
            }
            Step::Scrub { node, content } => write!(f, "{node} finds its content {content} bad"),
            Step::Drop { from, to, nth } => write!(f, "LOST {from} -> {to} (number {nth})"),
            Step::Rollback { node, kept } => {
                write!(f, "the log of {node} is ROLLED BACK to its first {kept} records")
            }
            Step::Duplicate { from, to, nth } => write!(f, "TWICE {from} -> {to} (number {nth})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use steadfast_protocol::NodeSet;

    use super::*;
    use crate::Directions;

    fn without(step: Step, gone: u8, nodes: u8) -> Option<Step> {
        step.with_nodes(nodes, |it| match it.0.cmp(&gone) {
            std::cmp::Ordering::Less => Some(it),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(NodeId(it.0 - 1)),
        })
    }

    #[test]
    fn a_cut_of_a_smaller_cluster_loses_what_is_left_of_it() {
        let cut = |pairs: &[(u8, u8)]| {
            let lost: Directions = pairs.iter().map(|it| (NodeId(it.0), NodeId(it.1))).collect();
            Step::Cut(Cut::Links { lost })
        };
        let of_four = cut(&[(0, 3), (3, 0), (1, 2)]);
        assert_eq!(without(of_four, 2, 3), Some(cut(&[(0, 2), (2, 0)])));
        assert_eq!(without(of_four, 0, 3), Some(cut(&[(0, 1)])));
        assert_eq!(without(cut(&[(0, 1)]), 1, 2), None);
        // Of two nodes every cut is a split.
        let split = Cut::Around { side: NodeSet::from_bits(1), one_way: true };
        assert_eq!(without(cut(&[(0, 2)]), 1, 2), Some(Step::Cut(split)));
    }

    #[test]
    fn what_happens_to_the_network_has_no_node() {
        let (from, to) = (NodeId(0), NodeId(1));
        assert_eq!(Step::Heal.node(), None);
        assert_eq!(Step::Drop { from, to, nth: 0 }.node(), None);
        assert_eq!(Step::Deliver { from, to, nth: 0 }.node(), Some(to));
        assert_eq!(Step::LinkUp { node: from, peer: to }.node(), Some(from));
    }
}
