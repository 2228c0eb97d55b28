//! The facts about a node that other threads may read at any time.

use steadfast_node::{Node, NodeStorage};
use steadfast_protocol::{
    Counter, Epoch, Files, Halt, LogIndex, NodeId, Role, VersionVector, first_index,
};

use crate::disk::NodeStore;

/// What a node does in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoleName {
    Follower,
    PreCandidate,
    Candidate,
    Leader,
    Halted,
}

/// A node's view of a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerFacts {
    pub id: NodeId,
    pub is_connected: bool,
    /// The entries that the peer has acknowledged to this leader.
    pub acked: Option<VersionVector>,
}

/// A consistent picture of a node. The files are persistent maps, so that taking it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub role: RoleName,
    pub halt: Option<Halt>,
    pub epoch: Epoch,
    /// The leader, as far as the node knows.
    pub leader: Option<NodeId>,
    /// The files of the synced entries.
    pub files: Files,
    /// The highest Lamport counter logged.
    pub clock: Counter,
    /// The synced entries.
    pub vv: VersionVector,
    /// For each origin, the entries up to which the log holds heads only.
    pub floor: VersionVector,
    pub log_first: LogIndex,
    pub log_last: LogIndex,
    pub log_synced: LogIndex,
    /// The bytes of the log on disk, in whole segments.
    pub log_bytes: u64,
    pub peers: Vec<PeerFacts>,
    /// How many contents the node lacks and asks for.
    pub contents_missing: usize,
    /// How many messages wait for contents.
    pub messages_waiting: usize,
}

impl Facts {
    /// The facts about a node that is up.
    pub(crate) fn of(node: &Node<NodeStore>) -> Option<Facts> {
        let replica = node.replica()?;
        let own = node.id();
        let (role, leader) = match replica.role() {
            Role::Leader(_) => (RoleName::Leader, Some(own)),
            Role::Candidate(_) => (RoleName::Candidate, None),
            Role::PreCandidate(_) => (RoleName::PreCandidate, None),
            Role::Follower(following) => (RoleName::Follower, following.leader),
        };
        let halt = replica.halted().copied();
        let (role, leader) = if halt.is_some() { (RoleName::Halted, None) } else { (role, leader) };
        let acked = |peer: NodeId| match replica.role() {
            Role::Leader(leadership) => leadership.peers.get(peer.index())?.acked,
            _ => None,
        };
        let peers = replica.peers().map(|id| PeerFacts {
            id,
            is_connected: replica.session(id).is_some(),
            acked: acked(id),
        });
        let (_, log_bytes) = node.storage().log_bytes();
        Some(Facts {
            role,
            halt,
            epoch: replica.promise(),
            leader,
            files: replica.files().clone(),
            clock: replica.log().fold().counter(),
            vv: *replica.synced_vv(),
            floor: *replica.log().floor(),
            log_first: first_index(node.storage().records()),
            log_last: replica.log().length(),
            log_synced: replica.synced(),
            log_bytes,
            peers: peers.collect(),
            contents_missing: replica.wants().len(),
            messages_waiting: replica.waiting().len(),
        })
    }

    /// Whether the node serves clients: it leads, or knows who does.
    pub(crate) fn is_ready(&self) -> bool {
        self.leader.is_some()
    }
}
