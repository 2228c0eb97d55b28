//! Dead steps: a system in which dropping them is right, what that saves, and claims that are false.

#[expect(dead_code, reason = "each test uses some of the models")]
mod models;

use std::num::NonZero;

use models::gossip::{Gossip, Part};
use steadfast_search::{
    DeadSteps, Ended, Flaw, Look, Options, Place, Property, Report, Rule, Search, Steps, System,
};

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

/// A message whose delivery is claimed to be dead, and one property.
struct Mail {
    property: Property,
    /// Whether the property holds while the message is under way, and after its delivery.
    holds: [bool; 2],
}

impl System for Mail {
    /// Whether the message is under way.
    type Component = bool;
    type Change = ();
    type Step = &'static str;
    type Follow = ();

    fn name(&self) -> String {
        "mail".into()
    }

    fn initial_states(&self) -> Vec<Vec<bool>> {
        vec![vec![true]]
    }

    fn rules(&self) -> u16 {
        1
    }

    fn steps(&self, _: Rule, state: &Look<'_, bool>, steps: &mut Steps<Self>) {
        if state[Place(0)] {
            steps.step("deliver").change(Place(0), ()).dead();
        }
    }

    fn changed(&self, _: &bool, (): &()) -> bool {
        false
    }

    fn properties(&self) -> Vec<Property> {
        vec![self.property.clone()]
    }

    fn holds(&self, _: usize, state: &Look<'_, bool>) -> bool {
        self.holds[usize::from(!state[Place(0)])]
    }
}

/// A search that drops the step judges the state after it only.
#[test]
fn a_dead_step_may_reach_a_property_and_may_neither_lose_nor_break_nor_mend_one() {
    let reached = [Property::sometimes("it"), Property::always("it")];
    let cases = [
        (&reached[0], [false, true], true),
        (&reached[0], [true, true], true),
        (&reached[0], [true, false], false),
        (&reached[1], [true, true], true),
        (&reached[1], [true, false], false),
        (&reached[1], [false, true], false),
    ];
    for (property, holds, is_allowed) in cases {
        for dead_steps in [DeadSteps::Explore, DeadSteps::Check, DeadSteps::Drop] {
            let system = Mail { property: property.clone(), holds };
            let options = Options { dead_steps, ..Options::default() };
            let report = Search::new(&system, options).breadth_first();
            let case = format!("{property:?} {holds:?} {dead_steps:?}: {report:?}");
            if is_allowed {
                assert!(report.is_as_expected(), "{case}");
                continue;
            }
            let Ended::Flawed(flawed) = &report.ended else { panic!("{case}") };
            let matters = matches!(&flawed.flaw, Flaw::DeadStepMatters { detail, .. }
                if detail == "\"it\" differs between the states");
            assert!(matters, "{case}");
        }
    }
}
