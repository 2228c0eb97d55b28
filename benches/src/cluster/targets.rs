//! What must come out: ratios of one run, and absolute bounds.

use super::load::{Operation, Sample};
use super::report::Report;
use crate::target::Target;

/// The election timeout of both clusters, in seconds.
pub(crate) const ELECTION_TIMEOUT_S: f64 = 1.0;

/// With fewer files, the memory that a node takes anyway would count as that of the files.
const FILES_JUDGED_MIN: u64 = 100_000;

/// A node that missed fewer writes may get each of them.
const MISSED_JUDGED_MIN: u64 = 100_000;

/// Judges everything that was measured.
pub(crate) fn judge(report: &Report) -> Vec<Target<f64>> {
    let mut targets = Vec::new();
    loads(report, &mut targets);
    if let Some(ours) = report.figures("steadfast") {
        let idle = ours.idle_bytes as f64 / 1e6;
        if let Some(failover_s) = ours.failover_s {
            let what = "failover over the election timeout";
            targets.push(at_most("N5", what, 3.0, failover_s / ELECTION_TIMEOUT_S));
        }
        targets.push(at_most("N6", "memory of an idle node, MB", 30.0, idle));
        let catch_up = ours.catch_up.filter(|it| it.missed >= MISSED_JUDGED_MIN);
        if let Some((it, received)) = catch_up.and_then(|it| Some((it, it.received_bytes?))) {
            let what = "bytes to catch up over those of the files";
            targets.push(at_most("T2", what, 1.5, received as f64 / it.shown_bytes as f64));
        }
    }
    large(report, &mut targets);
    if let Some(many) = report.many.as_ref().filter(|it| it.files >= FILES_JUDGED_MIN) {
        let what = "bytes of memory per file";
        targets.push(at_most("N6", what, 600.0, many.memory_per_file_bytes));
        targets.push(at_most("N6", "start with these files, s", 5.0, many.start_s));
    }
    targets
}

fn loads(report: &Report, targets: &mut Vec<Target<f64>>) {
    let pair = |operation, clients| {
        let ours = report.row("steadfast", operation, clients)?;
        Some((ours, report.row("etcd", operation, clients)?))
    };
    let rate = |(ours, etcd): (&Sample, &Sample)| ours.per_s / etcd.per_s;
    if let Some(it) = pair(Operation::Put, 64) {
        targets.push(at_least("N1", "64 clients: puts per second over etcd's", 3.0, rate(it)));
        let p99 = it.0.p99_us / it.1.p99_us;
        targets.push(at_most("N1", "64 clients: p99 of puts over etcd's", 0.5, p99));
    }
    if let Some((ours, etcd)) = pair(Operation::Put, 1) {
        let what = "1 client: p50 of puts over etcd's";
        targets.push(at_most("N1", what, 1.0, ours.p50_us / etcd.p50_us));
    }
    if let Some(it) = pair(Operation::Get, 64) {
        targets.push(at_least("N2", "64 clients: reads per second over etcd's", 3.0, rate(it)));
    }
    let of_puts = |system, clients| report.row(system, Operation::Put, clients);
    let pair = |clients| of_puts("recording", clients).zip(of_puts("steadfast", clients));
    if let Some(it) = pair(16).or_else(|| pair(64)) {
        let what = "puts per second while recording over those without";
        targets.push(at_least("R", what, 0.9, rate(it)));
    }
}

fn large(report: &Report, targets: &mut Vec<Target<f64>>) {
    let Some(it) = &report.large else { return };
    if let Some(rsync) = &it.rsync {
        let what = "one byte of a large file: time over rsync's";
        targets.push(at_most("N3", what, 1.0, it.change_s / rsync.change_s));
        let ours = it.change_uploaded_bytes + it.change_signature_bytes + it.change_sent_bytes;
        let bytes = ours as f64;
        let what = "one byte of a large file: bytes over rsync's";
        targets.push(at_most("N3", what, 0.05, bytes / rsync.bytes as f64));
    }
    let floor_s = it.disk_s.max(it.tls_s);
    let what = "put of a large file: speed over the slower of disk and TLS";
    targets.push(at_least("N4", what, 0.5, floor_s / it.put_s));
    let peak = it.node_peak_bytes as f64 / 1e6;
    targets.push(at_most("N4", "memory of a node meanwhile, MB", 128.0, peak));
}

fn at_least(id: &'static str, what: &str, least: f64, measured: f64) -> Target<f64> {
    Target { id, must: format!("{what} >= {least}"), measured, met: Some(measured >= least) }
}

fn at_most(id: &'static str, what: &str, most: f64, measured: f64) -> Target<f64> {
    Target { id, must: format!("{what} <= {most}"), measured, met: Some(measured <= most) }
}
