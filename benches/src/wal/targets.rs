//! What must come out: ratios of one run.

use serde::Serialize;

use super::replay::Replayed;
use super::report::Report;

/// One target.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Target {
    /// Its name.
    pub(super) id: &'static str,
    /// What is asked for.
    pub(super) must: String,
    /// What came out.
    pub(super) measured: f64,
    /// Whether that is enough.
    pub(super) met: bool,
}

/// Judges everything that was measured.
#[must_use]
pub(super) fn judge(report: &Report) -> Vec<Target> {
    let mut targets = Vec::new();
    writers(report, &mut targets);
    disk(report, &mut targets);
    replays(report, &mut targets);
    targets
}

fn at_least(id: &'static str, what: &str, least: f64, measured: f64) -> Target {
    Target { id, must: format!("{what} >= {least}"), measured, met: measured >= least }
}

fn at_most(id: &'static str, what: &str, most: f64, measured: f64) -> Target {
    Target { id, must: format!("{what} <= {most}"), measured, met: measured <= most }
}

/// The throughput of one row over that of another.
fn ratio(report: &Report, ours: &str, other: (&str, &str), payload_bytes: usize) -> f64 {
    let ours = report.row("steadfast", ours, 64, payload_bytes);
    let other = report.row(other.0, other.1, 64, payload_bytes);
    match (ours, other) {
        (Some(ours), Some(other)) => ours.appends_per_s / other.appends_per_s,
        _ => 0.0,
    }
}

fn writers(report: &Report, targets: &mut Vec<Target>) {
    let raft = ("raft-engine", "blocking");
    for (bytes, least) in [(4096, 2.5), (128, 1.6), (65_536, 2.2)] {
        let what = format!("64 writers of {bytes} B over raft-engine");
        targets.push(at_least("W1", &what, least, ratio(report, "blocking", raft, bytes)));
    }
    for (bytes, least) in [(4096, 6.0), (128, 4.0)] {
        let what = format!("64 outstanding of {bytes} B over raft-engine");
        targets.push(at_least("W2", &what, least, ratio(report, "async", raft, bytes)));
    }
    for mode in ["buffered", "direct"] {
        let what = format!("64 outstanding of 4096 B over the raw loop, {mode}");
        targets.push(at_least("W2", &what, 0.9, ratio(report, "async", ("raw", mode), 4096)));
    }
}

fn disk(report: &Report, targets: &mut Vec<Target>) {
    let modes = ["blocking", "async"];
    let rows = modes.iter().filter_map(|it| report.row("steadfast", it, 64, 65_536));
    let best = rows.map(|it| it.bytes_per_s).fold(0.0, f64::max);
    let share = best / report.bandwidth;
    targets.push(at_least("W3", "64 KiB over the sequential write bandwidth", 0.7, share));
    let ours = report.row("steadfast", "blocking", 1, 4096);
    let raw = report.row("raw", "direct", 1, 4096);
    let one = ours.zip(raw).map_or(f64::INFINITY, |(ours, raw)| ours.p50_us / raw.p50_us);
    targets.push(at_most("W4", "one writer of 4096 B: p50 over the raw sync", 1.15, one));
    let many = report.row("steadfast", "blocking", 64, 4096);
    let spread = many.map_or(f64::INFINITY, |it| it.p99_us / it.p50_us);
    targets.push(at_most("W4", "64 writers of 4096 B: p99 over p50", 2.0, spread));
}

fn replays(report: &Report, targets: &mut Vec<Target>) {
    let of = |system: &str, bytes: usize, rate: fn(&Replayed) -> f64| {
        report.replay(system, bytes).map_or(0.0, rate)
    };
    for bytes in [4096, 128] {
        let ours = of("steadfast", bytes, Replayed::bytes_per_s_in_all);
        let raft = of("raft-engine", bytes, Replayed::bytes_per_s_in_all);
        let what = format!("open and replay of {bytes} B over raft-engine");
        targets.push(at_least("W5", &what, 2.5, ours / raft));
    }
    let gigabytes = of("steadfast", 4096, Replayed::bytes_per_s) / 1e9;
    targets.push(at_least("W5", "replay of 4096 B, GB/s", 8.0, gigabytes));
    let records = of("steadfast", 128, |it| it.records as f64 / it.replay_s) / 1e6;
    targets.push(at_least("W5", "replay of 128 B, million records/s", 30.0, records));
    let memory = of("steadfast", 4096, |it| it.peak_rss_bytes as f64) / 1e6;
    targets.push(at_most("W6", "memory while replaying, MB", 16.0, memory));
    let disk = of("steadfast", 4096, |it| it.disk_per_payload);
    targets.push(at_most("W6", "disk per payload byte at 64 x 4096 B", 1.02, disk));
}
