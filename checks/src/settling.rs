//! G12 on the graph of the continuation without further faults: it has no cycles, a leaderless end needs
//! at most two timeouts of any one node, and while a cut lasts, a leader that reaches enough nodes serves
//! its clients and stays.
//!
//! stateright's `eventually` is unsound on cycles and joins, so the engine searches the whole graph:
//! every reachable state of a scope, with the edges that deliveries, syncs, link events and due
//! heartbeats make. The guarantee itself judges its ends.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use steadfast_cluster::{ActorNode, ClusterComponents, ClusterModel, ClusterState, View};
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GuaranteeId, SupportedLeader, timeouts_needed};
use steadfast_output::{escaped, is_interrupted};
use steadfast_protocol::{NodeId, Replica};
use steadfast_search::{Ended, Options, Progress, Search};
use steadfast_trace::{Cut, Scope, Step};

use crate::job::Limits;
use crate::usage::exceeded;
use crate::verdict::Verdict;

/// What the graph of one scope showed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settling {
    pub scope: String,
    /// Whether the graph is whole and all of it was judged.
    pub complete: bool,
    pub states: usize,
    /// Edges of the fault-free continuation.
    pub edges: usize,
    /// States on or before a cycle of such edges; none if G12 holds.
    pub cyclic: usize,
    /// Different quiet states without a leader.
    pub leaderless: usize,
    /// Those that two timeouts of some node did not help.
    pub stuck: usize,
    /// The largest number of timeouts that one of them needed.
    pub timeouts: usize,
    /// Different states in which nothing is left to happen while a cut lasts, and whose leader reaches
    /// enough nodes.
    pub led_in_cut: usize,
    /// Those whose leader did not answer a client, or whose followers lack entries.
    pub unserved: usize,
    /// Those whose leader was deposed by the timer of a node that it does not reach.
    pub deposed: usize,
    /// The scope has guards and cuts, and none of its states shows a leader that reaches enough nodes
    /// during a cut, so that nothing about such leaders was judged.
    pub vacuous: bool,
}

impl Settling {
    pub(crate) fn verdict(&self) -> Verdict {
        match self.cyclic + self.stuck + self.unserved + self.deposed {
            0 if self.vacuous && self.complete => Verdict::Broken,
            0 if self.complete => Verdict::Kept,
            0 => Verdict::Incomplete,
            _ => Verdict::Broken,
        }
    }
}

/// Searches the graph of a scope, of a twin or of the protocol as it is, and judges it. Each graph has
/// the limits to itself.
pub(crate) fn judge(scope: Scope, variant: Option<&'static Variant>, limits: Limits) -> Settling {
    let begun = Instant::now();
    let is_exceeded = || exceeded(limits, begun.elapsed()).is_some() || is_interrupted();
    let name = scope.name.clone();
    let system = ClusterComponents::new(scope, variant, &[]);
    let model = system.model();
    let observe = |_: &Progress| match is_exceeded() {
        true => ControlFlow::Break("its limits are reached".to_owned()),
        false => ControlFlow::Continue(()),
    };
    let options = Options {
        time_max: limits.time,
        memory_max_bytes: limits.memory_bytes,
        ..Options::default()
    };
    let search = Search::new(&system, options).observed_by(&observe);
    let is_progress = |rule, step: &Step| system.is_progress(rule, step);
    let graph = search.settling(&is_progress, GuaranteeId::Settles as usize);
    let mut rests = Rests::default();
    graph.ends.iter().for_each(|it| rests.note(model, system.join(it)));
    let mut settling = Settling {
        scope: name,
        complete: matches!(graph.ended, Ended::Complete),
        states: count(graph.unique),
        edges: count(graph.edges),
        cyclic: count(graph.endless),
        leaderless: rests.leaderless.len(),
        stuck: 0,
        timeouts: 0,
        led_in_cut: rests.led_in_cut.len(),
        unserved: 0,
        deposed: 0,
        vacuous: rests.led_in_cut.is_empty()
            && model.scope().guards_elections
            && model.scope().bounds.partitions > 0,
    };
    for state in rests.leaderless.values() {
        if is_exceeded() {
            settling.complete = false;
            break;
        }
        for node in NodeId::all(model.scope().settings.nodes()) {
            match timeouts_needed(model, state, node) {
                Some(timeouts) => settling.timeouts = settling.timeouts.max(timeouts),
                None => settling.stuck += 1,
            }
        }
    }
    for (leaders, state) in rests.led_in_cut.values() {
        if is_exceeded() {
            settling.complete = false;
            break;
        }
        let serve = leaders.iter().all(|it| it.serves(model, state));
        settling.unserved += usize::from(!serve);
        // Without guards the timer of a node runs out although it hears its leader.
        let is_guarded = model.scope().guards_elections;
        let stay = !is_guarded || leaders.iter().all(|it| it.stays(model, state));
        settling.deposed += usize::from(!stay);
    }
    settling
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The nodes of a state and the cut: history and bounds do not matter to what timeouts can do.
type Nodes = (Vec<Arc<ActorNode>>, Option<Cut>);

/// The states in which nothing is left to happen, as far as they are judged.
#[derive(Default)]
struct Rests {
    /// Those without a leader.
    leaderless: HashMap<Nodes, ClusterState>,
    /// Those while a cut lasts, with the leaders that reach enough nodes.
    led_in_cut: HashMap<Nodes, (Vec<SupportedLeader>, ClusterState)>,
}

impl Rests {
    /// Keeps a state, if it is to be judged.
    fn note(&mut self, model: &ClusterModel, state: ClusterState) {
        let view = View { model, state: &state };
        if !view.is_quiet_in_cut() {
            return;
        }
        let cut = state.world().cut;
        let nodes = (state.actor_nodes().to_vec(), cut);
        if cut.is_some() {
            let leaders = SupportedLeader::all(model, &state);
            if !leaders.is_empty() {
                self.led_in_cut.entry(nodes).or_insert((leaders, state));
            }
        } else if !state.replicas().any(Replica::leads) {
            self.leaderless.entry(nodes).or_insert(state);
        }
    }
}

/// The head of the table of graphs, in two lines.
pub(crate) fn head() -> String {
    let upper = ["", "", "", "", "no", "", "time", "led in", "not", "de-"];
    let lower =
        ["settles", "states", "edges", "cyclic", "lead", "stuck", "outs", "cut", "served", "posed"];
    format!("{}\n{}", columns(&upper), columns(&lower))
}

/// Texts in the columns of the table.
fn columns<T: Display>(texts: &[T; 10]) -> String {
    let [name, counts @ ..] = texts;
    let widths = [8, 9, 6, 5, 5, 5, 6, 6, 6];
    let counts = counts.iter().zip(widths).map(|(it, width)| format!(" {it:>width$}"));
    format!("{name:<15}{}", counts.collect::<String>())
}

/// One graph as a row, with a line below it if it is not as it should be.
pub(crate) fn row(it: &Settling) -> String {
    let counts = [
        it.states,
        it.edges,
        it.cyclic,
        it.leaderless,
        it.stuck,
        it.timeouts,
        it.led_in_cut,
        it.unserved,
        it.deposed,
    ];
    let [states, edges, cyclic, leaderless, stuck, timeouts, led, unserved, deposed] =
        counts.map(|it| it.to_string());
    let row = columns(&[
        escaped(&it.scope).to_string(),
        states,
        edges,
        cyclic,
        leaderless,
        stuck,
        timeouts,
        led,
        unserved,
        deposed,
    ]);
    match (it.complete, it.vacuous) {
        (false, _) => row + "\n  INCOMPLETE: not every state was judged",
        (true, true) => row + "\n  VACUOUS: no leader to judge during a cut",
        (true, false) => row,
    }
}

#[cfg(test)]
mod tests {
    use steadfast_cluster::shipped;
    use steadfast_guarantees::twins::variant;
    use steadfast_protocol::Settings;

    use super::*;

    #[test]
    fn timeouts_do_not_help_a_leader_that_keeps_what_it_learned_to_itself() {
        let cold = shipped("cold").expect("a shipped scope").scope();
        let settling = judge(cold, variant("no-forwarding"), Limits::default());
        assert!(settling.stuck > 0 && settling.cyclic == 0, "{settling:?}");
    }

    #[test]
    fn a_guarded_scope_without_a_leader_to_judge_during_a_cut_is_vacuous() {
        let mut scope = shipped("guarded-link").expect("a shipped scope").scope();
        scope.settings = Settings::new(1, 1, 1).expect("one node");
        let settling = judge(scope, None, Limits::default());
        assert_eq!((settling.led_in_cut, settling.verdict()), (0, Verdict::Broken));
        assert!(row(&settling).ends_with("VACUOUS: no leader to judge during a cut"));
    }

    #[test]
    fn a_supported_leader_serves_and_stays_while_a_cut_lasts() {
        let guarded_link = shipped("guarded-link").expect("a shipped scope").scope();
        let settling = judge(guarded_link.clone(), None, Limits::default());
        assert!(settling.led_in_cut > 0, "{settling:?}");
        assert_eq!((settling.unserved, settling.deposed), (0, 0), "{settling:?}");

        let settling = judge(guarded_link.clone(), variant("pre-votes-granted"), Limits::default());
        assert!(settling.deposed > 0 && settling.unserved == 0, "{settling:?}");
        let settling = judge(guarded_link, variant("no-forwarding"), Limits::default());
        assert!(settling.unserved > 0, "{settling:?}");
    }
}
