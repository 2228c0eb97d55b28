//! The rows and targets for people and for programs.

use std::process::ExitCode;

use serde::Serialize;
use steadfast_output::say;

use super::search::{Sample, Search};
use super::subject::Subject;
use super::{Result, targets};
use crate::machine::Machine;
use crate::target::{Target, exit_code};

/// The median of the same searches, by CPU time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// The system.
    pub(super) subject: String,
    /// The search.
    pub(super) search: &'static str,
    pub(super) threads: usize,
    /// The number of runs.
    pub(super) runs: usize,
    #[serde(flatten)]
    pub(super) sample: Sample,
    pub(super) unique_per_cpu_s: f64,
    pub(super) generated_per_cpu_s: f64,
    pub(super) unique_per_wall_s: f64,
    pub(super) generated_per_wall_s: f64,
    /// The peak of the process, by unique states.
    pub(super) bytes_per_state: f64,
    /// Whether every step is taken.
    pub(super) is_full: bool,
}

impl Row {
    /// The median of the samples of one search. There is at least one.
    pub(super) fn median(
        subject: &Subject,
        search: &Search,
        mut samples: Vec<Sample>,
    ) -> Result<Row> {
        let runs = samples.len();
        let mut counts = samples.iter().map(|it| (it.unique, it.generated));
        let first = counts.next().ok_or("no search was measured")?;
        if let Some(other) = counts.find(|it| *it != first) {
            return Err(format!(
                "{subject}, {}: counts differ from run to run: {first:?} and {other:?}",
                search.name
            )
            .into());
        }
        samples.sort_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s));
        let sample = samples[runs / 2];
        let per = |count: u64, seconds: f64| count as f64 / seconds.max(1e-6);
        Ok(Row {
            subject: subject.to_string(),
            search: search.name,
            threads: search.threads,
            runs,
            unique_per_cpu_s: per(sample.unique, sample.cpu_s),
            generated_per_cpu_s: per(sample.generated, sample.cpu_s),
            unique_per_wall_s: per(sample.unique, sample.wall_s),
            generated_per_wall_s: per(sample.generated, sample.wall_s),
            bytes_per_state: sample.peak_rss_bytes as f64 / sample.unique.max(1) as f64,
            is_full: search.is_full(),
            sample,
        })
    }
}

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    /// All searches.
    pub(super) rows: Vec<Row>,
    /// The engine in one scope, stopped after two numbers of states.
    pub(super) flat: Vec<Row>,
    /// What was left out, and why.
    pub(super) notes: Vec<String>,
    targets: Vec<Target<String>>,
}

impl Report {
    pub(super) fn new() -> Report {
        let (rows, flat, notes, targets) = Default::default();
        Report { machine: Machine::this(), rows, flat, notes, targets }
    }

    pub(super) fn judge(&mut self) {
        self.targets = targets::judge(&self.rows, &self.flat, self.machine.cpus);
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(exit_code(self.targets.iter().map(|it| it.met)))
    }

    /// Prints the tables.
    pub(super) fn show(&self) {
        say(format_args!(
            "{}, {} CPUs. Thousands of states per second; medians by CPU time",
            self.machine.cpu, self.machine.cpus
        ));
        let mut of = None;
        for row in self.rows.iter().chain(&self.flat) {
            if of != Some(&row.subject) {
                of = Some(&row.subject);
                say(format_args!("\n{}", head(&row.subject)));
            }
            say(line(row));
        }
        say("");
        for target in &self.targets {
            say(format_args!("{:<4}{:<11}{}", target.id, target.verdict(), target.must));
            say(format_args!("{:15}{}", "", target.measured));
        }
        for note in &self.notes {
            say(format_args!("\n{note}."));
        }
    }
}

fn head(subject: &str) -> String {
    format!(
        "{subject:<24} {:>10} {:>11} {:>7} {:>7} {:>8} {:>8} {:>8} {:>8} {:>7} {:>8} {:>4}",
        "unique",
        "generated",
        "CPU s",
        "wall s",
        "un./CPU",
        "gen./CPU",
        "un./wall",
        "gen/wall",
        "B/state",
        "peak MB",
        "runs"
    )
}

fn line(row: &Row) -> String {
    let Sample { unique, generated, cpu_s, wall_s, peak_rss_bytes } = row.sample;
    format!(
        "{:<24} {unique:>10} {generated:>11} {cpu_s:>7.2} {wall_s:>7.2} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>7.0} {:>8.0} {:>4}",
        row.search,
        row.unique_per_cpu_s / 1e3,
        row.generated_per_cpu_s / 1e3,
        row.unique_per_wall_s / 1e3,
        row.generated_per_wall_s / 1e3,
        row.bytes_per_state,
        peak_rss_bytes as f64 / 1e6,
        row.runs
    )
}
