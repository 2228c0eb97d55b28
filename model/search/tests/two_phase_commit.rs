//! Two-phase commit: the example counts what stateright counts, in every way of searching.

#[expect(dead_code, reason = "each test uses some of the models")]
mod models;

use std::num::NonZero;

use models::stock_two_phase_commit::TwoPhaseSys;
use models::two_phase_commit::{Step, TwoPhaseCommit, Vote};
use stateright::{Checker, Model};
use steadfast_search::{Options, Report, Search, System, Undivided, Until, Width};

fn threads(threads: usize) -> Options {
    let threads = NonZero::new(threads).expect("a thread");
    Options { threads, ..Options::default() }
}

/// Everything that must not depend on how a search is done.
fn facts<S: System>(report: &Report<S>) -> String {
    let paths: Vec<_> = report.findings.iter().map(|it| (&it.property, it.path.labels())).collect();
    let levels: Vec<_> =
        report.levels.iter().map(|it| (it.depth, it.states, it.generated, it.new)).collect();
    let counts = (report.unique, report.generated, report.depth, report.sampled);
    format!("{:?} {counts:?} {levels:?} {paths:?}", report.ended)
}

#[test]
fn the_example_counts_what_stateright_counts() {
    for (resources, unique) in [(3, 288), (5, 8_832), (7, 296_448)] {
        let stock = TwoPhaseSys(resources.into()).checker().spawn_bfs().join();
        let report = Search::new(&TwoPhaseCommit(resources), threads(2)).breadth_first();
        assert!(report.is_as_expected(), "{:?}", report.ended);
        assert_eq!((stock.unique_state_count() as u64, report.unique), (unique, unique));
        assert_eq!(report.generated, stock.state_count() as u64);
        assert_eq!(report.depth + 1, stock.max_depth() as u64);
    }
}

#[test]
fn nothing_depends_on_the_number_of_threads_or_the_width_of_fingerprints() {
    let system = TwoPhaseCommit(6);
    let alone = facts(&Search::new(&system, threads(1)).breadth_first());
    for count in [2, 3, 8] {
        assert_eq!(facts(&Search::new(&system, threads(count)).breadth_first()), alone, "{count}");
    }
    let wide = |count| Options { fingerprints: Width::Bits128, ..threads(count) };
    let alone = Search::new(&system, wide(1)).breadth_first();
    let together = Search::new(&system, wide(3)).breadth_first();
    assert_eq!(facts(&alone), facts(&together));
    assert_eq!((alone.unique, alone.is_as_expected()), (50_816, true));
    assert!(alone.collision_chance < 1e-20, "{}", alone.collision_chance);
}

#[test]
fn the_paths_are_runs_of_the_system_and_none_is_shorter() {
    let system = TwoPhaseCommit(3);
    let report = Search::new(&system, threads(2)).breadth_first();
    let commit = report.finding("all commit").expect("a state in which all commit");
    // Each prepares, is heard and obeys, and one decision.
    assert_eq!(commit.path.steps.len(), 10);
    assert!(commit.path.labels().contains(&Step::Decide(Vote::Commit)));
    let mut state = commit.path.initial.clone();
    for (step, after) in &commit.path.steps {
        let next = steadfast_search::next_states(&system, &state).expect("steps");
        let taken = next.into_iter().find(|it| it.step == *step).expect("the step of the path");
        assert_eq!(taken.state, *after);
        state = taken.state;
    }
}

#[test]
fn sleep_sets_find_the_same_states_at_the_same_depths_with_fewer_steps() {
    for resources in [3, 6] {
        let system = TwoPhaseCommit(resources);
        let all = Search::new(&system, threads(2)).breadth_first();
        let sleeping = |count| {
            let options = Options { sleep_sets: true, ..threads(count) };
            Search::new(&system, options).breadth_first()
        };
        let fewer = sleeping(2);
        let states = |it: &Report<_>| it.levels.iter().map(|it| it.states).collect::<Vec<_>>();
        assert_eq!((fewer.unique, states(&fewer)), (all.unique, states(&all)));
        assert!(fewer.is_as_expected());
        assert!(fewer.generated * 4 < all.generated * 3, "{} {}", fewer.generated, all.generated);
        assert_eq!(facts(&fewer), facts(&sleeping(1)));
    }
}

#[test]
fn depth_first_finds_as_much() {
    let system = TwoPhaseCommit(5);
    let stock = TwoPhaseSys(5).checker().spawn_dfs().join();
    let report = Search::new(&system, Options::default()).depth_first();
    assert!(report.is_as_expected(), "{:?}", report.ended);
    assert_eq!(report.unique, stock.unique_state_count() as u64);
    assert_eq!(report.generated, stock.state_count() as u64);
}

#[test]
fn stateright_s_own_model_runs_as_one_component() {
    let system = Undivided::new(TwoPhaseSys(5)).expect("no property to hold eventually");
    let report = Search::new(&system, threads(2)).breadth_first();
    assert!(report.is_as_expected());
    assert_eq!((report.unique, report.generated), (8_832, 58_146));
    let stock = TwoPhaseSys(5).checker().spawn_bfs().join();
    for (name, path) in stock.discoveries() {
        let ours = report.finding(name).expect("what stateright found");
        // stateright replaces the first path it finds with later ones of the same block.
        assert!(ours.path.steps.len() <= path.into_actions().len(), "{name}");
    }
}

#[test]
fn a_search_for_one_finding_ends_with_its_level() {
    let system = TwoPhaseCommit(4);
    let full = Search::new(&system, threads(1)).breadth_first();
    let wanted = full.finding("all abort").expect("a finding").path.steps.len();
    let options = Options { until: Until::Found(2), ..threads(2) };
    let report = Search::new(&system, options).breadth_first();
    let finding = report.finding("all abort").expect("a finding");
    assert_eq!((finding.path.steps.len(), report.depth), (wanted, wanted as u64));
    assert!(report.unique < full.unique);
    assert!(!report.is_complete() && report.violation().is_none());
}
