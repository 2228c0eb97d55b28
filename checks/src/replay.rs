//! `check replay`: runs a saved counterexample again.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use steadfast_cluster::{Action, Replay, replay as begin, tell};
use steadfast_guarantees::GuaranteeId;
use steadfast_output::exit_code::INCOMPLETE;
use steadfast_output::number::whole;
use steadfast_output::{escaped, say, warn};
use steadfast_picture::Story;
use steadfast_protocol::NodeId;
use steadfast_trace::TraceStep;

use crate::colour::{green, red};
use crate::failure::Failure;
use crate::fold::fold;
use crate::json;
use crate::read_files::{TraceFile, read_trace};
use crate::verdict::Verdict;

/// The options of `check replay`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReplayOptions {
    /// The trace.
    pub trace: PathBuf,
    /// Print from this step on; the steps before it are taken and not printed.
    #[arg(long, value_name = "STEP", value_parser = whole::<usize>(1..=usize::MAX), conflicts_with = "last")]
    pub from: Option<usize>,
    /// Print this many steps at the end.
    #[arg(long, value_name = "COUNT", value_parser = whole::<usize>(1..=usize::MAX))]
    pub last: Option<usize>,
    /// Stop after this step, and show the whole state there.
    #[arg(long, value_name = "STEP", value_parser = whole::<usize>(1..=usize::MAX))]
    pub until: Option<usize>,
    /// Print only the steps that this node takes part in, such as n0.
    #[arg(long, value_name = "NODE", value_parser = node)]
    pub node: Option<NodeId>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

fn node(name: &str) -> Result<NodeId, String> {
    let number = name.strip_prefix('n').and_then(|it| it.parse().ok());
    number.map(NodeId).ok_or_else(|| "a node is called n0, n1, and so on".to_owned())
}

/// The notation of states and steps.
const LEGEND: &str = "  n0           a node                       e2.n1  the epoch 2, led by n1
  n0#1         write 1 that n0 logged       t0     the tag of an Append and its Ack
  vv[2,0]      2 writes of n0, none of n1   s1     session 1 of a connection
  a | b || c   the log: a and b are synced, c is not yet
  tick, times out    the heartbeat timer, and the election timer of a node run out
  - and +      a line of the state that a step removes or adds";

/// The beginning of the lines that a broken guarantee takes besides its first.
const BELOW: &str = "         ";

/// What a replay shows; `--json` prints it.
#[derive(Serialize)]
struct Report {
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'static str>,
    /// How many steps were taken.
    taken: usize,
    /// The steps that are asked for.
    steps: Vec<Shown>,
    /// The ids of the guarantees that do not hold at the end.
    breaks: Vec<&'static str>,
    /// The first step that does something else than its note says, and what.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<String>,
}

/// A step.
#[derive(Serialize)]
struct Shown {
    number: usize,
    step: String,
    /// A line for each difference in the state, and for each message that was sent or lost.
    changes: Vec<String>,
    breaks: Vec<Broken>,
}

/// A guarantee that a step breaks.
#[derive(Serialize)]
struct Broken {
    id: &'static str,
    name: &'static str,
    promise: &'static str,
    is_promised: bool,
    /// The facts that contradict the promise.
    why: String,
}

/// The steps that are printed.
struct Window {
    from: usize,
    until: usize,
    node: Option<NodeId>,
}

impl Window {
    fn of(options: &ReplayOptions, file: &TraceFile) -> Result<Window, Failure> {
        let count = file.trace.steps.len();
        let outside = |option: &str, step: usize| {
            Failure::usage(format!("{option} {step}: {} has {count} steps", file.name))
        };
        let until = options.until.unwrap_or(count);
        if until > count {
            return Err(outside("--until", until));
        }
        let last = options.last.map(|it| until.saturating_sub(it) + 1);
        let from = last.or(options.from).unwrap_or(1);
        if from == 0 || from > until.max(1) && options.last.is_none() {
            return Err(outside("--from", from));
        }
        let nodes = file.trace.scope.settings.nodes();
        if let Some(node) = options.node.filter(|it| it.0 >= nodes) {
            let last = nodes - 1;
            return Err(Failure::usage(format!("--node {node}: the nodes are n0 to n{last}")));
        }
        Ok(Window { from, until, node: options.node })
    }
}

/// Replays a trace step by step, and says where what breaks, and why.
pub(crate) fn replay(options: &ReplayOptions) -> Result<ExitCode, Failure> {
    let file = read_trace(&options.trace)?;
    let window = Window::of(options, &file)?;
    let mut following = Following::begin(&file, &window, options.json);
    following.say_head();
    for (number, step) in (1..=window.until).zip(&file.trace.steps) {
        following.step(number, step)?;
    }
    following.finish(options.until.is_some())
}

/// A trace that is being followed.
struct Following<'a> {
    file: &'a TraceFile,
    window: &'a Window,
    run: Replay,
    /// The nodes of each step, and the reasons why guarantees break.
    story: Story,
    broken: Vec<GuaranteeId>,
    is_json: bool,
    report: Report,
}

impl<'a> Following<'a> {
    fn begin(file: &'a TraceFile, window: &'a Window, is_json: bool) -> Self {
        let run = begin(&file.trace, file.variant);
        let report = Report {
            scope: file.trace.scope.name.clone(),
            variant: file.variant.map(|it| it.name),
            taken: 0,
            steps: Vec::new(),
            breaks: Vec::new(),
            differs: None,
        };
        let story = tell(&file.trace, file.variant, usize::MAX).story;
        Following { file, window, broken: run.broken(), run, story, is_json, report }
    }

    /// The scope, the notation, and the state in which the printed steps begin.
    fn say_head(&self) {
        if self.is_json {
            return;
        }
        let variant = self.file.variant;
        let variant = variant.map_or(String::new(), |it| format!(" as {}: {}", it.name, it.about));
        say(format_args!("scope {}{variant}\n\n{LEGEND}\n", escaped(&self.report.scope)));
        if self.window.from == 1 {
            self.say_state("Before step 1");
        }
    }

    fn say_state(&self, when: &str) {
        say(format_args!("{when}:"));
        format!("{:?}", self.run.state).lines().for_each(|it| say(escaped(it)));
        say("");
    }

    fn step(&mut self, number: usize, step: &TraceStep) -> Result<(), Failure> {
        let taken = self.run.take(&step.step);
        let (action, outcome) = taken.map_err(|error| {
            let recorded = recorded(step).map_or(String::new(), |it| format!(" (recorded: {it})"));
            let message = self.bad(&format!("step {number}{recorded}: {error}"));
            Failure { message, code: INCOMPLETE }
        })?;
        self.compare(number, step, &action);
        self.report.taken = number;
        let broken = self.run.broken();
        let breaks = self.breaks(number, &broken);
        self.broken = broken;
        if self.is_shown(number) {
            let mut lines = outcome.lines().map(str::to_owned);
            let step = lines.next().unwrap_or_default();
            // The breaks follow, with their reasons.
            let changes = lines.filter(|it| !it.starts_with("BREAKS ")).collect();
            self.show(Shown { number, step, changes, breaks });
        }
        if !self.is_json && number + 1 == self.window.from {
            self.say_state(&format!("After step {number}"));
        }
        Ok(())
    }

    fn is_shown(&self, number: usize) -> bool {
        // The story begins with step 1.
        let moment = self.story.moments.get(number - 1);
        let takes_part =
            |node| moment.is_none_or(|it| it.nodes.is_empty() || it.nodes.contains(&node));
        number >= self.window.from && self.window.node.is_none_or(takes_part)
    }

    /// The guarantees that a step breaks.
    fn breaks(&self, number: usize, broken: &[GuaranteeId]) -> Vec<Broken> {
        let new = broken.iter().filter(|it| !self.broken.contains(it));
        let told = |id: GuaranteeId| {
            let mut breaks = self.story.breaks.iter();
            let found = breaks.find(|it| it.step == number && it.id == id.short());
            found.map_or(String::new(), |it| it.reason.clone())
        };
        let broken = |id: &GuaranteeId| Broken {
            id: id.short(),
            name: id.name(),
            promise: id.guarantee().promise(),
            is_promised: self.promises(*id),
            why: told(*id),
        };
        new.map(broken).collect()
    }

    fn show(&mut self, shown: Shown) {
        if self.is_json {
            self.report.steps.push(shown);
            return;
        }
        say(format_args!("{:>3}. {}", shown.number, escaped(&shown.step)));
        for line in &shown.changes {
            // A path may be any text.
            let line = escaped(line);
            let line = match line.as_bytes().first() {
                Some(b'-') => red(line),
                Some(b'+') => green(line),
                _ => line,
            };
            say(format_args!("     {line}"));
        }
        for it in &shown.breaks {
            let promised = if it.is_promised { "" } else { " (not promised here)" };
            let (number, id, name) = (shown.number, it.id, it.name);
            let text = format!(">>> step {number} breaks {id} {name}{promised}: {}", it.promise);
            say(red(fold(&format!("     {text}"), BELOW)));
            // Where no facts are known, the reason repeats the promise.
            if !it.why.is_empty() && !it.why.ends_with(it.promise) {
                let text = format!("     >>> because {}", escaped(&it.why));
                say(red(fold(&text, BELOW)));
            }
        }
    }

    /// Notes the first step that is another one than was recorded.
    fn compare(&mut self, number: usize, step: &TraceStep, action: &Action) {
        let now = format!("{action:?}");
        let recorded = recorded(step).filter(|it| *it != now && self.report.differs.is_none());
        if let Some(recorded) = recorded {
            self.report.differs = Some(format!(
                "the first step that differs is {number}: recorded `{recorded}`, now `{now}`"
            ));
        }
    }

    /// An error that also says where the run began to differ from what was recorded.
    fn bad(&self, message: &str) -> String {
        let differs = self.report.differs.as_ref().map_or(String::new(), |it| format!("; {it}"));
        format!("{}: {message}{differs}", self.file.name)
    }

    fn promises(&self, id: GuaranteeId) -> bool {
        id.guarantee().is_promised(self.file.trace.scope.settings)
    }

    /// Ends as the trace does, or says how not; in the middle, if the user asked for that.
    fn finish(mut self, is_cut_off: bool) -> Result<ExitCode, Failure> {
        self.report.breaks = self.broken.iter().map(|it| it.short()).collect();
        let is_broken = self.broken.iter().any(|it| self.promises(*it));
        let mut verdict = if is_broken { Verdict::Broken } else { Verdict::Kept };
        let recorded = &self.file.trace.breaks;
        if !is_cut_off && self.report.breaks != *recorded {
            let breaks = &self.report.breaks;
            let message = format!("the run breaks {breaks:?}, but the trace says {recorded:?}");
            warn(self.bad(&message));
            verdict = Verdict::Broken;
        } else {
            self.report.differs.iter().for_each(|it| warn(format_args!("note: {it}")));
            if !self.is_json {
                self.say_end(is_cut_off);
            }
        }
        if self.is_json {
            json::print(verdict, &self.report)?;
        }
        Ok(verdict.exit_code())
    }

    fn say_end(&self, is_cut_off: bool) {
        if is_cut_off {
            self.say_state(&format!("\nAfter step {}", self.report.taken));
            return;
        }
        let promised =
            |it: &GuaranteeId| if self.promises(*it) { "" } else { ", which is not promised here" };
        let breaks = self.broken.iter().map(|it| format!("{}{}", it.short(), promised(it)));
        let breaks = breaks.collect::<Vec<_>>().join(", ");
        let breaks = if breaks.is_empty() { "nothing".to_owned() } else { breaks };
        say(format_args!("\nAs recorded: the run breaks {breaks}."));
    }
}

/// What the note of a step says, if it has one.
fn recorded(step: &TraceStep) -> Option<&str> {
    Some(step.note.as_str()).filter(|it| !it.is_empty())
}
