//! What an invocation found, in tables, in one sentence, or as JSON.

use std::process::ExitCode;

use serde::{Serialize, Serializer};
use steadfast_guarantees::twins::Variant;
use steadfast_output::{say, warn};
use steadfast_wal_crash::Report as CrashStates;

use crate::crash_states;
use crate::failure::Failure;
use crate::job::{DeadMessages, Run, Search};
use crate::matrix::{self, Cell};
use crate::options::Output;
use crate::oracle::{self, Compared};
use crate::report;
use crate::seeds::{self, FoundTwin, Swarm};
use crate::settling::{self, Settling};
use crate::twins::{self, Caught};
use crate::verdict::Verdict;

/// What an invocation found; `--json` prints it.
#[derive(Default, Serialize)]
pub(crate) struct Summary {
    pub ok: bool,
    /// The variant that ran, if it was not the protocol as it is.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "name")]
    pub variant: Option<&'static Variant>,
    pub runs: Vec<Run>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Compared>,
    pub matrix: Vec<Cell>,
    pub twins: Vec<Caught>,
    pub settling: Vec<Settling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_states: Option<CrashStates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<Swarm>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seed_twins: Vec<FoundTwin>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field")]
fn name<S: Serializer>(variant: &Option<&'static Variant>, to: S) -> Result<S::Ok, S::Error> {
    variant.map(|it| it.name).serialize(to)
}

impl Summary {
    /// Prints everything, and says how it ends.
    pub(crate) fn finish(mut self, output: &Output) -> Result<ExitCode, Failure> {
        let verdict = self.verdict();
        self.ok = verdict == Verdict::Kept;
        self.runs.iter().flat_map(report::warnings).for_each(warn);
        if output.json {
            let json = serde_json::to_string_pretty(&self).map_err(Failure::io)?;
            say(json);
        } else {
            self.print_tables();
            say(self.sentence(verdict));
        }
        Ok(verdict.exit_code())
    }

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
            .max()
            .unwrap_or(Verdict::Kept)
    }

    fn print_tables(&self) {
        if let Some(variant) = self.variant {
            say(format_args!("As {}: {}.\n", variant.name, variant.about));
        }
        if !self.runs.is_empty() {
            say(report::table(&self.runs));
            if self.runs.len() <= 3 {
                self.runs.iter().for_each(|run| say(report::details(run)));
            }
        }
        if !self.compared.is_empty() {
            say(oracle::table(&self.compared));
        }
        if !self.matrix.is_empty() {
            say(matrix::table(&self.matrix));
        }
        if !self.twins.is_empty() {
            say(twins::table(&self.twins));
        }
        if !self.settling.is_empty() {
            say(settling::table(&self.settling));
        }
        self.crash_states.iter().for_each(crash_states::show);
        if let Some(swarm) = &self.seeds {
            say(seeds::tables(swarm, &self.seed_twins));
        }
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
        let verdict = match verdict {
            Verdict::Kept => "All as promised, within these bounds",
            Verdict::Incomplete => "INCOMPLETE, this proves nothing",
            Verdict::Broken => "NOT as promised",
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
