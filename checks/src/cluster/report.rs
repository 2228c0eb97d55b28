//! The ledger of all runs of an invocation.

use serde::Serialize;
use steadfast_output::say;

use super::run::{Means, Run};
use crate::colour::red;
use crate::fold::fold;
use crate::program_name::program_name;
use crate::verdict::Verdict;

/// How many broken promises of a run are printed.
const SHOWN_MAX: usize = 10;

/// The report of an invocation.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    /// `namespaces` or `loopback`.
    surroundings: &'static str,
    /// The faults that could not be injected here, each with the reason.
    left_out: Vec<String>,
    runs: Vec<Run>,
}

impl Report {
    pub(crate) fn new(seed: u64, means: &Means) -> Report {
        let mut left_out = Vec::new();
        let mut leave = |is_there: bool, text: &str| {
            if !is_there {
                left_out.push(text.to_owned());
            }
        };
        leave(
            means.is_in_namespace,
            "one-way cuts, slow links, full disks: they need root or user namespaces, with `unshare`, `ip` and `tc`",
        );
        leave(means.has_strace, "failing syncs: they need `strace`");
        leave(means.old_program.is_some(), "data of an older program: --old-binary names one");
        let surroundings = if means.is_in_namespace { "namespaces" } else { "loopback" };
        Report { seed, surroundings, left_out, runs: Vec::new() }
    }

    pub(crate) fn add(&mut self, run: Run) {
        if self.surroundings == "namespaces" && !run.has_netem && self.runs.is_empty() {
            let why = "random delays and losses: this system has no netem; slow links lose packets by a full queue";
            self.left_out.push(why.to_owned());
        }
        self.runs.push(run);
    }

    pub(crate) fn verdict(&self, is_interrupted: bool) -> Verdict {
        match self.runs.iter().all(|it| it.violations.is_empty()) {
            false => Verdict::Broken,
            true if is_interrupted => Verdict::Incomplete,
            true => Verdict::Kept,
        }
    }

    /// Whether the directory shows a failure.
    pub(crate) fn has_left_anything(&self) -> bool {
        self.runs.iter().any(|it| it.directory.is_some())
    }

    pub(crate) fn print(&self, verdict: Verdict) {
        say(format_args!("seed {}, nodes in {}", self.seed, self.surroundings));
        for it in &self.left_out {
            say(fold(&format!("  left out: {it}"), "    "));
        }
        self.runs.iter().for_each(print_run);
        let sentence = match verdict {
            Verdict::Kept => "every promise was kept",
            Verdict::Incomplete => "INCOMPLETE: interrupted before the nodes came to rest",
            Verdict::Broken => "a promise is BROKEN",
        };
        let seconds: f64 = self.runs.iter().map(|it| it.seconds).sum();
        say(format_args!("\n{seconds:.0} s: {sentence}."));
    }
}

fn print_run(run: &Run) {
    let Run { setting, elect, write, seconds, settling_s, .. } = run;
    say(format_args!(
        "\n{setting} (E={elect}, W={write}): {seconds:.0} s, at rest {settling_s:.1} s after the last fault"
    ));
    for (kind, outcomes) in &run.operations {
        let outcomes: Vec<String> =
            outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        say(fold(&format!("  {kind:<22} {}", outcomes.join(", ")), "    "));
    }
    for (kind, it) in &run.faults {
        let left_out = match it.left_out {
            0 => String::new(),
            left_out => format!(", {left_out} left out"),
        };
        say(format_args!("  {kind:<26} {:>4} times {:>7.1} s{left_out}", it.times, it.seconds));
    }
    for (what, count) in &run.noticed {
        say(format_args!("  {what:<26} {count:>4}"));
    }
    let fates = &run.acknowledged;
    let text = format!(
        "  acknowledged writes: {} shown, {} kept as conflict versions, {} replaced by writes that named them, {} replaced \
         before the logs begin, {} lost",
        fates.shown, fates.in_conflict, fates.replaced, fates.dropped, fates.lost
    );
    say(fold(&text, "    "));
    if run.linearizable_paths > 0 {
        say(format_args!("  linearizable histories of paths: {}", run.linearizable_paths));
    }
    for it in run.violations.iter().take(SHOWN_MAX) {
        let path = it.path.as_ref().map_or(String::new(), |it| format!("{it}: "));
        let operations = match it.operations.is_empty() {
            true => String::new(),
            false => format!(" (operations {:?} of history.jsonl)", it.operations),
        };
        say(red(fold(&format!("  BROKEN: {path}{}{operations}", it.why), "    ")));
    }
    if run.violations.len() > SHOWN_MAX {
        say(red(format_args!("  and {} more", run.violations.len() - SHOWN_MAX)));
    }
    if let Some(directory) = &run.directory {
        let text = format!(
            "  left in {0}: history.jsonl, faults.txt, the messages of the nodes (a.log, b.log, c.log) and their data. `steadfast wal cat \
             {0}/cluster/a/data/log` prints a log; `{1} cluster --seed SEED` injects the same faults again",
            directory.display(),
            program_name()
        );
        say(fold(&text, "    "));
    }
}
