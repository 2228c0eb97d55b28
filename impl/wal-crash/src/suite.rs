//! What `check crash-states` goes through.

use std::time::Instant;

use serde::Serialize;
use steadfast_wal::{Decisions, Steadfast};

use crate::enumerate::{Counts, Scope, Violation, enumerate};
use crate::geometry::{Geometry, LARGE, LARGE_TORN, SEGMENTS_AHEAD, SMALL, TORN_BLOCKS};
use crate::workload::{Operation, Workload, long_workloads, workloads};
use crate::wrong_logs::{UNDEFENDED_LOGS, WEAKER_LOGS, WRONG_LOGS, WrongLog};

/// How much is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// Workloads of up to three operations.
    Small,
    /// Workloads of up to four operations, longer ones, and other sizes of blocks and sectors.
    Full,
}

/// What one scope came to.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scope.
    pub scope: &'static str,
    /// The sizes of blocks and sectors.
    pub geometry: &'static str,
    /// What was gone through.
    pub counts: Counts,
    /// How long it took, in seconds.
    pub wall_s: f64,
}

/// Whether a wrong log was caught.
#[derive(Clone, Debug, Serialize)]
pub struct Caught {
    /// Its name.
    pub name: &'static str,
    /// What it does wrong.
    pub about: &'static str,
    /// Whether it must be caught; not one that lacks a defence for which others cover.
    pub must_be: bool,
    /// What caught it.
    pub by: Option<Violation>,
}

impl Caught {
    /// Whether it was caught if and only if it must be.
    #[must_use]
    pub fn is_as_promised(&self) -> bool {
        self.by.is_some() == self.must_be
    }
}

/// What was gone through, and what was found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Scope by scope.
    pub rows: Vec<Row>,
    /// What the log broke: nothing, it is to be hoped.
    pub violations: Vec<Violation>,
    /// The wrong logs.
    pub wrong_logs: Vec<Caught>,
}

impl Report {
    /// Whether the log kept every promise, and each wrong log was caught.
    #[must_use]
    pub fn is_as_promised(&self) -> bool {
        self.violations.is_empty() && self.wrong_logs.iter().all(Caught::is_as_promised)
    }
}

/// The scopes of these bounds, with their names.
#[must_use]
pub fn scopes(bounds: Bounds) -> Vec<(&'static str, Scope)> {
    let small = [
        ("1 operation, faults and damage", short(SMALL, 1, true, true)),
        ("3 operations", short(SMALL, 3, false, false)),
        ("2 operations, wrong files and full disk", files(2)),
    ];
    let full = [
        ("2 operations, faults", short(SMALL, 2, true, false)),
        ("4 operations", short(SMALL, 4, false, false)),
        ("chosen long workloads, faults and damage", long(SMALL)),
        ("2 operations, blocks that tear", short(TORN_BLOCKS, 2, true, false)),
        ("1 operation, large blocks", short(LARGE, 1, true, false)),
        ("1 operation, large blocks that tear", short(LARGE_TORN, 1, true, false)),
    ];
    let more = if bounds == Bounds::Full { full.to_vec() } else { Vec::new() };
    small.into_iter().chain(more).collect()
}

fn short(geometry: Geometry, operations_max: usize, has_faults: bool, has_damages: bool) -> Scope {
    let workloads = workloads(operations_max);
    Scope {
        geometry,
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

/// Goes through everything, and runs the wrong logs. `done` hears of each part as it ends.
#[must_use]
pub fn run(bounds: Bounds, done: &dyn Fn(&str)) -> Report {
    let mut report = Report { rows: Vec::new(), violations: Vec::new(), wrong_logs: Vec::new() };
    for (name, scope) in scopes(bounds) {
        let begin = Instant::now();
        let (counts, violations) = enumerate(&scope, &Steadfast, false);
        let (geometry, wall_s) = (scope.geometry.name, begin.elapsed().as_secs_f64());
        report.rows.push(Row { scope: name, geometry, counts, wall_s });
        report.violations.extend(violations);
        done(name);
    }
    for wrong in WRONG_LOGS.iter().chain(UNDEFENDED_LOGS) {
        report.wrong_logs.push(judge(wrong, true));
        done(wrong.name);
    }
    for weaker in WEAKER_LOGS {
        report.wrong_logs.push(judge(weaker, false));
        done(weaker.name);
    }
    report
}

fn judge(wrong: &WrongLog, must_be: bool) -> Caught {
    let by = if must_be { catch(wrong) } else { first(wrong.decisions, &weak_scope()) };
    Caught { name: wrong.name, about: wrong.about, must_be, by }
}

/// What is gone through with a log that is not to be caught.
fn weak_scope() -> Scope {
    short(SMALL, 1, true, true)
}

/// What has caught some logs before: it is tried first, because the scopes before it take long.
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

/// What catches a log, looked for in scopes that grow.
#[must_use]
pub fn catch(wrong: &WrongLog) -> Option<Violation> {
    let decisions = wrong.decisions;
    let known = KNOWN.iter().find(|it| it.0 == wrong.name);
    let known = known.map(|it| Scope { workloads: vec![Workload(it.1.to_vec())], ..weak_scope() });
    let recycling = Scope { has_faults: false, has_damages: false, ..long(SMALL) };
    let scopes = [
        short(SMALL, 1, false, false),
        files(1),
        weak_scope(),
        short(SMALL, 2, false, false),
        recycling,
        short(SMALL, 2, true, true),
    ];
    known.iter().chain(&scopes).find_map(|it| first(decisions, it))
}

fn first(decisions: &'static dyn Decisions, scope: &Scope) -> Option<Violation> {
    enumerate(scope, decisions, true).1.into_iter().next()
}
