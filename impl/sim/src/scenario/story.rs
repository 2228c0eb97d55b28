//! The record of a scenario: a timeline, reports, findings, and a verdict.

use std::fmt::{self, Write};
use std::time::Duration;

use steadfast_guarantees::{GuaranteeId, Status, guarantees};
use steadfast_protocol::{NodeId, Path, Replica, RequestId};
use steadfast_trace::Trace;

use crate::contents::are_equal;
use crate::{Ledger, Simulation, Time};

use super::Source;

/// The longest time that a scenario waits for anything.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// An expectation of a scenario, and whether it was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The expectation in words.
    pub what: String,
    /// Whether it was met.
    pub holds: bool,
}

/// A scenario that has run.
#[derive(Clone, Debug)]
pub struct Story {
    /// The scenario.
    pub scenario: &'static str,
    /// The subject of the story.
    pub title: String,
    /// The timeline and the reports.
    pub text: String,
    /// The expectations, each with whether it was met.
    pub findings: Vec<Finding>,
    /// The promised guarantees that do not hold.
    pub violated: Vec<GuaranteeId>,
    /// The number of guarantees that are promised with these settings.
    pub promised: usize,
    /// The run as a trace, which `check replay` can follow.
    pub trace: Trace,
    /// Counts of the faults injected and the events reached.
    pub ledger: Ledger,
    /// The virtual time that passed.
    pub simulated: Time,
}

impl Story {
    /// Whether every expectation was met and every promise kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violated.is_empty() && self.findings.iter().all(|it| it.holds)
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "=== {}: {}\n{}", self.scenario, self.title, self.text)?;
        writeln!(f, "What this shows")?;
        for it in &self.findings {
            writeln!(f, "  {} {}", if it.holds { "yes" } else { "NO " }, it.what)?;
        }
        match self.violated.is_empty() {
            true => writeln!(f, "  yes all {} promised guarantees held", self.promised)?,
            false => writeln!(f, "  NO  broken: {}", self.broken())?,
        }
        let verdict = if self.holds() { "as promised" } else { "NOT AS PROMISED" };
        writeln!(f, "Verdict: {verdict}, after {} of virtual time", self.simulated)
    }
}

impl Story {
    fn broken(&self) -> String {
        self.violated.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Runs a story and records it.
pub(super) struct Teller {
    scenario: &'static str,
    title: String,
    pub cluster: Simulation,
    text: String,
    /// The number of timeline lines recorded so far.
    told: usize,
    findings: Vec<Finding>,
}

impl Teller {
    pub(super) fn new(scenario: &'static str, title: &str, cluster: Simulation) -> Teller {
        let settings = cluster.setup().settings;
        let title = format!(
            "{title} (N={} E={} W={}, seed {})",
            settings.nodes(),
            settings.elect(),
            settings.write(),
            cluster.setup().seed
        );
        let (text, findings) = (String::new(), Vec::new());
        Teller { scenario, title, cluster, text, told: 0, findings }
    }

    /// Begins a chapter.
    pub(super) fn chapter(&mut self, title: &str) {
        self.tell();
        let _ = writeln!(self.text, "\n--- {title}");
    }

    /// Adds a note that no node knows.
    pub(super) fn note(&mut self, note: &str) {
        self.tell();
        let _ = writeln!(self.text, "  {note}");
    }

    /// Writes down the lines of the timeline since the last call.
    fn tell(&mut self) {
        for line in &self.cluster.timeline().lines()[self.told..] {
            let _ = writeln!(self.text, "{line}");
        }
        self.told = self.cluster.timeline().lines().len();
    }

    /// Writes down the consistency report.
    pub(super) fn report(&mut self, when: &str) {
        self.tell();
        let report = self.cluster.report();
        let _ = write!(self.text, "\n  Consistency {when}, at {}\n{report}", self.cluster.now());
    }

    /// Notes an expectation and whether it is met.
    pub(super) fn expect(&mut self, what: impl Into<String>, holds: bool) {
        self.findings.push(Finding { what: what.into(), holds });
    }

    /// Waits until a node leads; returns it.
    pub(super) fn leader(&mut self) -> NodeId {
        let up: Vec<NodeId> = self.cluster.up().iter().collect();
        self.leader_among(&up)
    }

    /// Waits until one of these nodes leads and the others follow it, and returns that node. Where
    /// one vote is enough, several may begin to lead at once; the first message then deposes all
    /// but one of them.
    pub(super) fn leader_among(&mut self, nodes: &[NodeId]) -> NodeId {
        let leads = |it: &Simulation| {
            let promise = |node: &NodeId| it.replica(*node).map(Replica::promise);
            let mut leaders = nodes.iter().filter(|node| it.leads(**node));
            let leader = leaders.next().filter(|_| leaders.next().is_none())?;
            nodes.iter().all(|node| promise(node) == promise(leader)).then_some(*leader)
        };
        self.cluster.run_until(WAIT_MAX, |it| leads(it).is_some());
        leads(&self.cluster).unwrap_or_default()
    }

    /// Waits until a client was answered, and returns whether the answer is an acknowledgement.
    pub(super) fn is_acknowledged(&mut self, request: RequestId) -> bool {
        let is_open = |it: &Simulation| it.status(request) == Some(Status::Pending);
        self.cluster.run_until(WAIT_MAX, |it| !is_open(it));
        self.cluster.status(request) == Some(Status::Done)
    }

    /// Puts a file and waits until every node that is up shows it and the client has its answer.
    /// Returns whether the answer is an acknowledgement, and how long this took.
    pub(super) fn put_everywhere(&mut self, node: NodeId, source: &Source) -> (bool, Duration) {
        let begin = self.cluster.now();
        let request = self.cluster.put(node, &source.name, source.bytes.clone());
        let path = Path::new(source.name.as_str());
        let shows =
            |it: &Replica| it.files().visible(&path).is_some_and(|it| it.request == request);
        let is_everywhere = |it: &Simulation| {
            it.up().iter().all(|node| it.replica(node).is_some_and(shows))
                && it.status(request) != Some(Status::Pending)
        };
        self.cluster.run_until(WAIT_MAX, is_everywhere);
        let is_acknowledged = self.cluster.status(request) == Some(Status::Done);
        (is_acknowledged, self.cluster.now().since(begin))
    }

    /// Puts a file and waits for the answer.
    pub(super) fn put(&mut self, node: NodeId, source: &Source) -> bool {
        let request = self.cluster.put(node, &source.name, source.bytes.clone());
        self.is_acknowledged(request)
    }

    /// Lets virtual time pass.
    pub(super) fn wait(&mut self, millis: u64) {
        self.cluster.run_for(Duration::from_millis(millis));
    }

    /// Waits until nothing is left to do.
    pub(super) fn wait_for_rest(&mut self) -> bool {
        self.cluster.run_until(WAIT_MAX, Simulation::is_settled)
    }

    /// Whether a node shows a file with exactly these bytes.
    pub(super) fn shows(&self, node: NodeId, source: &Source) -> bool {
        let shown = self.cluster.shown(node, &source.name);
        shown.is_some_and(|shown| are_equal(shown, &source.bytes))
    }

    /// Ends the faults and the story, and judges it.
    pub(super) fn finish(mut self) -> Story {
        let settled = self.cluster.settle();
        self.report("at the end");
        self.expect("the cluster came to rest and every node shows the same", {
            settled.is_ok() && self.cluster.report().is_consistent()
        });
        let settings = self.cluster.setup().settings;
        let mut violated = self.cluster.violated();
        violated.extend(self.cluster.broken().iter().map(|(id, _)| *id));
        violated.sort_unstable();
        violated.dedup();
        Story {
            scenario: self.scenario,
            title: self.title,
            text: self.text,
            findings: self.findings,
            violated,
            promised: guarantees().iter().filter(|it| it.is_promised(settings)).count(),
            trace: self.cluster.trace(),
            ledger: *self.cluster.ledger(),
            simulated: self.cluster.now(),
        }
    }
}
