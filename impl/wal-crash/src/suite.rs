//! The scopes and twins of `check crash-states`.

use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;
use steadfast_wal::{Decisions, DefaultDecisions};

use crate::enumerate::{Counts, Scope, Violation, enumerate};
use crate::geometry::{Geometry, LARGE, LARGE_TORN, SEGMENTS_AHEAD, SMALL, TORN_BLOCKS};
use crate::subject::LogKind;
use crate::twins::{TWINS, Variant, WEAKENED};
use crate::workload::{Operation, Workload, long_workloads, workloads};

/// How much is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Workloads of up to three operations, of up to two with threads.
    Small,
    /// Workloads of up to four operations, of up to three with threads; longer workloads, and other
    /// sizes of blocks and sectors.
    Full,
}

/// The result of one scope.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The name of the scope.
    pub scope: &'static str,
    /// The logs that its workloads ran on.
    pub logs: Vec<LogKind>,
    /// The sizes of blocks and sectors.
    pub geometry: &'static str,
    /// How much was gone through.
    pub counts: Counts,
    /// The time that it took, in seconds.
    pub wall_s: f64,
}

/// Whether a variant of the log was caught.
#[derive(Clone, Debug, Serialize)]
pub struct Caught {
    /// The name of the variant.
    pub name: &'static str,
    /// The difference from the right log.
    pub about: &'static str,
    /// Whether the variant ran with threads.
    pub has_threads: bool,
    /// Whether it must be caught: a twin must be, a log that lacks one of several defences must not.
    pub must_be: bool,
    /// The violation that caught it.
    pub by: Option<Violation>,
}

impl Caught {
    /// Whether it was caught if and only if it must be.
    #[must_use]
    pub fn is_as_promised(&self) -> bool {
        self.by.is_some() == self.must_be
    }
}

/// Everything that was gone through and found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One row per scope.
    pub rows: Vec<Row>,
    /// The promises that the log broke. None, as long as the log is right.
    pub violations: Vec<Violation>,
    /// The twins, each without and with threads, and the logs that lack one of several defences.
    pub twins: Vec<Caught>,
}

impl Report {
    /// Whether the log kept every promise and each twin was caught.
    #[must_use]
    pub fn is_as_promised(&self) -> bool {
        self.violations.is_empty() && self.twins.iter().all(Caught::is_as_promised)
    }
}

/// The scopes of this extent, with their names.
#[must_use]
pub fn scopes(extent: Extent) -> Vec<(&'static str, Scope)> {
    let small = [
        ("1 operation, faults and damage", short(SMALL, 1, true, true)),
        ("3 operations", short(SMALL, 3, false, false)),
        ("2 operations, wrong files and full disk", files(2)),
        ("threads: 1 operation, faults and damage", threaded(short(SMALL, 1, true, true))),
        ("threads: 2 operations", threaded(short(SMALL, 2, false, false))),
        ("threads: 1 operation, files, full disk", threaded(files(1))),
    ];
    let full = [
        ("2 operations, faults", short(SMALL, 2, true, false)),
        ("4 operations", short(SMALL, 4, false, false)),
        ("chosen long workloads, faults and damage", long(SMALL)),
        ("2 operations, blocks that tear", short(TORN_BLOCKS, 2, true, false)),
        ("1 operation, large blocks", short(LARGE, 1, true, false)),
        ("1 operation, large blocks that tear", short(LARGE_TORN, 1, true, false)),
        ("threads: 2 operations, faults", threaded(short(SMALL, 2, true, false))),
        ("threads: 3 operations", threaded(short(SMALL, 3, false, false))),
        ("threads: chosen long workloads", threaded(without_faults(long(SMALL)))),
        ("threads: 2 operations, blocks that tear", threaded(short(TORN_BLOCKS, 2, true, false))),
    ];
    let more = if extent == Extent::Full { full.to_vec() } else { Vec::new() };
    small.into_iter().chain(more).collect()
}

fn short(geometry: Geometry, operations_max: usize, has_faults: bool, has_damages: bool) -> Scope {
    let workloads = workloads(operations_max);
    Scope {
        geometry,
        kinds: vec![LogKind::Serial],
        workloads,
        is_every_operation: false,
        has_crashes: true,
        has_faults,
        has_damages,
        has_wrong_files: false,
    }
}

fn long(geometry: Geometry) -> Scope {
    let workloads = long_workloads();
    let is_every_operation = true;
    Scope { workloads, is_every_operation, has_faults: true, ..short(geometry, 0, true, true) }
}

fn without_faults(scope: Scope) -> Scope {
    Scope { has_faults: false, has_damages: false, ..scope }
}

/// Wrong files only. Each segment is known to a batch before it, so that none is missed unnoticed.
fn files(operations_max: usize) -> Scope {
    let mut workloads = workloads(operations_max);
    // The last record is in the newest segment, and the one before knows that segment.
    workloads.push(Workload(vec![Operation::WriteLong; 3]));
    workloads.extend(long_workloads());
    let has_crashes = false;
    Scope {
        has_wrong_files: true,
        workloads,
        has_crashes,
        ..short(SEGMENTS_AHEAD, 0, false, false)
    }
}

/// The same on the log with threads, once per schedule.
fn threaded(scope: Scope) -> Scope {
    Scope { kinds: LogKind::threaded(), ..scope }
}

/// Goes through everything, and runs the twins. `done` is called with the name of each part that ended; if it
/// breaks, the report holds what was gone through until then.
#[must_use]
pub fn run(extent: Extent, done: &dyn Fn(&str) -> ControlFlow<()>) -> Report {
    let mut report = Report { rows: Vec::new(), violations: Vec::new(), twins: Vec::new() };
    for (name, scope) in scopes(extent) {
        let begin = Instant::now();
        let (counts, violations) = enumerate(&scope, &DefaultDecisions, false);
        let (geometry, wall_s) = (scope.geometry.name, begin.elapsed().as_secs_f64());
        report.rows.push(Row { scope: name, logs: scope.kinds, geometry, counts, wall_s });
        report.violations.extend(violations);
        if done(name).is_break() {
            return report;
        }
    }
    for twin in TWINS {
        let serial = catch(twin);
        let threaded = catch_with_threads(twin, serial.as_ref().map(|it| &it.workload));
        report.twins.push(caught(twin, false, true, serial));
        report.twins.push(caught(twin, true, true, threaded));
        if done(twin.name).is_break() {
            return report;
        }
    }
    for weakened in WEAKENED {
        // They differ in recovery alone, which is the same code with threads.
        let by = first(weakened.decisions, &weak_scope());
        report.twins.push(caught(weakened, false, false, by));
        if done(weakened.name).is_break() {
            return report;
        }
    }
    report
}

fn caught(variant: &Variant, has_threads: bool, must_be: bool, by: Option<Violation>) -> Caught {
    Caught { name: variant.name, about: variant.about, has_threads, must_be, by }
}

/// The scope of logs that must not be caught.
fn weak_scope() -> Scope {
    short(SMALL, 1, true, true)
}

/// Workloads that have caught some twins before. They are tried first, because the scopes that would
/// find them take long.
const KNOWN: [(&str, &[Operation]); 5] = [
    ("damage-is-cut", &[Operation::Append, Operation::Reopen]),
    ("blind-behind-the-break", &[Operation::Append, Operation::Reopen]),
    ("no-padding", &[Operation::Append, Operation::Reopen]),
    ("checkpoint-ahead-of-log", &[Operation::Append, Operation::Checkpoint]),
    (
        "recycled-without-a-check",
        &[
            Operation::Fill,
            Operation::Checkpoint,
            Operation::Fill,
            Operation::Checkpoint,
            Operation::Fill,
        ],
    ),
];

/// Looks for a violation that catches a twin of the log without threads, in scopes that grow.
#[must_use]
pub fn catch(twin: &Variant) -> Option<Violation> {
    let known = KNOWN.iter().find(|it| it.0 == twin.name);
    let known = known.map(|it| Scope { workloads: vec![Workload(it.1.to_vec())], ..weak_scope() });
    known.into_iter().chain(growing()).find_map(|it| first(twin.decisions, &it))
}

/// Looks for a violation that catches a twin of the log with threads: first after the workload that
/// caught it without, then in scopes that grow.
#[must_use]
pub fn catch_with_threads(twin: &Variant, workload: Option<&Workload>) -> Option<Violation> {
    let only = |it: &Workload, scope| Scope { workloads: vec![it.clone()], ..scope };
    let known = workload.map(|it| [only(it, files(0)), only(it, weak_scope())]);
    let scopes = known.into_iter().flatten().chain(growing());
    scopes.map(threaded).find_map(|it| first(twin.decisions, &it))
}

/// The scopes in which a twin is looked for.
fn growing() -> [Scope; 6] {
    [
        short(SMALL, 1, false, false),
        files(1),
        weak_scope(),
        short(SMALL, 2, false, false),
        without_faults(long(SMALL)),
        short(SMALL, 2, true, true),
    ]
}

fn first(decisions: &'static dyn Decisions, scope: &Scope) -> Option<Violation> {
    enumerate(scope, decisions, true).1.into_iter().next()
}
