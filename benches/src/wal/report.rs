//! What was measured, and how it is shown.

use std::process::ExitCode;

use serde::Serialize;
use steadfast_output::say;

use super::conditions::Conditions;
use super::figure::Figure;
use super::load::Sample;
use super::replay::Replayed;
use crate::target::exit_code;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// What was measured.
    pub(super) system: &'static str,
    /// How it was used.
    pub(super) mode: &'static str,
    /// How many writers there were; for `async` and `raw`, how many records at a time.
    pub(super) writers: usize,
    /// The length of a record in bytes.
    pub(super) payload_bytes: usize,
    /// What came out.
    #[serde(flatten)]
    pub(super) sample: Sample,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// What was measured on.
    #[serde(rename = "machine")]
    pub(super) conditions: Conditions,
    /// Appends.
    #[serde(skip)]
    pub(super) appends: Vec<Row>,
    /// Replays.
    #[serde(skip)]
    pub(super) replays: Vec<Replayed>,
    /// Both.
    rows: Vec<AnyRow>,
    /// The verdicts.
    targets: Vec<Figure>,
}

/// A measurement as JSON shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum AnyRow {
    Append(Row),
    Replay(Replayed),
}

impl Report {
    /// Nothing yet.
    #[must_use]
    pub(super) fn new(conditions: Conditions) -> Report {
        Report {
            conditions,
            appends: Vec::new(),
            replays: Vec::new(),
            rows: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Keeps the median of the rows that measured the same, by appends per second.
    pub(super) fn take_medians(&mut self) {
        let key = |it: &Row| (it.payload_bytes, it.writers, it.system, it.mode);
        let mut medians: Vec<Row> = Vec::new();
        for row in &self.appends {
            if medians.iter().any(|it| key(it) == key(row)) {
                continue;
            }
            let mut same: Vec<&Row> =
                self.appends.iter().filter(|it| key(it) == key(row)).collect();
            same.sort_by(|a, b| a.sample.appends_per_s.total_cmp(&b.sample.appends_per_s));
            medians.push(same[same.len() / 2].clone());
        }
        self.appends = medians;
    }

    /// Puts everything in rows, as JSON shows it.
    pub(super) fn take_rows(&mut self) {
        let appends = self.appends.iter().cloned().map(AnyRow::Append);
        let replays = self.replays.iter().cloned().map(AnyRow::Replay);
        self.rows = appends.chain(replays).collect();
    }

    /// The row of a system.
    #[must_use]
    pub(super) fn row(
        &self,
        system: &str,
        mode: &str,
        writers: usize,
        payload_bytes: usize,
    ) -> Option<&Sample> {
        let found = self.appends.iter().find(|it| {
            (it.system, it.mode, it.writers, it.payload_bytes)
                == (system, mode, writers, payload_bytes)
        });
        found.map(|it| &it.sample)
    }

    /// The replay of a system.
    #[must_use]
    pub(super) fn replay(&self, system: &str, payload_bytes: usize) -> Option<&Replayed> {
        self.replays.iter().find(|it| it.system == system && it.payload_bytes == payload_bytes)
    }

    /// Keeps the targets, as judged if the machine allows it.
    pub(super) fn keep_targets(&mut self, targets: Vec<Figure>) {
        self.targets = targets;
        self.conditions.not_judged = self.conditions.why_not_judged();
        if self.conditions.not_judged.is_some() {
            self.targets.iter_mut().for_each(|it| it.target.met = None);
        }
    }

    /// 0 when every target is met, 1 when some are not, 3 when nothing was judged.
    #[must_use]
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(exit_code(self.targets.iter().map(|it| it.target.met)))
    }

    /// Prints the tables.
    pub(super) fn show(&self) {
        let conditions = &self.conditions;
        say(format_args!("{} x {}", conditions.machine.cpus, conditions.machine.cpu));
        say(format_args!(
            "raw write and sync of 4 KiB: p50 {:.0} us before, {:.0} us after; sequential writes {:.2} GB/s\n",
            conditions.raw_sync_before_us,
            conditions.raw_sync_after_us,
            conditions.sequential_bytes_per_s / 1e9
        ));
        say(format_args!(
            "{:>7} {:>7}  {:<24} {:>11} {:>9} {:>9} {:>9}",
            "bytes", "writers", "", "appends/s", "MB/s", "p50 us", "p99 us"
        ));
        for row in &self.appends {
            let sample = &row.sample;
            say(format_args!(
                "{:>7} {:>7}  {:<24} {:>11.0} {:>9.1} {:>9.0} {:>9.0}",
                row.payload_bytes,
                row.writers,
                format!("{} {}", row.system, row.mode),
                sample.appends_per_s,
                sample.bytes_per_s / 1e6,
                sample.p50_us,
                sample.p99_us
            ));
        }
        say(format_args!(
            "\n{:>7}  {:<14} {:>8} {:>9} {:>8} {:>12} {:>9} {:>10}",
            "bytes", "replay", "open s", "replay s", "GB/s", "records/s", "peak MB", "disk/byte"
        ));
        for it in &self.replays {
            say(format_args!(
                "{:>7}  {:<14} {:>8.3} {:>9.3} {:>8.2} {:>12.0} {:>9.1} {:>10.3}",
                it.payload_bytes,
                it.system,
                it.open_s,
                it.replay_s,
                it.bytes_per_s() / 1e9,
                it.records as f64 / it.replay_s,
                it.peak_rss_bytes as f64 / 1e6,
                it.disk_per_payload
            ));
        }
        say("");
        for Figure { target, raw } in &self.targets {
            let raw = raw.map(|it| format!(" (the raw loop: {it:.2})")).unwrap_or_default();
            let (id, must, measured, verdict) =
                (target.id, &target.must, target.measured, target.verdict());
            say(format_args!("{id:<4} {must:<62} {measured:>10.2}  {verdict}{raw}"));
        }
        if let Some(why) = &self.conditions.not_judged {
            say(format_args!("\nNot judged: {why}."));
        }
    }
}
