//! What must come out: ratios of one run.

use super::figure::Figure;
use super::replay::Replayed;
use super::report::Report;
use super::{SAME_BLOCKS, WOKEN};
use crate::target::Target;

/// Judges everything that was measured.
#[must_use]
pub(super) fn judge(report: &Report) -> Vec<Figure> {
    let mut targets = Vec::new();
    writers(report, &mut targets);
    disk(report, &mut targets);
    replays(report, &mut targets);
    targets
}

fn at_least(id: &'static str, what: &str, least: f64, measured: f64) -> Figure {
    judged(id, format!("{what} >= {least}"), measured, measured >= least)
}

fn at_most(id: &'static str, what: &str, most: f64, measured: f64) -> Figure {
    judged(id, format!("{what} <= {most}"), measured, measured <= most)
}

fn judged(id: &'static str, must: String, measured: f64, met: bool) -> Figure {
    Figure { target: Target { id, must, measured, met: Some(met) }, raw: None }
}

/// The throughput of one row over that of another, if both were measured.
fn ratio(
    report: &Report,
    ours: (&str, &str),
    other: (&str, &str),
    payload_bytes: usize,
) -> Option<f64> {
    let ours = report.row(ours.0, ours.1, 64, payload_bytes)?;
    let other = report.row(other.0, other.1, 64, payload_bytes)?;
    Some(ours.appends_per_s / other.appends_per_s)
}

fn writers(report: &Report, targets: &mut Vec<Figure>) {
    let raft = ("raft-engine", "blocking");
    for (bytes, least) in [(4096, 2.5), (128, 1.6), (65_536, 2.2)] {
        let what = format!("64 writers of {bytes} B over raft-engine");
        let measured = ratio(report, ("steadfast", "blocking"), raft, bytes);
        let raw = ratio(report, ("raw", WOKEN), raft, bytes);
        targets.extend(measured.map(|it| Figure { raw, ..at_least("W1", &what, least, it) }));
    }
    for (bytes, least) in [(4096, 6.0), (128, 4.0)] {
        let what = format!("64 outstanding of {bytes} B over raft-engine");
        let measured = ratio(report, ("steadfast", "async"), raft, bytes);
        let raw = ratio(report, ("raw", SAME_BLOCKS), raft, bytes);
        targets.extend(measured.map(|it| Figure { raw, ..at_least("W2", &what, least, it) }));
    }
    for mode in ["buffered", "direct"] {
        let what = format!("64 outstanding of 4096 B over the raw loop, {mode}");
        let measured = ratio(report, ("steadfast", "async"), ("raw", mode), 4096);
        targets.extend(measured.map(|it| at_least("W2", &what, 0.9, it)));
    }
}

fn disk(report: &Report, targets: &mut Vec<Figure>) {
    let modes = ["blocking", "async"];
    let rows = modes.iter().filter_map(|it| report.row("steadfast", it, 64, 65_536));
    let best = rows.map(|it| it.bytes_per_s).reduce(f64::max);
    let share = best.map(|it| it / report.conditions.sequential_bytes_per_s);
    let what = "64 KiB over the sequential write bandwidth";
    let raw = report.row("raw", SAME_BLOCKS, 64, 65_536);
    let raw = raw.map(|it| it.bytes_per_s / report.conditions.sequential_bytes_per_s);
    targets.extend(share.map(|it| Figure { raw, ..at_least("W3", what, 0.7, it) }));
    // A record of 128 B takes one block with its header, one of 4096 B two; the raw loop too.
    for bytes in [128, 4096] {
        let ours = report.row("steadfast", "blocking", 1, bytes);
        let raw = report.row("raw", SAME_BLOCKS, 1, bytes);
        let what = format!("one writer of {bytes} B: p50 over the raw sync of as many blocks");
        let measured = ours.zip(raw).map(|(ours, raw)| ours.p50_us / raw.p50_us);
        targets.extend(measured.map(|it| at_most("W4", &what, 1.15, it)));
    }
    // The plain rule: what the second block costs is ours to bear.
    let ours = report.row("steadfast", "blocking", 1, 4096);
    let raw = report.row("raw", "direct", 1, 4096);
    let plain = ours.zip(raw).map(|(ours, raw)| ours.p50_us / raw.p50_us);
    let what = "one writer of 4096 B: p50 over the raw sync of 4096 B";
    targets.extend(plain.map(|it| at_most("W4", what, 1.15, it)));
    let many = report.row("steadfast", "blocking", 64, 4096);
    let spread = many.map(|it| it.p99_us / it.p50_us);
    let raw = report.row("raw", WOKEN, 64, 4096).map(|it| it.p99_us / it.p50_us);
    let what = "64 writers of 4096 B: p99 over p50";
    targets.extend(spread.map(|it| Figure { raw, ..at_most("W4", what, 2.0, it) }));
}

fn replays(report: &Report, targets: &mut Vec<Figure>) {
    for bytes in [4096, 128] {
        let ours = report.replay("steadfast", bytes).map(Replayed::bytes_per_s_in_all);
        let raft = report.replay("raft-engine", bytes).map(Replayed::bytes_per_s_in_all);
        let what = format!("open and replay of {bytes} B over raft-engine");
        let measured = ours.zip(raft).map(|(ours, raft)| ours / raft);
        targets.extend(measured.map(|it| at_least("W5", &what, 2.5, it)));
    }
    if let Some(it) = report.replay("steadfast", 4096) {
        let (gigabytes, megabytes) = (it.bytes_per_s() / 1e9, it.peak_rss_bytes as f64 / 1e6);
        targets.push(at_least("W5", "replay of 4096 B, GB/s", 8.0, gigabytes));
        targets.push(at_most("W6", "memory while replaying, MB", 16.0, megabytes));
        let what = "disk per payload byte at 64 x 4096 B";
        targets.push(at_most("W6", what, 1.02, it.disk_per_payload));
    }
    if let Some(it) = report.replay("steadfast", 128) {
        let records = it.records as f64 / it.replay_s / 1e6;
        targets.push(at_least("W5", "replay of 128 B, million records/s", 30.0, records));
    }
}
