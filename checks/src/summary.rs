//! What an invocation finds: printed as it is found, and at the end judged in one sentence or as JSON.

use std::mem::discriminant;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Serialize, Serializer};
use steadfast_guarantees::twins::{Twin, Variant};
use steadfast_output::{in_parallel, is_interrupted, say};
use steadfast_trace::Scope;
use steadfast_wal_crash::{Extent, Report as CrashStates};

use crate::child::{end_searches_on_interrupt, search_all};
use crate::colour::{green, red, yellow};
use crate::crash_states;
use crate::failure::Failure;
use crate::in_order::InOrder;
use crate::job::{DeadMessages, Engine, Job, Progress, Run, Search, TraceOrFile};
use crate::json;
use crate::matrix::{self, Cell};
use crate::options::Output;
use crate::oracle::{self, Compared};
use crate::report;
use crate::seeds::{self, FoundTwin, Swarm};
use crate::settling::{self, Settling};
use crate::status_line::StatusLine;
use crate::traces::Traces;
use crate::twins::{self, Caught};
use crate::verdict::Verdict;

/// The question that a search answers, and so the table that it has a row in.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Whether a scope keeps the promises.
    Scope,
    /// Whether a setting of the matrix does.
    Setting,
    /// Whether a twin is caught.
    Twin(&'static Twin),
    /// Whether stateright counts the same.
    Compared,
}

/// At most this many searches are described in detail.
const DETAILED_MAX: usize = 3;

/// What an invocation found so far.
pub(crate) struct Summary<'a> {
    found: Found,
    output: &'a Output,
    traces: Traces,
    /// The table that the last row belongs to.
    table: Option<Part>,
}

/// What an invocation found; `--json` prints it.
#[derive(Default, Serialize)]
struct Found {
    /// The variant that ran, if it was not the protocol as it is.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "name")]
    variant: Option<&'static Variant>,
    /// What was not begun or not ended, because the user interrupted the program.
    unfinished: Vec<String>,
    runs: Vec<Run>,
    compared: Vec<Compared>,
    matrix: Vec<Cell>,
    twins: Vec<Caught>,
    settling: Vec<Settling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crash_states: Option<CrashStates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<Swarm>,
    seed_twins: Vec<FoundTwin>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field")]
fn name<S: Serializer>(variant: &Option<&'static Variant>, to: S) -> Result<S::Ok, S::Error> {
    variant.map(|it| it.name).serialize(to)
}

impl<'a> Summary<'a> {
    /// Nothing found yet, about a variant or the protocol as it is.
    ///
    /// # Errors
    /// The directory for traces cannot be written into.
    pub(crate) fn begin(
        variant: Option<&'static Variant>,
        output: &'a Output,
    ) -> Result<Self, Failure> {
        let traces = Traces::into(output.traces.as_deref())?;
        end_searches_on_interrupt();
        if let (Some(variant), false) = (variant, output.json) {
            say(format_args!("As {}: {}.\n", variant.name, variant.about));
        }
        let found = Found { variant, ..Found::default() };
        Ok(Summary { found, output, traces, table: None })
    }

    /// Searches, and prints each row as soon as those before it are there.
    pub(crate) fn search(&mut self, parts: &[(Part, Job)]) {
        let status = StatusLine::begin(Some(parts.len() as u64), "searching");
        let jobs: Vec<&Job> = parts.iter().map(|it| &it.1).collect();
        let taken = Mutex::new((InOrder::new(), 0, &mut *self));
        let done = |at: usize, run: Run| {
            status.task_done();
            if let Ok(mut taken) = taken.lock() {
                let (in_order, count, summary) = &mut *taken;
                for run in in_order.add(at, run) {
                    summary.take(&parts[*count].0, run, &status);
                    *count += 1;
                }
            }
        };
        let progress = |job: &Job, it: Progress| {
            let variant = job.variant.as_deref().map_or(String::new(), |it| format!(" as {it}"));
            status.say(format!("{}{variant}, {it}", job.scope.name));
        };
        search_all(&jobs, &done, &progress);
        let count = taken.into_inner().map_or(0, |it| it.1);
        self.end_table(&status);
        self.note_unfinished(parts.len() - count, "searches");
    }

    /// Takes a search whose turn it is.
    fn take(&mut self, part: &Part, mut run: Run, status: &StatusLine) {
        if self.table.as_ref().map(discriminant) != Some(discriminant(part)) {
            self.end_table(status);
            self.table = Some(*part);
            self.print(status, &head(part));
        }
        save_traces(&mut run, &self.traces);
        let row = match part {
            Part::Scope => {
                let row = report::row(&run);
                self.found.runs.push(run);
                row
            }
            Part::Setting => {
                let cell = matrix::cell(&run);
                let row = matrix::row(&cell);
                self.found.matrix.push(cell);
                row
            }
            Part::Twin(twin) => {
                let caught = twins::caught(twin, &run);
                let row = twins::row(&caught);
                self.found.twins.push(caught);
                row
            }
            Part::Compared => {
                let compared = oracle::compared(&run, &self.found.runs);
                let row = compared.as_ref().map_or(String::new(), oracle::row);
                self.found.compared.extend(compared);
                row
            }
        };
        self.print(status, &row);
    }

    /// Prints the foot of the table that was begun last.
    fn end_table(&mut self, status: &StatusLine) {
        let foot = match self.table.take() {
            Some(Part::Scope) if self.found.runs.len() <= DETAILED_MAX => {
                let ran = self.found.runs.iter().filter(|it| it.generated > 0);
                ran.map(|it| format!("\n{}", report::details(it))).collect()
            }
            Some(Part::Setting) => matrix::foot(&self.found.matrix),
            Some(Part::Twin(_)) => twins::foot(&self.found.twins),
            Some(Part::Scope | Part::Compared) => String::new(),
            None => return,
        };
        if !foot.is_empty() {
            self.print(status, &foot);
        }
        self.print(status, "");
    }

    /// Builds and judges graphs, each on one core.
    pub(crate) fn settle(&mut self, scopes: &[Scope]) {
        let status = StatusLine::begin(Some(scopes.len() as u64), "building fault-free graphs");
        let (variant, limits) = (self.found.variant, self.output.limits());
        let next = AtomicUsize::new(0);
        let taken = Mutex::new((InOrder::new(), &mut *self));
        in_parallel(seeds::cores(), || {
            while !is_interrupted()
                && let at = next.fetch_add(1, Ordering::Relaxed)
                && let Some(scope) = scopes.get(at)
            {
                let settling = settling::judge(scope.clone(), variant, limits);
                status.task_done();
                if let Ok(mut taken) = taken.lock() {
                    let (in_order, summary) = &mut *taken;
                    for settling in in_order.add(at, settling) {
                        if summary.found.settling.is_empty() {
                            summary.print(&status, &settling::head());
                        }
                        summary.print(&status, &settling::row(&settling));
                        summary.found.settling.push(settling);
                    }
                }
            }
        });
        if !self.found.settling.is_empty() {
            self.print(&status, "");
        }
        self.note_unfinished(scopes.len() - self.found.settling.len(), "graphs");
    }

    /// Goes through the crash states of the log.
    pub(crate) fn crash(&mut self, extent: Extent) {
        if is_interrupted() {
            self.found.unfinished.push("the crash states of the log".to_owned());
            return;
        }
        let report = crash_states::judge(extent);
        if !self.output.json {
            crash_states::show(&report);
            say("");
        }
        self.found.crash_states = Some(report);
    }

    /// Runs the seeds of the default suite.
    pub(crate) fn run_seeds(&mut self) {
        if !is_interrupted() {
            let (swarm, twins) = seeds::run_in_suite(self.found.variant);
            if !self.output.json {
                say(seeds::tables(&swarm, &twins));
            }
            (self.found.seeds, self.found.seed_twins) = (Some(swarm), twins);
        }
        if is_interrupted() {
            self.found.unfinished.push("the seeds".to_owned());
        }
    }

    fn note_unfinished(&mut self, count: usize, what: &str) {
        if count > 0 {
            self.found.unfinished.push(format!("{count} {what}"));
        }
    }

    fn print(&self, status: &StatusLine, text: &str) {
        if !self.output.json {
            status.print(text);
        }
    }

    /// Says how everything ends.
    pub(crate) fn finish(self) -> Result<ExitCode, Failure> {
        let verdict = self.found.verdict();
        match self.output.json {
            true => json::print(verdict, &self.found)?,
            false => say(self.found.sentence(verdict)),
        }
        Ok(verdict.exit_code())
    }
}

fn head(part: &Part) -> String {
    match part {
        Part::Scope => report::head(),
        Part::Setting => matrix::head(),
        Part::Twin(_) => twins::head(),
        Part::Compared => oracle::head(),
    }
}

/// Writes the counterexamples to files, if that is asked for.
fn save_traces(run: &mut Run, traces: &Traces) {
    let variant = run.variant.as_deref().map_or(String::new(), |it| format!("{it}-"));
    // The default suite searches some scopes with both engines.
    let engine = if run.engine == Engine::Stateright { "-stateright" } else { "" };
    let Run { scope, elect, write, .. } = &run;
    let run_name = format!("{variant}{scope}-e{elect}w{write}");
    for finding in &mut run.guarantees {
        if let Some(TraceOrFile::Trace(trace)) = &finding.trace {
            let name = format!("{run_name}-{}{engine}", finding.id);
            match traces.save(&name, trace) {
                Ok(Some(saved)) => {
                    finding.trace = Some(TraceOrFile::File(saved.trace));
                    finding.page = Some(saved.page);
                }
                Ok(None) => {}
                Err(failure) => run.unwritten = Some(failure.message),
            }
        }
    }
}

impl Found {
    fn verdict(&self) -> Verdict {
        let kept = |is_kept| if is_kept { Verdict::Kept } else { Verdict::Broken };
        let verdicts = self.runs.iter().map(Verdict::of);
        verdicts
            .chain([oracle::verdict(&self.compared)])
            .chain((!self.matrix.is_empty()).then(|| matrix::verdict(&self.matrix)))
            .chain((!self.twins.is_empty()).then(|| twins::verdict(&self.twins)))
            .chain(self.settling.iter().map(Settling::verdict))
            .chain(self.crash_states.iter().map(crash_states::verdict))
            .chain(self.seeds.iter().map(|it| kept(it.is_kept())))
            .chain((!self.unfinished.is_empty()).then_some(Verdict::Incomplete))
            .max()
            .unwrap_or(Verdict::Kept)
    }

    /// The verdict in one sentence.
    fn sentence(&self, verdict: Verdict) -> String {
        let mut parts = self.searches();
        if !self.compared.is_empty() {
            let equal = self.compared.iter().filter(|it| it.equal).count();
            let count = self.compared.len();
            parts.push(format!("stateright counts the same in {equal} of {count} scopes"));
        }
        if !self.matrix.is_empty() {
            let kept = self.matrix.iter().filter(|it| it.as_promised).count();
            let count = self.matrix.len();
            parts.push(format!("{kept} of {count} settings of (E,W) are as promised"));
        }
        if !self.twins.is_empty() {
            let caught = self.twins.iter().filter(|it| it.caught_by.is_some()).count();
            parts.push(format!("{caught} of {} twins were caught", self.twins.len()));
        }
        if !self.settling.is_empty() {
            let kept = self.settling.iter().filter(|it| it.verdict() == Verdict::Kept).count();
            parts.push(format!("{kept} of {} fault-free graphs settle", self.settling.len()));
        }
        if let Some(report) = &self.crash_states {
            let disks: u64 = report.rows.iter().map(|it| it.counts.crash_states).sum();
            parts.push(format!("the log was recovered from {disks} disks after crashes"));
        }
        if let Some(swarm) = &self.seeds {
            parts.push(seeds::sentence(swarm, &self.seed_twins));
        }
        if !self.unfinished.is_empty() {
            parts.push(format!("interrupted, not finished: {}", self.unfinished.join(", ")));
        }
        let verdict = match verdict {
            Verdict::Kept => green("All as promised, within these bounds"),
            Verdict::Incomplete => yellow("INCOMPLETE, this proves nothing"),
            Verdict::Broken => red("NOT as promised"),
        };
        format!("{verdict}: {}.", parts.join("; "))
    }

    /// What searches and walks came to.
    fn searches(&self) -> Vec<String> {
        let (walks, searches): (Vec<&Run>, Vec<&Run>) =
            self.runs.iter().partition(|it| it.search == Search::Walk);
        let complete: Vec<&Run> = searches.iter().copied().filter(|it| it.complete).collect();
        let mut parts = Vec::new();
        if !searches.is_empty() {
            let drops = |it: &&&Run| it.reductions.dead_messages == DeadMessages::Drop;
            let dropped = match complete.iter().filter(drops).count() {
                0 => String::new(),
                count => format!(", {count} of them without dead messages"),
            };
            parts.push(format!(
                "{} of {} searches visited every reachable state{dropped} ({} in all)",
                complete.len(),
                searches.len(),
                complete.iter().map(|it| it.unique).sum::<usize>()
            ));
        }
        if !walks.is_empty() {
            let walked: usize = walks.iter().map(|it| it.unique).sum();
            parts.push(format!("random walks sampled {walked} states"));
        }
        parts
    }
}
