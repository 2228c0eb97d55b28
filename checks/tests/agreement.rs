//! The simulator and the model agree: what happens in a simulation can happen in the model, step by
//! step, and leaves every node in the same state.

use std::sync::{Arc, Mutex};

use steadfast_cluster::{Replay, replay};
use steadfast_protocol::{NodeId, Replica};
use steadfast_sim::scenario::{Cast, InMemory, SCENARIOS, default_sources};
use steadfast_sim::{Observer, Schedule, Simulation};
use steadfast_trace::{Step, Trace};

/// Per step of a simulation the nodes as they were after it.
type States = Arc<Mutex<Vec<Vec<Option<Replica>>>>>;

fn states_of(simulation: &Simulation) -> Vec<Option<Replica>> {
    let nodes = NodeId::all(simulation.setup().settings.nodes());
    nodes.map(|node| simulation.replica(node).cloned()).collect()
}

/// Runs a schedule, and says what happened and what it led to.
fn record(schedule: &Schedule) -> (Trace, Vec<Vec<Option<Replica>>>) {
    let states = States::default();
    let mut simulation = schedule.begin();
    let kept = Arc::clone(&states);
    simulation.observe(Box::new(move |_: &Step, simulation| {
        kept.lock().expect("one thread").push(states_of(simulation));
    }));
    let outcome = schedule.finish(&mut simulation);
    assert_eq!(outcome.failure, None, "{}", schedule.setup.name);
    let trace = simulation.trace();
    drop(simulation);
    let states = Arc::try_unwrap(states).expect("nobody observes any more").into_inner();
    (trace, states.expect("one thread"))
}

/// Where the model disagrees with a simulation, and how.
fn disagreement(trace: &Trace, states: &[Vec<Option<Replica>>]) -> Option<String> {
    let mut run: Replay = replay(trace, None);
    assert_eq!(trace.steps.len(), states.len());
    for (number, (step, expected)) in trace.steps.iter().zip(states).enumerate() {
        if let Err(error) = run.take(&step.step) {
            return Some(format!("step {number}: {error}"));
        }
        for (node, expected) in NodeId::all(trace.scope.settings.nodes()).zip(expected) {
            if run.state.replica(node) != expected.as_ref() {
                return Some(format!(
                    "step {number}, {}: {node} is\n{:?}\nand not\n{expected:?}",
                    step.step,
                    run.state.replica(node)
                ));
            }
        }
    }
    let broken: Vec<&str> = run.broken().iter().map(|it| it.short()).collect();
    (broken != trace.breaks)
        .then(|| format!("the model says that {broken:?} are broken, not {:?}", trace.breaks))
}

#[test]
fn hundreds_of_random_simulations_are_runs_of_the_model() {
    for seed in 0..300 {
        let (trace, states) = record(&Schedule::of(seed, None));
        if let Some(how) = disagreement(&trace, &states) {
            panic!("seed {seed}, {} steps, {:?}: {how}", states.len(), trace.scope.settings);
        }
    }
}

#[test]
fn the_five_scenarios_are_runs_of_the_model() {
    let cast = || {
        let sources = default_sources(1);
        let (scratch, observer) = (&InMemory, None);
        Cast { seed: 1, nodes: 3, elect: None, write: None, sources, scratch, observer }
    };
    for scenario in &SCENARIOS {
        let states = States::default();
        let kept = Arc::clone(&states);
        let observer = move || -> Observer {
            let kept = Arc::clone(&kept);
            Box::new(move |_: &Step, simulation: &Simulation| {
                kept.lock().expect("one thread").push(states_of(simulation));
            })
        };
        let stories =
            scenario.tell(&Cast { observer: Some(&observer), ..cast() }).expect("a scenario");
        let mut states = states.lock().expect("one thread");
        for story in stories {
            let of_story: Vec<_> = states.drain(..story.trace.steps.len()).collect();
            if let Some(how) = disagreement(&story.trace, &of_story) {
                panic!("{}: {how}", story.title);
            }
        }
        assert!(states.is_empty(), "{scenario:?}: every step belongs to a story");
    }
}

#[test]
fn a_simulation_that_did_something_else_is_found_out() {
    let (mut trace, states) = record(&Schedule::of(1, None));
    assert_eq!(disagreement(&trace, &states), None);

    let sync = trace.steps.iter().position(|it| matches!(it.step, Step::Sync { .. }));
    let left_out = trace.steps.remove(sync.expect("a sync"));
    let states = [&states[..sync.expect("a sync")], &states[sync.expect("a sync") + 1..]].concat();
    let how = disagreement(&trace, &states).expect("a sync that the model does not know of");
    assert!(how.contains("n0") || how.contains("n1") || how.contains("n2"), "{left_out:?}: {how}");
}
