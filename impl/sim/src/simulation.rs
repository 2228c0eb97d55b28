//! The simulation: a cluster, its future and its past.

use std::fmt;
use std::time::Duration;

use steadfast_guarantees::{ClusterView, GuaranteeId, History, guarantees, holds};
use steadfast_node::{Cluster, NodeStorage, Output};
use steadfast_protocol::{
    Change, Content, ContentId, Dot, Input, NodeId, NodeSet, Path, Replica, Role,
};
use steadfast_trace::{Network as Kind, Step, Trace};

use crate::agenda::{Agenda, Event};
use crate::contents::{Contents, are_equal};
use crate::happening::Happening;
use crate::judge::{Judge, View};
use crate::narrator::Narrator;
use crate::network::{Network, Scene};
use crate::nodes::Nodes;
use crate::random::Chance;
use crate::recorder::Recorder;
use crate::timeline::Timeline;
use crate::{Footprint, Ledger, Plan, Random, Setup, Time};

/// A function that is called after every step. It moves to another thread with its simulation.
pub type Observer = Box<dyn FnMut(&Step, &Simulation) + Send>;

/// A simulated cluster.
///
/// The same [`Setup`] and the same calls give the same run, byte for byte, on every machine.
///
/// A fault of a node that the cluster does not have changes nothing, as does one that the state of
/// the node rules out: a crash of a node that is down, for example. A request at such a node is
/// refused, and queries about it return nothing.
///
/// A simulation can move between threads and uses none itself: its [`Observer`] is `Send`, as are all
/// its parts.
pub struct Simulation {
    pub(crate) setup: Setup,
    pub(crate) agenda: Agenda,
    pub(crate) nodes: Nodes,
    pub(crate) network: Network,
    pub(crate) contents: Contents,
    pub(crate) history: History,
    pub(crate) judge: Judge,
    pub(crate) recorder: Recorder,
    pub(crate) narrator: Narrator,
    pub(crate) ledger: Ledger,
    pub(crate) observer: Option<Observer>,
    /// Memory for the outputs of a node; empty between inputs.
    pub(crate) outputs: Vec<Output>,
}

/// How many timeouts of one node it takes at most to elect a leader once faults have ended.
const TIMEOUTS_MAX: u32 = 2;
/// How many heartbeats or timeouts may be needed where messages are lost.
const LOSSY_ROUNDS_MAX: u32 = 1_000;
/// After this many heartbeats or timeouts, a cluster that cannot finish until a halted node is replaced
/// is left as it is.
const ROUNDS_WITHOUT_REPLACEMENT: u32 = 50;
/// How many events may be under way once faults have ended.
const EVENTS_MAX: u32 = 1_000_000;

/// A cluster that did not come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// The work that is under way does not end.
    #[error("{EVENTS_MAX} events after the last fault the cluster is still at work")]
    NeverEnds,
    /// Nothing is under way any more, and the cluster has no leader or has not finished.
    #[error("nothing is under way any more, and yet the cluster is not at rest")]
    NotAtRest,
}

impl fmt::Debug for Simulation {
    /// The setup in short, and where the run is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Simulation");
        shown.field("name", &self.setup.name).field("seed", &self.setup.seed);
        shown.field("settings", &self.setup.settings).field("now", &self.now());
        shown.field("up", &self.up()).field("leader", &self.leader());
        shown.field("broken", &self.broken()).finish_non_exhaustive()
    }
}

impl Simulation {
    /// A cluster whose nodes have just started for the first time.
    #[must_use]
    pub fn new(setup: Setup) -> Simulation {
        let nodes = Nodes::new(&setup);
        let mut simulation = Simulation {
            agenda: Agenda::default(),
            network: Network::new(&setup),
            contents: Contents::default(),
            history: History::new(true, true),
            judge: Judge::new(setup.judges_steps),
            recorder: Recorder::new(setup.judges_steps),
            narrator: Narrator::default(),
            ledger: Ledger::default(),
            observer: None,
            outputs: Vec::new(),
            nodes,
            setup,
        };
        let skewed = simulation.nodes.iter().filter(|it| it.clock_per_mille != 1_000);
        simulation.ledger.skewed = skewed.count() as u64;
        simulation.begin();
        simulation
    }

    /// Calls an observer after every step from now on.
    pub fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
    }

    /// The connections that the model begins with, seen by both ends at once; and the nodes begin
    /// to wait for a leader.
    fn begin(&mut self) {
        self.network.refresh_links(&self.setup, &self.nodes);
        for node in NodeId::all(self.setup.settings.nodes()) {
            for peer in NodeId::all(self.setup.settings.nodes()).filter(|it| *it != node) {
                if let Some(session) = self.network.world.session(node, peer) {
                    self.nodes[node].exchanges[peer.index()].connect(session);
                    self.hear(node, Input::LinkUp { peer, session });
                }
            }
            self.reset_election_timer(node);
            self.reset_heartbeat_timer(node);
        }
        self.judge.begin(&self.nodes);
        self.narrator.begin(&self.nodes);
    }

    /// The cluster that was asked for.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.agenda.now()
    }

    /// The state machine of a node that is up.
    #[must_use]
    pub fn replica(&self, node: NodeId) -> Option<&Replica> {
        self.nodes.get(node)?.node.replica()
    }

    /// The nodes that are up.
    #[must_use]
    pub fn up(&self) -> NodeSet {
        self.nodes.replicas().map(Replica::id).collect()
    }

    /// The nodes that are up and have not halted.
    #[must_use]
    pub fn taking_part(&self) -> NodeSet {
        self.nodes.roles().participants
    }

    /// Whether the other nodes cannot finish until a halted node is replaced: they are too few to elect
    /// or to acknowledge, or one of them wants a content that none of them has.
    fn needs_replacement(&self) -> bool {
        let (settings, remaining) = (self.setup.settings, self.taking_part().len());
        let is_short = remaining < settings.elect().max(settings.write());
        let view = self.view();
        let view: &dyn ClusterView = &view;
        remaining < self.up().len() && (is_short || view.lacks_content_of_a_halted_node())
    }

    /// The node that leads the newest epoch, of those that are up and believe that they lead.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        let leaders = self.nodes.replicas().filter(|it| it.leads());
        leaders.max_by_key(|it| it.promise()).map(Replica::id)
    }

    /// Whether a node is up and believes that it leads.
    #[must_use]
    pub fn leads(&self, node: NodeId) -> bool {
        self.replica(node).is_some_and(Replica::leads)
    }

    /// How many records a node has appended and not synced.
    #[must_use]
    pub fn unsynced(&self, node: NodeId) -> usize {
        self.nodes.get(node).map_or(0, |it| it.node.storage().unsynced())
    }

    /// How often a node has started again.
    #[must_use]
    pub fn starts(&self, node: NodeId) -> u64 {
        self.nodes.get(node).map_or(0, |it| it.life)
    }

    /// The bytes of the version of a file that a node shows; `None` if there is none, it is
    /// deleted, or the node has no good copy of its content.
    #[must_use]
    pub fn shown(&self, node: NodeId, path: &str) -> Option<&[u8]> {
        match &self.replica(node)?.files().visible(&Path::new(path))?.change {
            Change::Put(Content::Inline(bytes)) => Some(bytes),
            Change::Put(Content::Named(content)) => self.read_content(node, *content),
            Change::Delete => None,
        }
    }

    /// How many versions of a file a node keeps: the visible one and the listed conflicts.
    #[must_use]
    pub fn versions(&self, node: NodeId, path: &str) -> usize {
        self.replica(node).map_or(0, |it| it.files().heads(&Path::new(path)).len())
    }

    /// The versions of a file that a node lists as conflicts, newest first.
    #[must_use]
    pub fn conflicts(&self, node: NodeId, path: &str) -> Vec<Dot> {
        let heads = self.replica(node).map(|it| it.files().heads(&Path::new(path)));
        heads.into_iter().flatten().skip(1).map(|it| it.dot).collect()
    }

    /// The requests of clients and their answers.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The number of contents on the disk of a node, with good copies or bad ones.
    #[must_use]
    pub fn contents(&self, node: NodeId) -> usize {
        self.nodes.get(node).map_or(0, |it| it.node.storage().contents().count())
    }

    /// The space that a node takes; none if the cluster has no such node.
    #[must_use]
    pub fn footprint(&self, node: NodeId) -> Footprint {
        self.nodes.get(node).map_or_else(Footprint::default, |it| it.node.storage().footprint())
    }

    /// The bytes of a content as a client reads them at a node, verified by the node's store and compared with
    /// those that a client brought: nothing rather than a bad copy.
    #[must_use]
    pub fn read_content(&self, node: NodeId, content: ContentId) -> Option<&[u8]> {
        let read = self.nodes.get(node)?.node.storage().read(content).ok()?;
        let brought = self.contents.get(content)?;
        are_equal(&read, brought).then_some(&**brought)
    }

    /// Counts of the faults injected and the events reached so far.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The run so far in words, if the setup says that it is narrated.
    pub fn timeline(&mut self) -> &Timeline {
        self.narrator.timeline(&self.contents)
    }

    /// The guarantees that were broken, each with the moment.
    #[must_use]
    pub fn broken(&self) -> &[(GuaranteeId, Time)] {
        self.judge.broken()
    }

    /// The cluster as the guarantees see it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::of(self.scene(), &self.history)
    }

    /// Evaluates every guarantee on the present state. Says which are promised and do not hold.
    #[must_use]
    pub fn violated(&self) -> Vec<GuaranteeId> {
        let ids = guarantees().iter().map(|it| it.id());
        let promised = ids.filter(|it| it.guarantee().is_promised(self.setup.settings));
        promised.filter(|it| !holds(*it, &self.view())).collect()
    }

    /// Lets something happen later.
    pub fn plan(&mut self, after: Duration, plan: Plan) {
        self.agenda.add(self.agenda.now() + after, Event::Planned(Box::new(plan)));
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.agenda.now() + duration;
        while self.agenda.next_time().is_some_and(|time| time <= end) {
            self.advance();
        }
        self.agenda.pass_to(end);
    }

    /// Lets time pass until a condition holds; says whether it did before this long was over.
    pub fn run_until(&mut self, limit: Duration, condition: impl Fn(&Simulation) -> bool) -> bool {
        let end = self.agenda.now() + limit;
        while !condition(self) {
            if self.agenda.next_time().is_none_or(|time| time > end) {
                self.agenda.pass_to(end);
                return condition(self);
            }
            self.advance();
        }
        true
    }

    /// Ends all faults and lets the cluster come to rest, as G12 promises: the messages, syncs and link
    /// events under way run out by themselves, and if no node leads then, timeouts of one node are
    /// enough. Heartbeat and election timers rest meanwhile, and plans that are still to come are given
    /// up.
    ///
    /// # Errors
    /// The cluster does not come to rest.
    pub fn settle(&mut self) -> Result<(), Unsettled> {
        self.agenda.give_up_plans();
        self.nodes.spare_all();
        self.heal();
        for node in NodeId::all(self.setup.settings.nodes()) {
            self.recover(node);
        }
        self.agenda.rest_timers(true);
        let result = self.come_to_rest();
        self.agenda.rest_timers(false);
        for node in NodeId::all(self.setup.settings.nodes()) {
            self.reset_heartbeat_timer(node);
            self.reset_election_timer(node);
        }
        result
    }

    fn come_to_rest(&mut self) -> Result<(), Unsettled> {
        let was_rolled_back = !self.history().rolled_back().is_empty();
        let [mut timeouts_left, mut heartbeats_left] = match (self.is_ordered(), was_rolled_back) {
            (true, false) => [TIMEOUTS_MAX, 0],
            // Nodes may halt one after the other, each while it asks for votes, and each may be a
            // leader that learns only by its next heartbeat that it was deposed.
            (true, true) => [TIMEOUTS_MAX, 1].map(|it| it * u32::from(self.setup.settings.nodes())),
            (false, _) => [LOSSY_ROUNDS_MAX; 2],
        };
        let mut rounds = 0;
        loop {
            self.run_out()?;
            rounds += 1;
            if rounds > ROUNDS_WITHOUT_REPLACEMENT && self.needs_replacement() {
                return Ok(());
            }
            let deposed = self.nodes.replicas().filter(|it| self.is_deposed(it)).map(Replica::id);
            let lagging: NodeSet = self.scene().due_ticks().chain(deposed).collect();
            if !lagging.is_empty() && heartbeats_left > 0 {
                heartbeats_left -= 1;
                lagging.iter().for_each(|node| self.happen(Happening::Tick { node }));
            } else if self.leader().is_none() && timeouts_left > 0 {
                timeouts_left -= 1;
                self.taking_part()
                    .iter()
                    .take(1)
                    .for_each(|node| self.happen(Happening::Timeout { node }));
            } else if self.is_settled() || self.needs_replacement() {
                return Ok(());
            } else {
                return Err(Unsettled::NotAtRest);
            }
        }
    }

    /// Lets everything that is under way happen.
    fn run_out(&mut self) -> Result<(), Unsettled> {
        for _ in 0..EVENTS_MAX {
            if !self.advance() {
                return Ok(());
            }
        }
        Err(Unsettled::NeverEnds)
    }

    /// Whether nothing can happen any more but faults, time and clients.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.scene().is_quiet()
    }

    /// Whether a leader has yet to hear, at its next heartbeat, that a newer epoch was promised: the
    /// node that led it has forgotten that together with a part of its log.
    fn is_deposed(&self, leader: &Replica) -> bool {
        let mut others = self.nodes.replicas().filter(|it| it.takes_part());
        !self.history().rolled_back().is_empty()
            && leader.leads()
            && others.any(|it| it.promise() > leader.promise())
    }

    fn is_idle(&self) -> bool {
        self.is_quiet() && self.nodes.replicas().all(Replica::is_idle)
    }

    /// Whether the cluster has one leader and nothing is left to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let is_led = |it: &&Replica| matches!(it.role(), Role::Leader(_));
        self.is_idle() && self.nodes.replicas().filter(is_led).count() == 1
    }

    /// The run as a trace, which `check replay` can follow. It has no steps if the setup says that they are
    /// not judged.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let breaks = guarantees().iter().map(|it| it.id());
        let breaks = breaks.filter(|it| !holds(*it, &self.view())).map(|it| it.short().to_owned());
        self.recorder.trace(&self.setup, breaks.collect())
    }

    /// A digest of every step of the trace.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.recorder.digest()
    }

    /// Nodes and network together.
    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene::of(&self.setup, &self.nodes, &self.network)
    }

    /// The random numbers for one respect, at the place that these numbers name, at this moment. They
    /// depend on no earlier draw, so that a schedule from which a plan is left out goes on as before
    /// wherever the plan has no influence.
    pub(crate) fn random<const N: usize>(&self, chance: Chance, at: [u8; N]) -> Random {
        let place = at.into_iter().fold(1, |place, number| place << 8 | u64::from(number));
        Random::of(self.setup.seed, [chance as u64, place, self.agenda.now().micros])
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.setup.network == Kind::Fifo
    }
}
