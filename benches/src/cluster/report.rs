//! What was measured, and how it is shown.

use std::process::ExitCode;

use serde::Serialize;
use steadfast_output::say;

use super::faults::CatchUp;
use super::large::Large;
use super::load::{Operation, Sample};
use super::many::Many;
use crate::machine::Machine;
use crate::target::{Target, exit_code};

/// One measurement of a load.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) system: &'static str,
    pub(crate) operation: Operation,
    pub(crate) clients: usize,
    #[serde(flatten)]
    pub(crate) sample: Sample,
}

/// What else was measured of a cluster.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) system: &'static str,
    /// The most memory of any idle node, in bytes.
    pub(crate) idle_bytes: u64,
    /// The most memory that any node had during the loads.
    pub(crate) peak_bytes: u64,
    /// The bytes of all nodes on the disk after the loads.
    pub(crate) disk_bytes: u64,
    /// The median time from the SIGKILL of the leader to the next acknowledged write; `None` if not measured.
    pub(crate) failover_s: Option<f64>,
    /// A node that was away; `None` if not measured.
    pub(crate) catch_up: Option<CatchUp>,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// The medians of all rounds.
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figures>,
    pub(crate) large: Option<Large>,
    pub(crate) many: Option<Many>,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
    pub(crate) targets: Vec<Target<f64>>,
}

/// The row in the middle, by answers per second.
pub(crate) fn median(mut rows: Vec<Row>) -> Option<Row> {
    rows.sort_by(|a, b| a.sample.per_s.total_cmp(&b.sample.per_s));
    let middle = rows.len() / 2;
    (!rows.is_empty()).then(|| rows.swap_remove(middle))
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new(machine: Machine) -> Report {
        Report {
            machine,
            rows: Vec::new(),
            figures: Vec::new(),
            large: None,
            many: None,
            notes: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// The row of a system.
    pub(crate) fn row(
        &self,
        system: &str,
        operation: Operation,
        clients: usize,
    ) -> Option<&Sample> {
        let found = self
            .rows
            .iter()
            .find(|it| (it.system, it.operation, it.clients) == (system, operation, clients));
        found.map(|it| &it.sample)
    }

    /// The figures of a system.
    pub(crate) fn figures(&self, system: &str) -> Option<&Figures> {
        self.figures.iter().find(|it| it.system == system)
    }

    /// 0 when every target is met, 1 when some are not, 3 when some could not be judged.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(exit_code(self.targets.iter().map(|it| it.met)))
    }

    /// Prints the tables.
    pub(crate) fn show(&self) {
        say(format_args!("{} x {}\n", self.machine.cpus, self.machine.cpu));
        say(format_args!(
            "{:<4} {:>7}  {:<10} {:>9} {:>9} {:>9} {:>13} {:>15}",
            "", "clients", "", "per s", "p50 us", "p99 us", "nodes CPU us", "clients CPU us"
        ));
        for Row { system, operation, clients, sample } in &self.rows {
            say(format_args!(
                "{:<4} {clients:>7}  {system:<10} {:>9.0} {:>9.0} {:>9.0} {:>13.0} {:>15.0}",
                operation.name(),
                sample.per_s,
                sample.p50_us,
                sample.p99_us,
                sample.nodes_cpu_us,
                sample.clients_cpu_us
            ));
        }
        say(format_args!(
            "\n{:<10} {:>8} {:>8} {:>9} {:>11} {:>11} {:>12}",
            "", "idle MB", "peak MB", "disk MB", "failover s", "catch-up s", "catch-up MB"
        ));
        let number = |it: Option<f64>| it.map_or_else(|| "-".to_owned(), |it| format!("{it:.2}"));
        for it in &self.figures {
            say(format_args!(
                "{:<10} {:>8.1} {:>8.1} {:>9.1} {:>11} {:>11} {:>12}",
                it.system,
                it.idle_bytes as f64 / 1e6,
                it.peak_bytes as f64 / 1e6,
                it.disk_bytes as f64 / 1e6,
                number(it.failover_s),
                number(it.catch_up.map(|it| it.seconds)),
                number(it.catch_up.and_then(|it| it.received_bytes).map(|it| it as f64 / 1e6))
            ));
        }
        self.large.iter().for_each(show_large);
        if let Some(it) = &self.many {
            say(format_args!(
                "\n{} files: put in {:.0} s; {:.0} bytes of memory each; a node starts in {:.1} s",
                it.files, it.put_s, it.memory_per_file_bytes, it.start_s
            ));
        }
        say("");
        for it in &self.targets {
            say(format_args!(
                "{:<4} {:<62} {:>10.2}  {}",
                it.id,
                it.must,
                it.measured,
                it.verdict()
            ));
        }
        for note in &self.notes {
            say(format_args!("\n{note}."));
        }
    }
}

fn show_large(it: &Large) {
    say(format_args!(
        "\nput of {} MB: acknowledged after {:.2} s, on all nodes after {:.2} s; the same bytes to a file {:.2} s, over TLS {:.2} s; a node had at most {:.1} MB",
        it.bytes / 1_000_000,
        it.put_s,
        it.everywhere_s,
        it.disk_s,
        it.tls_s,
        it.node_peak_bytes as f64 / 1e6
    ));
    say(format_args!(
        "one byte of it changed: on all nodes after {:.2} s; the client sent {} bytes and got {}, the nodes sent {}; {:.2} s when the client sends the file whole",
        it.change_s,
        it.change_uploaded_bytes,
        it.change_signature_bytes,
        it.change_sent_bytes,
        it.whole_s
    ));
    if let Some(it) = &it.rsync {
        say(format_args!(
            "rsync --inplace to two targets: {:.2} s, {} bytes",
            it.change_s, it.bytes
        ));
    }
}
