//! How fast the simulator is, on a workload that does not change.

use std::time::Duration;

use serde::Serialize;
use steadfast_protocol::Settings;
use steadfast_sim::{Plan, Schedule, Setup};

use super::swarm::thread_cpu_s;

/// How many clusters are run, each with a seed of its own.
const CLUSTERS: u64 = 40;
/// The time between two writes.
const WRITE_EVERY: Duration = Duration::from_secs(2);
/// How long each cluster runs, as a number of these times.
const TIMES: u32 = 30;
const LENGTH: Duration = Duration::from_secs(WRITE_EVERY.as_secs() * TIMES as u64);

/// How fast the simulator was.
#[derive(Debug, Serialize)]
pub(crate) struct Speed {
    pub events: u64,
    pub heartbeats: u64,
    pub writes: u64,
    pub content_bytes: u64,
    pub simulated_h: f64,
    pub cpu_s: f64,
    pub events_per_cpu_s: f64,
    pub simulated_h_per_cpu_h: f64,
}

/// A healthy cluster of three with heartbeats, whose clients write contents of 12 bytes and of
/// 2,000 in turn, and read.
fn workload(seed: u64) -> Schedule {
    let settings =
        Settings::new(3, 2, 2).unwrap_or_else(|error| unreachable!("a majority of three: {error}"));
    let setup = Setup { narrated: false, ..Setup::new(settings, seed) };
    let plans = (1..TIMES).flat_map(|nth| {
        let path = nth % 5;
        let bytes = if nth % 2 == 0 { 12 } else { 2_000 };
        let at = WRITE_EVERY * nth;
        [(at, Plan::Put { path, bytes }), (at + WRITE_EVERY / 2, Plan::Read { path })]
    });
    Schedule { setup, plans: plans.collect(), length: LENGTH }
}

/// Runs the workload in this thread.
pub(super) fn measure() -> Speed {
    let begin = thread_cpu_s();
    let outcomes: Vec<_> = (0..CLUSTERS).map(|seed| workload(seed).run()).collect();
    let cpu_s = thread_cpu_s() - begin;
    let sum = |count: fn(&steadfast_sim::Outcome) -> u64| outcomes.iter().map(count).sum::<u64>();
    let events = sum(|it| it.ledger.events);
    let simulated_s = sum(|it| it.simulated.micros) as f64 / 1e6;
    Speed {
        events,
        heartbeats: sum(|it| it.ledger.heartbeats),
        writes: sum(|it| it.ledger.acknowledged),
        content_bytes: sum(|it| it.ledger.bytes_received),
        simulated_h: simulated_s / 3_600.0,
        cpu_s,
        events_per_cpu_s: events as f64 / cpu_s.max(1e-6),
        simulated_h_per_cpu_h: simulated_s / cpu_s.max(1e-6),
    }
}

impl Speed {
    pub(super) fn text(&self) -> String {
        format!(
            "{CLUSTERS} clusters of 3 for {} s each: {} events, {} heartbeats, {} writes acknowledged, \
             {} bytes of contents received, everything judged\n\
             {:.0} events per CPU second; {:.2} hours simulated in {:.2} CPU seconds ({:.0} hours an hour)",
            LENGTH.as_secs(),
            self.events,
            self.heartbeats,
            self.writes,
            self.content_bytes,
            self.events_per_cpu_s,
            self.simulated_h,
            self.cpu_s,
            self.simulated_h_per_cpu_h,
        )
    }
}
