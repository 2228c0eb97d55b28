//! Seeds on all cores. Each is a run of its own, so that their sum does not depend
//! on the number of cores.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Serialize, Serializer};
use steadfast_guarantees::twins::Variant;
use steadfast_output::{in_parallel, is_interrupted};
use steadfast_sim::{Ledger, RunFailure, Schedule};

use super::failed::FailedSeed;
use super::range::Seeds;
use crate::failure::Failure;
use crate::traces::Traces;
use crate::verdict::Verdict;

/// At most this many failed seeds are shrunk and described; the report names the others only.
const DESCRIBED_MAX: usize = 3;

/// The result of seeds.
#[derive(Debug, Serialize)]
pub(crate) struct Swarm {
    pub from: u64,
    pub count: u64,
    /// The seeds that failed first, with all that helps to look into them.
    pub failed: Vec<FailedSeed>,
    /// All seeds that failed.
    pub failed_seeds: Vec<u64>,
    /// How many settings of (N,E,W) there were.
    pub settings: usize,
    #[serde(serialize_with = "counts")]
    pub ledger: Ledger,
    /// The sum of the digests of all traces: equal on all machines.
    pub digest: String,
    pub simulated_h: f64,
    pub wall_s: f64,
    pub cpu_s: f64,
    pub simulated_h_per_wall_h: f64,
    pub events_per_cpu_s: f64,
}

fn counts<S: Serializer>(ledger: &Ledger, serializer: S) -> Result<S::Ok, S::Error> {
    let key = |name: &str| name.replace([' ', '-'], "_");
    serializer.collect_map(ledger.counts().map(|(name, count)| (key(name), count)))
}

/// A sum over seeds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tally {
    count: u64,
    ledger: Ledger,
    digest: u64,
    simulated_micros: u64,
    settings: BTreeSet<(u8, usize, usize)>,
    failed: Vec<(u64, RunFailure)>,
}

impl Tally {
    fn run(&mut self, seed: u64, variant: Option<&'static Variant>) {
        let schedule = Schedule::of(seed, variant);
        let settings = schedule.setup.settings;
        let outcome = schedule.run();
        self.count += 1;
        self.ledger += outcome.ledger;
        self.digest = self.digest.wrapping_add(outcome.digest);
        self.simulated_micros += outcome.simulated.micros;
        self.settings.insert((settings.nodes(), settings.elect(), settings.write()));
        self.failed.extend(outcome.failure.map(|it| (seed, it)));
    }

    fn add(&mut self, other: Tally) {
        self.count += other.count;
        self.ledger += other.ledger;
        self.digest = self.digest.wrapping_add(other.digest);
        self.simulated_micros += other.simulated_micros;
        self.settings.extend(other.settings);
        self.failed.extend(other.failed);
        self.failed.sort_unstable_by_key(|it| it.0);
    }
}

/// How many threads are worth starting.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// How much processor time this thread has used, in seconds.
pub(super) fn thread_cpu_s() -> f64 {
    let seconds = |it: nix::sys::time::TimeVal| it.tv_sec() as f64 + it.tv_usec() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_THREAD)
        .map_or(0.0, |it| seconds(it.user_time()) + seconds(it.system_time()))
}

/// Runs seeds in this many threads. Returns their sum and the processor time in seconds.
fn tally(
    seeds: Seeds,
    variant: Option<&'static Variant>,
    threads: usize,
    done: &(dyn Fn() + Sync),
) -> (Tally, f64) {
    let next = AtomicU64::new(0);
    let work = || {
        let (mut tally, begin_s) = (Tally::default(), thread_cpu_s());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= seeds.count {
                break;
            }
            tally.run(seeds.first + at, variant);
            done();
            // Not before, because no seeds would prove nothing.
            if seeds.is_late() {
                break;
            }
        }
        (tally, thread_cpu_s() - begin_s)
    };
    let mut sum = (Tally::default(), 0.0);
    for (tally, cpu_s) in in_parallel(threads, work) {
        sum.0.add(tally);
        sum.1 += cpu_s;
    }
    sum
}

impl Swarm {
    /// Runs seeds. `done` hears of each.
    pub(super) fn run(
        seeds: Seeds,
        variant: Option<&'static Variant>,
        threads: usize,
        done: &(dyn Fn() + Sync),
    ) -> Swarm {
        let begin = Instant::now();
        let (tally, cpu_s) = tally(seeds, variant, threads, done);
        let wall_s = begin.elapsed().as_secs_f64();
        let described = tally.failed.iter().take(DESCRIBED_MAX);
        let simulated_s = tally.simulated_micros as f64 / 1e6;
        Swarm {
            from: seeds.first,
            count: tally.count,
            failed: described.map(|(seed, why)| FailedSeed::new(*seed, *why, variant)).collect(),
            failed_seeds: tally.failed.iter().map(|it| it.0).collect(),
            settings: tally.settings.len(),
            ledger: tally.ledger,
            digest: format!("{:016x}", tally.digest),
            simulated_h: simulated_s / 3_600.0,
            wall_s,
            cpu_s,
            simulated_h_per_wall_h: simulated_s / wall_s.max(1e-6),
            events_per_cpu_s: tally.ledger.events as f64 / cpu_s.max(1e-6),
        }
    }

    /// Whether every promise was kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.failed_seeds.is_empty()
    }

    /// The verdict. Fewer seeds than `asked` are incomplete, and so is a run that was interrupted; without a
    /// number, the time decides the count.
    pub(super) fn verdict(&self, asked: Option<u64>) -> Verdict {
        let is_short = asked.is_some_and(|it| self.count < it) || is_interrupted();
        match (self.is_kept(), is_short) {
            (false, _) => Verdict::Broken,
            (true, true) => Verdict::Incomplete,
            (true, false) => Verdict::Kept,
        }
    }

    /// Writes the traces of the seeds that are described, if a directory is given.
    pub(super) fn save_traces(&mut self, traces: &Traces) -> Result<(), Failure> {
        self.failed.iter_mut().try_for_each(|it| it.save_trace(traces))
    }

    /// The counts, and the seeds that failed.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "seeds {} to {}, {} settings of (N,E,W), digest of all traces {}\n{}",
            self.from,
            self.from + self.count.saturating_sub(1),
            self.settings,
            self.digest,
            self.ledger
        );
        text += &format!(
            "  {:.2} hours simulated in {:.2} s ({:.0} simulated hours an hour), {:.0} events per CPU second\n",
            self.simulated_h, self.wall_s, self.simulated_h_per_wall_h, self.events_per_cpu_s
        );
        self.failed.iter().for_each(|it| text += &it.text());
        if self.failed.len() < self.failed_seeds.len() {
            let others = &self.failed_seeds[self.failed.len()..];
            let some: Vec<String> = others.iter().take(20).map(u64::to_string).collect();
            text += &format!("{} more seeds fail: {}", others.len(), some.join(", "));
            text += if some.len() < others.len() { ", ...\n" } else { "\n" };
        }
        text
    }

    /// The result in a few words.
    pub(super) fn sentence(&self) -> String {
        let result = match self.failed_seeds.len() {
            0 => "none broke a promise".to_owned(),
            failed => format!("{failed} FAILED"),
        };
        format!("{} seeds sampled, {result}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use steadfast_guarantees::twins::variant;

    use super::*;

    #[test]
    fn the_same_seeds_come_to_the_same_whatever_the_number_of_threads() {
        let seeds = Seeds { first: 7, count: 24, deadline: None };
        for variant in [None, variant("ack-before-sync")] {
            let (alone, _) = tally(seeds, variant, 1, &|| {});
            let (together, _) = tally(seeds, variant, 5, &|| {});
            assert_eq!(alone, together);
            assert_eq!(alone.count, 24);
            assert_eq!(alone.failed.is_empty(), variant.is_none(), "{:?}", alone.failed);
        }
    }

    #[test]
    fn other_seeds_have_another_digest() {
        let digest = |first| tally(Seeds { first, count: 3, deadline: None }, None, 2, &|| {}).0;
        assert_ne!(digest(0).digest, digest(3).digest);
    }
}
