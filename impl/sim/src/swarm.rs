//! Random schedules: a cluster, a workload and faults, all from one seed.
//!
//! Each seed switches whole classes of requests and faults on and off (Groce, Zhang, Eide, Chen and
//! Regehr, "Swarm Testing", ISSTA 2012, section 2): a request or fault that is always there
//! hides the defects that show only without it.

use std::num::{NonZeroU32, NonZeroU64};
use std::ops::RangeInclusive;
use std::time::Duration;

use steadfast_guarantees::twins::Variant;
use steadfast_protocol::{NodeId, NodeSet, Settings};
use steadfast_trace::{Cut, Directions, Network};

use crate::random::Chance;
use crate::{Plan, Random, Schedule, Setup};

/// In how many runs of a thousand a log is rolled back.
const ROLLBACK_PER_MILLE: u16 = 50;

/// In how many runs of a thousand cuts lose single links.
const LOST_LINKS_PER_MILLE: u16 = 150;
/// In how many runs of a thousand disks hang.
const HUNG_DISKS_PER_MILLE: u16 = 100;
/// In how many runs of a thousand disks are full for a while.
const FULL_DISKS_PER_MILLE: u16 = 50;
/// In how many runs of a thousand links are slow.
const SLOW_LINKS_PER_MILLE: u16 = 150;
/// In how many runs of a thousand copies of contents get lost while a node is down.
const LOST_CONTENTS_PER_MILLE: u16 = 100;
/// The largest number of files.
const PATHS_MAX: u8 = 3;
/// In how many runs of a thousand clients read stale versions.
const STALE_READS_PER_MILLE: u16 = 300;
/// In how many runs of a thousand logs are trimmed.
const TRIMS_PER_MILLE: u16 = 500;
/// In how many runs of a thousand a disk is lost and replaced.
const REPLACEMENTS_PER_MILLE: u16 = 150;

impl Schedule {
    /// The schedule of a seed.
    #[must_use]
    pub fn of(seed: u64, variant: Option<&'static Variant>) -> Schedule {
        let mut random = Random::new(seed);
        let setup = Setup { variant, ..setup(seed, &mut random) };
        let mut draft = Draft::new(setup, random);
        for add in [
            Draft::add_crashes,
            Draft::add_cuts,
            Draft::add_one_way_cuts,
            Draft::add_timeouts,
            Draft::add_rot,
        ] {
            if draft.random.chance(500) {
                add(&mut draft);
            }
        }
        draft.add_requests();
        draft.maybe_add_rollback(seed);
        draft.maybe_add_lasting_faults(seed);
        draft.maybe_add_lost_contents(seed);
        draft.maybe_add_stale_reads(seed);
        draft.maybe_add_trims(seed);
        draft.maybe_add_replacement(seed);
        draft.schedule.plans.sort();
        draft.schedule
    }
}

fn millis(random: &mut Random, range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(random.within(range))
}

fn one_of<T: Copy, const N: usize>(random: &mut Random, choices: [T; N]) -> T {
    choices[random.below(N)]
}

fn setup(seed: u64, random: &mut Random) -> Setup {
    let nodes: u8 = if random.chance(700) { 3 } else { 5 };
    let majority = nodes / 2 + 1;
    let mut quorum = || 1 + random.below_u8(nodes);
    let (elect, write) = (quorum(), quorum());
    // Most races are about majorities.
    let (elect, write) = if random.chance(400) { (majority, majority) } else { (elect, write) };
    let settings = Settings::new(nodes, elect, write)
        .unwrap_or_else(|error| unreachable!("1 to N votes and copies are legal: {error}"));
    let mut setup = Setup { name: format!("seed-{seed}"), ..Setup::new(settings, random.bits()) };
    setup.narrated = false;
    choose_speeds(&mut setup, random);
    choose_network(&mut setup, random);
    setup.records_per_batch = [1, usize::MAX][random.below(2)];
    choose_rules(&mut setup, &mut Random::of(seed, [Chance::Rules as u64]));
    setup
}

/// Whether elections are guarded, whether deletes and requests are forgotten, and narrow limits in half of the runs:
/// entries that otherwise fit into one message then take several.
fn choose_rules(setup: &mut Setup, random: &mut Random) {
    setup.guards_elections = random.chance(500);
    let mut narrow = |limit: &mut NonZeroU32| {
        if random.chance(500) {
            *limit = NonZeroU32::MIN.saturating_add([0, 1, 3][random.below(3)]);
        }
    };
    narrow(&mut setup.limits.entries);
    narrow(&mut setup.limits.payloads);
    narrow(&mut setup.limits.window);
    setup.forgets_deletes = random.chance(500);
    setup.forgets_requests = random.chance(250);
}

/// How fast everything is: slow messages, slow disks and impatient nodes each make other races
/// likely.
fn choose_speeds(setup: &mut Setup, random: &mut Random) {
    let up_to = |slowest| Duration::from_micros(100)..=Duration::from_millis(slowest);
    let (latency, sync) = [(1, 1), (5, 10), (40, 1), (40, 50), (1, 50)][random.below(5)];
    setup.latency = up_to(latency);
    setup.sync = up_to(sync);
    setup.store = up_to(one_of(random, [1, 10, 50]));
    setup.link_event = Duration::from_millis(1)..=Duration::from_millis(one_of(random, [1, 50]));
    setup.heartbeat = Duration::from_millis(one_of(random, [20, 50, 50, 200]));
    let shortest = setup.heartbeat * one_of(random, [1, 3, 3, 10]);
    setup.election_timeout = shortest..=shortest * 2;
    if random.chance(500) {
        setup.clock_drift_per_mille = one_of(random, [10, 50, 300, 800]);
    }
}

fn choose_network(setup: &mut Setup, random: &mut Random) {
    let per_mille = |random: &mut Random| [0, 10, 100, 300][random.below(4)];
    match random.below(10) {
        0..=5 => {}
        6 => setup.network = Network::Unordered,
        _ => {
            setup.network = Network::Lossy;
            setup.loss_per_mille = per_mille(random);
            setup.duplication_per_mille = per_mille(random);
        }
    }
}

/// The requests of clients besides puts.
type Request = fn(u32) -> Plan;

const REQUESTS: [Request; 6] = [
    |path| Plan::Read { path },
    |path| Plan::Read { path },
    |path| Plan::Delete { path },
    |path| Plan::Resolve { path },
    |path| Plan::Restore { path },
    |_| Plan::Retry,
];

/// A schedule that is being made up.
///
/// Races need things that happen close together, at the same node: of two faults the second often
/// comes just after the first one began or ended.
struct Draft {
    schedule: Schedule,
    random: Random,
    /// Moments near which other things happen; none if all moments are alike.
    anchors: Vec<Duration>,
    /// How near: as long as a message and a sync take, or a few times that.
    rush: Duration,
    /// How long crashes and cuts last at most.
    outage: Duration,
    /// The node that has the bad luck.
    victim: NodeId,
}

impl Draft {
    fn new(setup: Setup, mut random: Random) -> Draft {
        let length = millis(&mut random, 300..=3_000);
        let count = [0, 1, 2, 4][random.below(4)];
        let anchors = (0..count).map(|_| random.duration(&(Duration::ZERO..=length))).collect();
        let round = *setup.latency.end() + *setup.sync.end();
        let rush = round * [1, 2, 5][random.below(3)];
        let outages = [rush, rush * 3, Duration::from_millis(200), Duration::from_secs(1)];
        let nodes = setup.settings.nodes();
        Draft {
            victim: NodeId(random.below_u8(nodes)),
            outage: outages[random.below(outages.len())],
            rush,
            schedule: Schedule { setup, plans: Vec::new(), length },
            random,
            anchors,
        }
    }

    fn add(&mut self, at: Duration, plan: Plan) {
        self.schedule.plans.push((at, plan));
    }

    /// Adds a fault with its end; other things may happen near both.
    fn add_outage(&mut self, begins: Plan, ends: Plan) {
        let from = self.moment();
        let to = from + self.random.duration(&(Duration::from_millis(1)..=self.outage));
        self.add(from, begins);
        self.add(to, ends);
        if !self.anchors.is_empty() {
            self.anchors.extend([from, to]);
        }
    }

    fn moment(&mut self) -> Duration {
        let anchor = self.random.pick(&self.anchors).copied();
        match anchor.filter(|_| self.random.chance(800)) {
            Some(anchor) => anchor + self.random.duration(&(Duration::ZERO..=self.rush)),
            None => self.random.duration(&(Duration::ZERO..=self.schedule.length)),
        }
    }

    fn node(&mut self) -> NodeId {
        if self.random.chance(300) {
            return self.victim;
        }
        NodeId(self.random.below_u8(self.schedule.setup.settings.nodes()))
    }

    fn add_requests(&mut self) {
        let paths = 1 + self.random.below_u8(PATHS_MAX);
        let sizes: &[usize] =
            [&[12][..], &[300, 2_000], &[12, 12, 300, 2_000]][self.random.below(3)];
        let others: Vec<Request> =
            REQUESTS.into_iter().filter(|_| self.random.chance(500)).collect();
        for _ in 0..self.random.within(5..=60) {
            let path = self.random.below_u8(paths).into();
            let bytes = sizes[self.random.below(sizes.len())];
            let other = self.random.pick(&others).copied().filter(|_| self.random.chance(500));
            let plan = other.map_or(Plan::Put { path, bytes }, |request| request(path));
            let at = self.moment();
            self.add(at, plan);
        }
    }

    fn add_crashes(&mut self) {
        for _ in 0..self.random.within(1..=4) {
            let node = self.node();
            let in_sync = self.random.chance(500);
            let crash = if in_sync { Plan::CrashInSync { node } } else { Plan::Crash { node } };
            self.add_outage(crash, Plan::Recover { node });
        }
    }

    fn add_cuts(&mut self) {
        self.add_cuts_of(false);
    }

    fn add_one_way_cuts(&mut self) {
        self.add_cuts_of(true);
    }

    fn add_cuts_of(&mut self, one_way: bool) {
        // A schedule has 3 or 5 nodes.
        let everyone = (1_u8 << self.schedule.setup.settings.nodes()) - 1;
        for _ in 0..self.random.within(1..=4) {
            let side = NodeSet::from_bits(1 + self.random.below_u8(everyone - 1));
            self.add_outage(Plan::Cut(Cut::Around { side, one_way }), Plan::Heal);
        }
    }

    /// In few runs a log is rolled back once, to an earlier length or to nothing: from then on several
    /// guarantees are not promised any more. It is left to chance of its own, so that a seed does
    /// the same as without it until then.
    fn maybe_add_rollback(&mut self, seed: u64) {
        let mut random = Random::of(seed, [Chance::Rollback as u64]);
        // Where single messages are lost, a leader may not hear that a node has forgotten entries of
        // others, and does not know that it must ask again before its next heartbeat.
        let is_ordered = self.schedule.setup.network == Network::Fifo;
        if !is_ordered || !random.chance(ROLLBACK_PER_MILLE) {
            return;
        }
        std::mem::swap(&mut self.random, &mut random);
        let (node, is_wiped) = (self.node(), self.random.chance(300));
        let [one, other] = [self.moment(), self.moment()];
        if !is_wiped {
            self.add(one.min(other), Plan::BackUp { node });
        }
        let down = self.random.duration(&(Duration::from_millis(1)..=self.outage));
        self.add(one.max(other), Plan::RollBack { node });
        self.add(one.max(other) + down, Plan::Recover { node });
        if self.random.chance(700) {
            self.add_reuse(node, one.max(other) + down);
        }
        std::mem::swap(&mut self.random, &mut random);
    }

    /// In some runs copies of contents get lost while a node is down. This is left to chance of its
    /// own, too.
    fn maybe_add_lost_contents(&mut self, seed: u64) {
        let mut random = Random::of(seed, [Chance::LoseContent as u64]);
        if !random.chance(LOST_CONTENTS_PER_MILLE) {
            return;
        }
        std::mem::swap(&mut self.random, &mut random);
        for _ in 0..self.random.within(1..=3) {
            let node = self.node();
            self.add_outage(Plan::LoseContent { node }, Plan::Recover { node });
        }
        std::mem::swap(&mut self.random, &mut random);
    }

    /// In some runs clients read stale versions at any node. This is left to chance of its own, too.
    fn maybe_add_stale_reads(&mut self, seed: u64) {
        let mut random = Random::of(seed, [Chance::StaleReads as u64]);
        if !random.chance(STALE_READS_PER_MILLE) {
            return;
        }
        std::mem::swap(&mut self.random, &mut random);
        for _ in 0..self.random.within(1..=20) {
            let (at, node) = (self.moment(), self.node());
            let path = self.random.below_u8(PATHS_MAX).into();
            self.add(at, Plan::StaleRead { node, path });
        }
        std::mem::swap(&mut self.random, &mut random);
    }

    /// In half of the runs logs are trimmed. This is left to chance of its own, too.
    fn maybe_add_trims(&mut self, seed: u64) {
        let mut random = Random::of(seed, [Chance::Trims as u64]);
        if !random.chance(TRIMS_PER_MILLE) {
            return;
        }
        std::mem::swap(&mut self.random, &mut random);
        for _ in 0..self.random.within(1..=10) {
            let (at, node) = (self.moment(), self.node());
            self.add(at, Plan::Trim { node });
        }
        std::mem::swap(&mut self.random, &mut random);
    }

    /// In some runs all nodes stop once or twice, and one of them gets a new disk. This is left to chance of its own, too.
    fn maybe_add_replacement(&mut self, seed: u64) {
        let mut random = Random::of(seed, [Chance::Replacement as u64]);
        if !random.chance(REPLACEMENTS_PER_MILLE) {
            return;
        }
        std::mem::swap(&mut self.random, &mut random);
        for _ in 0..self.random.within(1..=2) {
            let (at, node) = (self.moment(), self.node());
            self.add(at, Plan::Replace { node });
            for node in NodeId::all(self.schedule.setup.settings.nodes()) {
                let starts = self.random.duration(&(Duration::from_millis(1)..=self.outage));
                self.add(at + starts, Plan::Recover { node });
            }
        }
        std::mem::swap(&mut self.random, &mut random);
    }

    /// A node whose log was rolled back starts again, cut off from the nodes that could show it the
    /// rollback, and writes: with E=1 it leads and uses numbers twice.
    fn add_reuse(&mut self, node: NodeId, starts: Duration) {
        let side = [node].into_iter().collect();
        self.add(
            // Just before it starts, unless that is the beginning of the run.
            starts.saturating_sub(Duration::from_micros(1)),
            Plan::Cut(Cut::Around { side, one_way: false }),
        );
        self.add(starts + self.rush, Plan::Timeout { node });
        for after in 2..8 {
            self.add(starts + self.rush * after, Plan::Put { path: 0, bytes: 12 });
        }
        self.add(starts + self.rush * 10, Plan::Heal);
    }

    /// In few runs links are lost one by one or are slow, or disks hang or are full. It is left to
    /// chance of its own, so that the other seeds do the same as without it.
    fn maybe_add_lasting_faults(&mut self, seed: u64) {
        let mut random = Random::of(seed, [Chance::Lasting as u64]);
        std::mem::swap(&mut self.random, &mut random);
        for (per_mille, add) in [
            (LOST_LINKS_PER_MILLE, Draft::add_lost_links as fn(&mut Draft)),
            (HUNG_DISKS_PER_MILLE, Draft::add_hung_disks),
            (FULL_DISKS_PER_MILLE, Draft::add_full_disks),
            (SLOW_LINKS_PER_MILLE, Draft::slow_links_down),
        ] {
            if self.random.chance(per_mille) {
                add(self);
            }
        }
        std::mem::swap(&mut self.random, &mut random);
    }

    /// Some links are lost, each in one direction or in both, for a while or to the end.
    fn add_lost_links(&mut self) {
        for _ in 0..self.random.within(1..=2) {
            let mut lost = Directions::default();
            for _ in 0..self.random.within(1..=2) {
                let (one, other) = (self.node(), self.node());
                lost.insert(one, other);
                if self.random.chance(600) {
                    lost.insert(other, one);
                }
            }
            let cut = Plan::Cut(Cut::Links { lost });
            if self.random.chance(500) {
                self.add_outage(cut, Plan::Heal);
            } else {
                let at = self.moment();
                self.add(at, cut);
            }
        }
    }

    fn add_hung_disks(&mut self) {
        for _ in 0..self.random.within(1..=2) {
            let (at, node) = (self.moment(), self.node());
            let longest = if self.random.chance(500) { self.outage } else { self.schedule.length };
            let lasts = self.random.duration(&(Duration::from_millis(1)..=longest));
            self.add(at, Plan::HangDisk { node, lasts });
        }
    }

    fn add_full_disks(&mut self) {
        let (from, node) = (self.moment(), self.node());
        let frees = from + self.random.duration(&(Duration::from_millis(1)..=self.outage));
        self.add(from, Plan::FillDisk { node });
        self.add(frees, Plan::FreeDisk { node });
        self.add(frees + self.rush, Plan::Recover { node });
    }

    fn slow_links_down(&mut self) {
        let speed = one_of(&mut self.random, [20_000, 100_000, 1_000_000]);
        self.schedule.setup.link_bytes_per_s = NonZeroU64::new(speed);
    }

    fn add_timeouts(&mut self) {
        for _ in 0..self.random.within(1..=8) {
            let (at, node) = (self.moment(), self.node());
            self.add(at, Plan::Timeout { node });
        }
    }

    fn add_rot(&mut self) {
        for _ in 0..self.random.within(1..=4) {
            let (at, node) = (self.moment(), self.node());
            self.add(at, Plan::Rot { node });
        }
    }
}
