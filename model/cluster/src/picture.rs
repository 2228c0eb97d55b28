//! Runs of the model as stories, which pictures are drawn from.

use steadfast_guarantees::ClusterView;
use steadfast_guarantees::twins::Variant;
use steadfast_picture::{Scene, Story, Teller};
use steadfast_protocol::{NodeId, Packet};
use steadfast_trace::{Trace, World};

use crate::{Action, ClusterModel, ClusterState, Replay, View, replay};

/// The largest number of steps that a story of a run shows: its last ones, because the break is
/// there.
pub const STEPS_TOLD_MAX: usize = 2_000;

impl Scene for View<'_> {
    fn cluster(&self) -> &dyn ClusterView {
        self
    }

    fn world(&self) -> &World {
        self.state.world()
    }

    fn under_way(&self) -> Vec<(NodeId, NodeId, &Packet)> {
        let channels = self.state.channels();
        channels.flat_map(|((from, to), packets)| packets.map(move |it| (from, to, it))).collect()
    }
}

/// A replayed trace with its story.
pub struct Told {
    /// The story.
    pub story: Story,
    /// If a step of the trace is not possible, its number and the reason: the story ends before it.
    pub illegal: Option<(usize, String)>,
    /// The ids of the guarantees that do not hold at the end.
    pub breaks: Vec<String>,
}

/// Replays a trace as a variant or as the protocol as it is, and makes a story of its last steps,
/// `told_max` at most.
#[must_use]
pub fn tell(trace: &Trace, variant: Option<&'static Variant>, told_max: usize) -> Told {
    let mut run = replay(trace, variant);
    let first = trace.steps.len().saturating_sub(told_max);
    let mut illegal = None;
    let mut steps = (1..).zip(trace.steps.iter().map(|it| it.step));
    for (number, step) in steps.by_ref().take(first) {
        if let Err(error) = run.step(&step) {
            illegal = Some((number, error.to_string()));
            break;
        }
    }
    let first = illegal.as_ref().map_or(first, |(number, _)| number - 1);
    let mut teller = Teller::begin(&trace.scope, variant, first, &run.view());
    for (number, step) in steps.take_while(|_| illegal.is_none()) {
        let before = run.state.clone();
        if let Err(error) = run.step(&step) {
            illegal = Some((number, error.to_string()));
            break;
        }
        teller.step(&step, &View { model: &run.model, state: &before }, &run.view());
    }
    let ends_early =
        illegal.as_ref().map(|(number, why)| format!("ends before step {number}: {why}"));
    let breaks = run.broken().iter().map(|it| it.short().to_owned()).collect();
    Told { story: teller.finish(ends_early), illegal, breaks }
}

impl Replay {
    fn view(&self) -> View<'_> {
        View { model: &self.model, state: &self.state }
    }
}

/// Draws a run for the explorer.
pub(crate) fn svg(model: &ClusterModel, run: Vec<(ClusterState, Option<Action>)>) -> String {
    let Some((first, _)) = run.first() else {
        return String::new();
    };
    let mut teller = Teller::begin(model.scope(), None, 0, &View { model, state: first });
    for pair in run.windows(2) {
        let [(before, Some(action)), (after, _)] = pair else {
            continue;
        };
        teller.step(&action.step, &View { model, state: before }, &View { model, state: after });
    }
    steadfast_picture::svg(&teller.finish(None))
}
