//! Traces: a counterexample can be saved, read and run again, step by step.

use stateright::{Checker, HasDiscoveries, Model};
use steadfast_cluster::{
    Action, ClusterModel, ClusterState, SHIPPED, record, replay, script, shipped,
};
use steadfast_guarantees::GuaranteeId;
use steadfast_guarantees::twins::{TWINS, twin, variant};
use steadfast_trace::{Step, StepKind, Trace};

fn counterexample() -> Trace {
    let twin = twin("overwrite-replaces-all-heads").expect("a twin");
    let scope = shipped(twin.scope).expect("a shipped scope").scope();
    let finish = HasDiscoveries::AnyOf([twin.caught_by.name()].into());
    let model = ClusterModel::new(scope, Some(&twin.variant));
    let checker = model.checker().finish_when(finish).spawn_bfs().join();
    let path = checker.discovery(twin.caught_by.name()).expect("the twin is caught");
    record(checker.model(), Some(&twin.variant), path.into_actions().iter().map(|it| it.step))
}

#[test]
fn a_counterexample_breaks_the_same_guarantee_when_it_is_replayed_from_json() {
    let json = serde_json::to_string(&counterexample()).expect("a trace is JSON");
    let trace = Trace::parse(&json).expect("what was written can be read");
    let mut run = replay(&trace, trace.variant.as_deref().and_then(variant));
    for step in &trace.steps {
        assert!(run.broken().is_empty(), "only the last step breaks something");
        run.take(&step.step).expect("the step is possible");
    }
    assert_eq!(run.broken(), [GuaranteeId::AckedWritesSurvive]);
    assert_eq!(trace.breaks, ["G1"]);
}

#[test]
fn the_protocol_as_it_is_survives_the_schedule_that_breaks_a_twin() {
    let trace = counterexample();
    let mut run = replay(&trace, None);
    let legal = trace.steps.iter().take_while(|it| run.take(&it.step).is_ok()).count();
    assert!(legal > 0 && run.broken().is_empty());
}

#[test]
fn an_impossible_step_is_refused_with_the_possible_ones() {
    let mut run = replay(&counterexample(), None);
    let error = run.take(&Step::Heal).expect_err("nothing is cut");
    assert!(error.to_string().contains("client puts a at n0"), "{error}");
}

#[test]
fn each_shipped_script_breaks_a_guarantee_at_its_last_step_and_only_as_its_twin() {
    let scripts: Vec<_> =
        TWINS.iter().filter_map(|it| Some((it, script(it.variant.name)?))).collect();
    assert_eq!(scripts.len(), 5);
    for (twin, trace) in scripts {
        let name = twin.variant.name;
        assert_eq!(trace.scope, shipped(twin.scope).expect("a shipped scope").scope(), "{name}");
        let mut run = replay(&trace, Some(&twin.variant));
        let mut actions = Vec::new();
        for step in &trace.steps {
            assert!(run.broken().is_empty(), "{name}: only the last step breaks something");
            actions.push(run.take(&step.step).expect("the step is possible").0);
        }
        assert_eq!(run.broken(), [twin.caught_by], "{name}");
        let again = record(&run.model, Some(&twin.variant), actions.iter().map(|it| it.step));
        assert_eq!(again, trace, "{name}: the notes of the shipped script are true");

        // The protocol as it is may be unable to take a step that the twin takes.
        let mut run = replay(&trace, None);
        let taken = trace.steps.iter().take_while(|it| run.take(&it.step).is_ok()).count();
        assert!(taken > 0 && run.broken().is_empty(), "{name}: the protocol keeps every promise");
    }
}

/// A run that takes one of the possible steps at random, and the state in which it ends.
fn random_run(model: &ClusterModel, seed: u64, steps: usize) -> (Vec<Action>, ClusterState) {
    let mut random = seed;
    let mut state = model.init_states().swap_remove(0);
    let mut run = Vec::new();
    for _ in 0..steps {
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        if actions.is_empty() {
            break;
        }
        // Knuth, "The Art of Computer Programming", volume 2, section 3.3.4: MMIX.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(random >> 33).expect("31 bits") % actions.len();
        let action = actions.swap_remove(at);
        state = model.perform(&state, &action.step).expect("a possible step");
        run.push(action);
    }
    (run, state)
}

#[test]
fn a_random_run_of_any_scope_ends_in_the_same_state_when_it_is_replayed_from_json() {
    for (scope, seed) in SHIPPED.iter().flat_map(|it| (0..20).map(move |seed| (it.scope(), seed))) {
        let model = ClusterModel::new(scope, None);
        let (actions, end) = random_run(&model, seed, 80);
        let recorded = record(&model, None, actions.iter().map(|it| it.step));
        let json = serde_json::to_string(&recorded).expect("JSON");
        let trace = Trace::parse(&json).expect("what was written can be read");
        let mut run = replay(&trace, None);
        for step in &trace.steps {
            run.take(&step.step).unwrap_or_else(|error| panic!("{}: {error}", trace.scope.name));
        }
        assert!(run.state == end, "{} with seed {seed}", trace.scope.name);
        assert!(trace.breaks.is_empty(), "{} breaks {:?}", trace.scope.name, trace.breaks);
    }
}

#[test]
fn random_runs_take_every_kind_of_step() {
    let mut kinds = [0_usize; StepKind::ALL.len()];
    // The end of a transfer is a step of simulations only.
    kinds[StepKind::Transfer as usize] = 1;
    // Some kinds need others before them, in the right order, and few runs get there.
    for seed in 0..2_000 {
        if !kinds.contains(&0) {
            break;
        }
        for scope in SHIPPED {
            let model = ClusterModel::new(scope.scope(), None);
            let (actions, _) = random_run(&model, seed, 80);
            actions.iter().for_each(|it| kinds[it.step.kind() as usize] += 1);
        }
    }
    let never: Vec<_> = StepKind::ALL.iter().zip(kinds).filter(|(_, times)| *times == 0).collect();
    assert!(never.is_empty(), "{never:?}");
}
