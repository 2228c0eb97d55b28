//! The rules of the surroundings that concern several nodes.

use steadfast_protocol::{ContentId, Decisions, NodeId, Packet, Replica, SessionId};
use steadfast_trace::{Network, Step, World};

use crate::{Node, NodeStorage};

/// A link event: one end of a connection has not seen yet that a session began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEvent {
    /// The end.
    pub node: NodeId,
    /// The other end.
    pub peer: NodeId,
    /// Whether a session begins; otherwise the session that this end has seen is over.
    pub is_up: bool,
}

impl LinkEvent {
    /// The step in which this end sees the event.
    #[must_use]
    pub fn step(self) -> Step {
        let LinkEvent { node, peer, is_up } = self;
        if is_up { Step::LinkUp { node, peer } } else { Step::LinkDown { node, peer } }
    }
}

/// Nodes with a network between them.
pub trait Cluster {
    /// The storage of the nodes.
    type Storage: NodeStorage;

    /// Connections, cuts and bounds.
    fn world(&self) -> &World;

    /// The kind of network between the nodes.
    fn network(&self) -> Network;

    /// The decisions with which the nodes run.
    fn decisions(&self) -> &dyn Decisions;

    /// All nodes, in the order of their ids.
    fn nodes(&self) -> impl Iterator<Item = &Node<Self::Storage>>;

    /// The node with this id.
    fn node(&self, node: NodeId) -> &Node<Self::Storage>;

    /// Whether a message is under way.
    fn has_messages(&self) -> bool;

    /// The replicas of the nodes that are up.
    fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes().filter_map(Node::replica)
    }

    /// Whether a node is up.
    fn is_up(&self, node: NodeId) -> bool {
        self.node(node).is_up()
    }

    /// Whether a node is up and has not halted.
    fn takes_part(&self, node: NodeId) -> bool {
        self.node(node).replica().is_some_and(Replica::takes_part)
    }

    /// Whether everything that a node appended is synced, and everything that it took is stored.
    fn is_at_rest(&self, node: NodeId) -> bool {
        self.node(node).storage().is_at_rest()
    }

    /// Whether a node is up, at rest, and a scrub finds no bad copy.
    fn is_still(&self, node: NodeId) -> bool {
        let node = self.node(node);
        node.is_up()
            && node.storage().is_at_rest()
            && node.undetected_rot(self.decisions()).next().is_none()
    }

    /// Whether the next tick of a node carries something where messages are lost.
    fn lags(&self, node: NodeId) -> bool {
        self.node(node).replica().is_some_and(Replica::lags)
    }

    /// The session with a peer that a node has seen begin and not end.
    fn session_seen(&self, node: NodeId, peer: NodeId) -> Option<SessionId> {
        self.node(node).replica()?.session(peer)
    }

    /// The ids of all nodes.
    fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes().map(Node::id)
    }

    /// The link events that a node has not seen yet.
    fn link_events(&self) -> impl Iterator<Item = LinkEvent> {
        self.ids().flat_map(|it| self.link_events_of(it))
    }

    /// The link events that one end has not heard yet.
    fn link_events_of(&self, node: NodeId) -> impl Iterator<Item = LinkEvent> {
        let peers = self.is_up(node).then(|| self.ids().filter(move |it| *it != node));
        peers.into_iter().flatten().filter_map(move |peer| {
            let seen = self.session_seen(node, peer);
            let is_news = seen != self.world().session(node, peer);
            is_news.then_some(LinkEvent { node, peer, is_up: seen.is_none() })
        })
    }

    /// Whether a message arrives and its receiver will accept it: no cut loses it, and it belongs to the
    /// session that the receiver has seen begin and not end, or will see begin.
    fn carries(&self, from: NodeId, to: NodeId, packet: &Packet) -> bool {
        let seen = self.session_seen(to, from);
        let is_taken = self.decisions().is_of_session(packet.session, seen);
        let alive = self.world().session(from, to);
        self.world().reaches(from, to) && (is_taken || alive == Some(packet.session))
    }

    /// Whether a message that arrives must wait until its receiver has seen the link-up of its session.
    fn waits_for_link_up(&self, from: NodeId, to: NodeId, packet: &Packet) -> bool {
        let seen = self.session_seen(to, from);
        self.decisions().waits_for_link_up() && seen != Some(packet.session)
    }

    /// Whether a question for a content makes a difference: a peer has a copy, or sent the message that waits
    /// for the content, and may have deleted the content since. A peer that wants the content itself would only
    /// answer that it lacks it. Otherwise all peers answer that it is gone until an election lets the node learn of the newer
    /// versions.
    fn is_worth_asking(&self, node: NodeId) -> bool {
        let Some(replica) = self.node(node).replica() else {
            return false;
        };
        let has_sent = |peer| replica.waiting().iter().any(|it| it.from == peer);
        let may_help = |peer: NodeId, content| {
            self.node(peer).replica().is_some_and(|it| {
                let wants = || it.wants().iter().any(|it| it.content == content);
                it.has_content(content) || (has_sent(peer) && !wants())
            })
        };
        let mut wants = replica.wants().iter();
        wants.any(|want| replica.linked().any(|peer| may_help(peer, want.content)))
    }

    /// The nodes whose next tick is progress, and therefore needs no bound: on networks other than FIFO,
    /// the nodes that lag while no message is under way and all storages are at rest. Nodes that ask for contents
    /// come first: a leader may send the same again until they have asked, and a schedule in which they never tick is
    /// not fair.
    fn due_ticks(&self) -> impl Iterator<Item = NodeId> {
        let is_due = self.network() != Network::Fifo
            && !self.has_messages()
            && self.ids().all(|it| self.is_at_rest(it));
        let ids = || is_due.then(|| self.ids()).into_iter().flatten();
        let asks = move |it| self.lags(it) && self.is_worth_asking(it);
        let nobody_asks = !ids().any(asks);
        let lags_in_role = |it| self.node(it).replica().is_some_and(Replica::lags_in_role);
        ids().filter(move |it| asks(*it) || (nobody_asks && self.lags(*it) && lags_in_role(*it)))
    }

    /// The copies of contents that a scrub finds bad, each with its node.
    fn undetected_rot(&self) -> impl Iterator<Item = (NodeId, ContentId)> {
        self.nodes().flat_map(|it| {
            let node = it.id();
            it.undetected_rot(self.decisions()).map(move |content| (node, content))
        })
    }

    /// Whether the copy of a node may go bad or get lost: another node has a good one, and has synced the
    /// entries of this node that name the content, or another entry if there are none. An entry that the node has not
    /// synced yet counts: for this entry its copy may be the only one.
    fn may_rot(&self, node: NodeId, content: ContentId) -> bool {
        let mut others = self.nodes().filter(|it| it.id() != node);
        others.any(|it| {
            let has_synced = |dot| it.synced_naming(content).any(|other| other == dot);
            it.vouches_for(content) && self.node(node).naming(content).all(has_synced)
        })
    }

    /// Whether the disk of a node may get lost: of every content that another node names, another node has a good
    /// copy. The lost node need not have one: its log may have held the entry that made the content obsolete.
    fn may_lose_disk(&self, node: NodeId) -> bool {
        let mut others = self.nodes().filter(|it| it.id() != node);
        others.all(|other| other.named().all(|it| self.may_rot(node, it)))
    }

    /// Whether only faults, time and clients can cause further steps: every node is up and at rest, no cut
    /// lasts, and no message, link event, due tick or undetected rot is left.
    fn is_quiet(&self) -> bool {
        self.world().cut.is_none() && self.is_quiet_in_cut()
    }

    /// As [`Cluster::is_quiet`], but a cut may last.
    fn is_quiet_in_cut(&self) -> bool {
        !self.has_messages()
            && self.ids().all(|it| self.is_still(it))
            && self.link_events().next().is_none()
            && self.due_ticks().next().is_none()
    }
}
