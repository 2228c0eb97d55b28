//! Dead steps: a system in which dropping them is right, and what that saves.

#[expect(dead_code, reason = "each test uses some of the models")]
mod models;

use std::num::NonZero;

use models::gossip::{Gossip, Part};
use steadfast_search::{DeadSteps, Options, Report, Search};

fn search(system: &Gossip, dead_steps: DeadSteps, threads: usize) -> Report<Gossip> {
    let threads = NonZero::new(threads).expect("a thread");
    Search::new(system, Options { dead_steps, threads, ..Options::default() }).breadth_first()
}

#[test]
fn dropping_dead_deliveries_finds_the_same_with_fewer_states() {
    let system = Gossip { nodes: 3, rumours: 2, keeps_secret: None };
    let all = search(&system, DeadSteps::Check, 2);
    let fewer = search(&system, DeadSteps::Drop, 2);
    assert!(all.is_as_expected() && fewer.is_as_expected(), "{all:?} {fewer:?}");
    assert!(fewer.unique * 2 < all.unique, "{} {}", fewer.unique, all.unique);
    assert!(fewer.dead_steps_dropped > 0 && all.dead_steps_dropped == 0);
    let alone = search(&system, DeadSteps::Drop, 1);
    assert_eq!((alone.unique, alone.generated), (fewer.unique, fewer.generated));
    let path =
        |it: &Report<Gossip>| it.findings.iter().map(|it| it.path.labels()).collect::<Vec<_>>();
    assert_eq!(path(&alone), path(&fewer));
}

#[test]
fn the_paths_of_a_reduced_search_are_runs_of_the_system_with_the_dead_steps_in_them() {
    let system = Gossip { nodes: 3, rumours: 2, keeps_secret: Some(1) };
    let (all, fewer) = (search(&system, DeadSteps::Check, 1), search(&system, DeadSteps::Drop, 1));
    let shortest = all.violation().expect("a node that was told the secret").path.steps.len();
    let path = &fewer.violation().expect("the same violation").path;
    assert!(path.steps.len() >= shortest);
    let mut state = path.initial.clone();
    for (step, after) in &path.steps {
        let next = steadfast_search::next_states(&system, &state).expect("steps");
        let taken = next.into_iter().find(|it| it.step == *step).expect("the step of the path");
        assert_eq!(taken.state, *after);
        state = taken.state;
    }
    assert!(state.iter().any(|it| matches!(**it, Part::Node(known) if known & 2 != 0)));
}
