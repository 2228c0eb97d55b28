//! A month of a busy cluster: how much memory and disk its nodes take, and how a node catches up that was away.
//!
//! `cargo run --release -p steadfast-sim --example soak -- [WRITES] [PATHS] [SEED]`; by default 1,000,000 writes to
//! 1,000 paths in 30 days, seed 7.
//!
//! Three nodes with E=2 and W=2 trim their logs by a policy that has the default's proportions: three segments
//! of slack. Of a hundred writes five delete, ten put up to 2,000 bytes beside the log, and the others put up to
//! 60 bytes into it. Nodes forget deletes that all of them hold. Every five days one node is away for one to three
//! and a half days, crashed or cut off.

use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroU32;
use std::time::Duration;

use steadfast_guarantees::Status;
use steadfast_protocol::{Limits, NodeId, Path, Replica, RequestId, Settings};
use steadfast_sim::{Footprint, Random, Setup, Simulation};
use steadfast_store::TrimPolicy;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const DAYS: u32 = 30;
/// A segment of a simulated log.
const SEGMENT_BYTES: u64 = 32 << 10;
/// As many segments as those of the default policy.
const SLACK_BYTES: u64 = 3 * SEGMENT_BYTES;
/// The default policy keeps a log below twice the state and 64 MiB, which are eight of a server's segments.
const BEYOND_STATE_BYTES: u64 = 8 * SEGMENT_BYTES;
/// The longest content with its name, as a file.
const CONTENT_BYTES: u64 = 2_100;
/// After more writes the guarantees are not judged: some compare each write with each entry.
const JUDGED_WRITES_MAX: u64 = 5_000;
/// The bytes of records that may arrive between the moment that a trim is due and the trim.
const UNDER_WAY_BYTES: u64 = 16 << 10;
/// No record of an entry takes fewer bytes.
const RECORD_BYTES: u64 = 40;

/// The size of a soak.
pub(crate) struct Soak {
    pub writes: u64,
    pub paths: u64,
    pub seed: u64,
}

/// The results of a soak.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The largest space that any node ever took.
    pub largest: Footprint,
    /// The largest number of bytes that a log had beyond twice its node's state.
    pub beyond_state: u64,
    /// How many bytes contents may take: as much as the longest content for each path, and for each record in
    /// the memory of a node.
    pub contents_bound: u64,
    /// The absences, each with the entries missed and the bytes that brought the node up to date.
    pub absences: Vec<Absence>,
    pub acknowledged: u64,
}

/// A node that was away.
#[derive(Debug)]
pub(crate) struct Absence {
    pub node: NodeId,
    pub missed: u64,
    pub bytes: u64,
    pub takes: Duration,
    pub state_bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Result<Vec<u64>, _> = std::env::args().skip(1).map(|it| it.parse()).collect();
    let arguments = arguments.map_err(|error| format!("WRITES PATHS SEED are numbers: {error}"))?;
    let number = |nth: usize, default| arguments.get(nth).copied().unwrap_or(default);
    let soak = Soak { writes: number(0, 1_000_000), paths: number(1, 1_000), seed: number(2, 7) };
    if arguments.len() > 3 || soak.writes < u64::from(DAYS) || soak.paths == 0 {
        return Err("at most WRITES PATHS SEED: at least 30 writes, and 1 path".into());
    }
    let summary = run(&soak, &mut |line| println!("{line}"))?;
    for it in &summary.absences {
        let Absence { node, missed, bytes, takes, state_bytes } = it;
        let ratio = *bytes as f64 / *state_bytes as f64;
        println!(
            "{node} missed {missed:>7} writes and caught up in {takes:.1?} with {bytes} bytes, {ratio:.2} x the state"
        );
    }
    let Summary { largest, beyond_state, contents_bound, acknowledged, .. } = summary;
    println!("{acknowledged} writes were acknowledged, and every one is there");
    println!("log beyond twice the state: at most {beyond_state} of {BEYOND_STATE_BYTES} bytes");
    println!("contents: at most {} of {contents_bound} bytes", largest.content_bytes);
    println!("records in memory: at most {} of {}", largest.records, records_bound(&largest));
    Ok(())
}

/// How many records a log can have before the policy trims it.
fn records_bound(largest: &Footprint) -> u64 {
    (largest.state_bytes / 2 + SLACK_BYTES / 4 + UNDER_WAY_BYTES) / RECORD_BYTES
}

#[derive(Clone, Copy, Debug)]
struct Write {
    request: RequestId,
    deletes: bool,
}

struct Month<'a> {
    soak: &'a Soak,
    cluster: Simulation,
    random: Random,
    /// The last acknowledged write of each path.
    last: BTreeMap<u64, Write>,
    /// Writes that are not answered yet, each with its path.
    open: Vec<(u64, Write)>,
    acknowledged: u64,
    away: Option<(NodeId, u64, bool)>,
    absences: Vec<Absence>,
    largest: Footprint,
    beyond_state: u64,
}

/// Runs a month.
pub(crate) fn run(soak: &Soak, say: &mut dyn FnMut(String)) -> Result<Summary, Box<dyn Error>> {
    run_with(
        soak,
        Some(TrimPolicy { slack_bytes: SLACK_BYTES, memory_slack_bytes: SLACK_BYTES / 4 }),
        say,
    )
}

/// Runs a month in which nodes trim by a policy, or not at all.
pub(crate) fn run_with(
    soak: &Soak,
    trim_policy: Option<TrimPolicy>,
    say: &mut dyn FnMut(String),
) -> Result<Summary, Box<dyn Error>> {
    let setup = Setup {
        heartbeat: Duration::from_secs(20),
        election_timeout: Duration::from_secs(60)..=Duration::from_secs(120),
        // A state takes several parts: a record of a simulated log has up to 16 KiB, and each entry of it takes
        // some bytes beyond its path and content.
        limits: Limits {
            entries: NonZeroU32::MIN.saturating_add(63),
            bytes: NonZeroU32::MIN.saturating_add((8 << 10) - 1),
            ..Limits::default()
        },
        forgets_deletes: true,
        trim_policy,
        judges_steps: false,
        narrated: false,
        ..Setup::new(Settings::new(3, 2, 2)?, soak.seed)
    };
    let mut month = Month {
        soak,
        cluster: Simulation::new(setup),
        random: Random::new(soak.seed),
        last: BTreeMap::new(),
        open: Vec::new(),
        acknowledged: 0,
        away: None,
        absences: Vec::new(),
        largest: Footprint::default(),
        beyond_state: 0,
    };
    month.cluster.settle()?;
    let quarter = u64::from(DAYS) * 4;
    for nth in 0..quarter {
        month.pass(soak.writes * (nth + 1) / quarter - soak.writes * nth / quarter)?;
        month.come_and_go(nth)?;
        if nth % 4 == 3 {
            say(month.report(nth / 4 + 1));
        }
    }
    month.end()
}

impl Month<'_> {
    /// A quarter of a day with this many writes.
    fn pass(&mut self, writes: u64) -> Result<(), Box<dyn Error>> {
        let between = DAY / 4 / u32::try_from(writes.max(1))?;
        for _ in 0..writes {
            self.write();
            self.cluster.run_for(between);
            self.note_answers();
            self.measure()?;
        }
        Ok(())
    }

    fn write(&mut self) {
        // Without a leader the client waits for the next turn.
        let Some(leader) = self.cluster.leader() else {
            return;
        };
        let path = self.random.within(0..=self.soak.paths - 1);
        let name = format!("directory-{}/file-{path}", path % 10);
        let kind = self.random.below(100);
        let request = match kind {
            0..5 => self.cluster.delete(leader, &name),
            5..15 => self.put(leader, &name, 200..=2_000),
            _ => self.put(leader, &name, 8..=60),
        };
        self.open.push((path, Write { request, deletes: kind < 5 }));
    }

    fn put(
        &mut self,
        leader: NodeId,
        name: &str,
        length: std::ops::RangeInclusive<u64>,
    ) -> RequestId {
        let length = self.random.within(length).div_ceil(8);
        let bytes: Vec<u8> = (0..length).flat_map(|_| self.random.bits().to_le_bytes()).collect();
        self.cluster.put(leader, name, bytes)
    }

    fn note_answers(&mut self) {
        let open = std::mem::take(&mut self.open);
        for (path, write) in open {
            match self.cluster.status(write.request) {
                Some(Status::Pending) => self.open.push((path, write)),
                Some(Status::Done) => {
                    self.acknowledged += 1;
                    self.last.insert(path, write);
                }
                _ => {}
            }
        }
    }

    fn measure(&mut self) -> Result<(), String> {
        for node in NodeId::all(3) {
            let it = self.cluster.footprint(node);
            let largest = &mut self.largest;
            largest.log_bytes = largest.log_bytes.max(it.log_bytes);
            largest.state_bytes = largest.state_bytes.max(it.state_bytes);
            largest.content_bytes = largest.content_bytes.max(it.content_bytes);
            largest.records = largest.records.max(it.records);
            let beyond_state = it.log_bytes.saturating_sub(2 * it.state_bytes);
            self.beyond_state = self.beyond_state.max(beyond_state);
            if beyond_state > BEYOND_STATE_BYTES {
                return Err(format!(
                    "{node}: a log of {} bytes for a state of {} bytes",
                    it.log_bytes, it.state_bytes
                ));
            }
            if it.records as u64 > records_bound(&self.largest) {
                return Err(format!("{node}: {} records in memory", it.records));
            }
            if it.content_bytes > self.contents_bound() {
                return Err(format!("{node}: contents of {} bytes", it.content_bytes));
            }
        }
        Ok(())
    }

    fn contents_bound(&self) -> u64 {
        (self.soak.paths + self.largest.records as u64) * CONTENT_BYTES
    }

    /// Nodes go away at the beginning of each five days, and come back later.
    fn come_and_go(&mut self, quarter: u64) -> Result<(), Box<dyn Error>> {
        let (round, within) = (quarter / 20, quarter % 20);
        if within == 1 {
            let node = NodeId(u8::try_from(round % 3)?);
            let crashes = round % 2 == 0;
            match crashes {
                true => self.cluster.crash(node),
                false => self.cluster.cut([node]),
            }
            self.away = Some((node, self.acknowledged, crashes));
        }
        if within == 5 + 2 * round {
            self.bring_back()?;
        }
        Ok(())
    }

    fn bring_back(&mut self) -> Result<(), Box<dyn Error>> {
        let Some((node, before, crashes)) = self.away.take() else {
            return Ok(());
        };
        let missed = self.acknowledged - before;
        let (began, sent) = (self.cluster.now(), self.bytes_sent());
        match crashes {
            true => self.cluster.recover(node),
            false => self.cluster.heal(),
        }
        let has_caught_up = |it: &Simulation| {
            let leader = it.leader().and_then(|leader| it.replica(leader));
            let vv = |it: &Replica| *it.synced_vv();
            leader.is_some_and(|leader| it.replica(node).map(vv) == Some(vv(leader)))
                && it.replica(node).is_some_and(Replica::is_idle)
        };
        if !self.cluster.run_until(DAY, has_caught_up) {
            return Err(format!("{node} did not catch up within a day").into());
        }
        let takes = self.cluster.now().since(began);
        let bytes = self.bytes_sent() - sent;
        let Footprint { state_bytes, content_bytes, .. } = self.cluster.footprint(node);
        let state_bytes = state_bytes + content_bytes;
        self.absences.push(Absence { node, missed, bytes, takes, state_bytes });
        Ok(())
    }

    /// The bytes of all messages so far, and of all frames with contents that arrived.
    fn bytes_sent(&self) -> u64 {
        let ledger = self.cluster.ledger();
        ledger.sent_bytes + ledger.empty_bytes + ledger.bytes_received
    }

    fn report(&self, day: u64) -> String {
        let mut line = format!("day {day:>2}: {:>8} acknowledged;", self.acknowledged);
        for node in NodeId::all(3) {
            let Footprint { log_bytes, state_bytes, content_bytes, records } =
                self.cluster.footprint(node);
            line += &format!(
                " {node} log {} state {} contents {} KiB, {records} records;",
                log_bytes >> 10,
                state_bytes >> 10,
                content_bytes >> 10
            );
        }
        line
    }

    /// Lets the cluster come to rest, and sees that every acknowledged write is there.
    fn end(mut self) -> Result<Summary, Box<dyn Error>> {
        self.cluster.settle()?;
        self.note_answers();
        self.measure()?;
        if self.soak.writes <= JUDGED_WRITES_MAX
            && let Some(guarantee) = self.cluster.violated().first()
        {
            return Err(format!("{guarantee} does not hold at the end").into());
        }
        if !self.cluster.report().is_consistent() {
            return Err("the nodes differ at the end".into());
        }
        let replica = self.cluster.replica(NodeId(0)).ok_or("a settled node is up")?;
        for (path, Write { request, deletes }) in &self.last {
            let name = format!("directory-{}/file-{path}", path % 10);
            let heads = replica.files().heads(&Path::new(name.as_str()));
            // A later write may have happened without an answer, and the node may have forgotten a delete.
            let is_there = heads.iter().any(|it| it.request.number >= request.number);
            let is_forgotten = *deletes && heads.is_empty();
            if !is_there && !is_forgotten {
                return Err(format!("{name}: {request:?} was acknowledged and is gone").into());
            }
        }
        let contents_bound = self.contents_bound();
        let Month { largest, beyond_state, absences, acknowledged, .. } = self;
        Ok(Summary { largest, beyond_state, contents_bound, absences, acknowledged })
    }
}
