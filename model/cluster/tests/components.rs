//! The cluster as components is the cluster as a model of stateright: the same steps, the same
//! states, the same verdicts.

use std::sync::Arc;

use stateright::{Checker, Model};
use steadfast_cluster::{ClusterComponents, Component, SHIPPED, Shipped, shipped};
use steadfast_guarantees::guarantees;
use steadfast_guarantees::twins::TWINS;
use steadfast_guarantees::witnesses::{Witness, witness};
use steadfast_search::{DeadSteps, Ended, Flaw, Options, Report, Search, next_states, verdicts};
use steadfast_trace::Step;

/// Goes along one random run, and compares the steps of each of its states, the states after them
/// and the verdicts. Tells how many states were compared.
fn compare_run(system: &ClusterComponents, seed: u64, steps: usize) -> usize {
    let model = system.model();
    let shared = |parts: Vec<Component>| parts.into_iter().map(Arc::new).collect::<Vec<_>>();
    let mut random = seed;
    let mut state = model.init_states().swap_remove(0);
    for compared in 0..steps {
        let parts = shared(system.split(&state));
        let mut next = next_states(system, &parts).expect("a system without flaws");
        // Rules collect steps in an order of their own.
        next.sort_by_key(|it| it.step);
        let mut expected = model.next_steps(&state);
        expected.sort_by_key(|it| it.0.step);
        let ours: Vec<Step> = next.iter().map(|it| it.step).collect();
        let theirs: Vec<Step> = expected.iter().map(|it| it.0.step).collect();
        assert_eq!(ours, theirs, "after {compared} steps");
        for (ours, (action, theirs)) in next.iter().zip(&expected) {
            let theirs = system.split(theirs);
            for (ours, theirs) in ours.state.iter().zip(&theirs) {
                assert!(**ours == *theirs, "{action:?}: {ours:?} and {theirs:?}");
            }
        }
        let judged = verdicts(system, &parts).expect("a system without flaws");
        for (ours, guarantee) in judged.into_iter().zip(guarantees()) {
            assert_eq!(ours, model.keeps(guarantee.id(), &state), "{}", guarantee.id());
        }
        if expected.is_empty() {
            return compared;
        }
        // Knuth, "The Art of Computer Programming", volume 2, section 3.3.4: MMIX.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(random >> 33).expect("31 bits") % expected.len();
        state = expected.into_iter().nth(at).expect("a possible step").1;
    }
    steps
}

#[test]
fn random_runs_of_every_scope_go_the_same_way() {
    for it in SHIPPED {
        let system = ClusterComponents::new(it.scope(), None, &witnesses_of(it));
        let compared: usize = (0..6).map(|seed| compare_run(&system, seed, 80)).sum();
        assert!(compared > 40, "{}: {compared}", it.name);
    }
}

#[test]
fn random_runs_of_every_twin_go_the_same_way() {
    for twin in TWINS {
        let scope = shipped(twin.scope).expect("a shipped scope").scope();
        let system = ClusterComponents::new(scope, Some(&twin.variant), &[]);
        let compared: usize = (0..4).map(|seed| compare_run(&system, seed, 80)).sum();
        assert!(compared > 0, "{}", twin.variant.name);
    }
}

#[test]
fn both_engines_count_the_same_states_and_kinds_of_steps() {
    for name in ["rot", "lossy", "unordered", "cold", "reads", "link-events", "lossy-contents"] {
        let it = shipped(name).expect("a shipped scope");
        let system = ClusterComponents::new(it.scope(), None, &witnesses_of(it));
        let ours = Search::new(&system, Options::default()).breadth_first();
        assert!(ours.is_as_expected() && ours.marks.iter().all(|it| it.1), "{name}: {ours:?}");
        let theirs = steadfast_cluster::ClusterModel::new(it.scope(), None);
        let theirs = theirs.checker().spawn_dfs().join();
        let counts = (theirs.unique_state_count() as u64, theirs.state_count() as u64);
        assert_eq!((ours.unique, ours.generated), counts, "{name}");
        let taken: u64 = ours.taken.iter().map(|it| it.1).sum();
        assert_eq!(taken + 1, ours.generated, "{name}");
    }
}

fn witnesses_of(shipped: &Shipped) -> Vec<&'static Witness> {
    shipped.witnesses.iter().map(|id| witness(id).expect("a known witness")).collect()
}

fn reduced(system: &ClusterComponents, dead_steps: DeadSteps) -> Report<ClusterComponents> {
    Search::new(system, Options { dead_steps, ..Options::default() }).breadth_first()
}

#[test]
fn dead_messages_make_no_difference_to_what_is_found() {
    let mut sizes = (0, 0);
    for name in ["votes", "reads", "link-events", "rot", "retries-2", "rejected"] {
        let it = shipped(name).expect("a shipped scope");
        let system =
            ClusterComponents::new(it.scope(), None, &witnesses_of(it)).with_dead_messages();
        let [all, few] = [DeadSteps::Check, DeadSteps::Drop].map(|it| reduced(&system, it));
        assert!(all.is_as_expected(), "{name}: {all:?}");
        assert!(few.is_as_expected(), "{name}: {few:?}");
        assert!(few.unique <= all.unique, "{name}: {} of {}", few.unique, all.unique);
        sizes = (sizes.0 + all.unique, sizes.1 + few.unique);
    }
    assert!(sizes.1 < sizes.0, "{sizes:?}");
}

#[test]
fn twins_break_the_same_guarantee_without_dead_messages() {
    let mut checked = 0;
    for twin in
        TWINS.iter().filter(|it| !it.on_graph && ["deletes", "conflicts"].contains(&it.scope))
    {
        let scope = shipped(twin.scope).expect("a shipped scope").scope();
        let system = ClusterComponents::new(scope, Some(&twin.variant), &[]).with_dead_messages();
        let [all, few] = [DeadSteps::Check, DeadSteps::Drop].map(|it| reduced(&system, it));
        // Where the claim is false, as a check of it says, nothing is promised.
        if !matches!(all.ended, Ended::Flawed(_)) {
            let name = twin.caught_by.name();
            assert!(
                all.finding(name).is_some() && few.finding(name).is_some(),
                "{}",
                twin.variant.name
            );
            checked += 1;
        }
    }
    assert!(checked > 1, "{checked} twins");
}

#[test]
fn the_claim_about_dead_messages_is_false_for_a_twin_and_the_check_says_so() {
    let twin = steadfast_guarantees::twins::twin("no-session-ids").expect("a twin");
    let scope = shipped(twin.scope).expect("a shipped scope").scope();
    let system = ClusterComponents::new(scope, Some(&twin.variant), &[]).with_dead_messages();
    let Ended::Flawed(flawed) = reduced(&system, DeadSteps::Check).ended else {
        panic!("messages of an earlier session matter to a node that takes them");
    };
    assert!(matches!(flawed.flaw, Flaw::DeadStepMatters { .. }), "{}", flawed.flaw);
}

#[test]
fn sleep_sets_find_the_same_states_with_fewer_steps() {
    for name in ["votes", "link-events", "rot"] {
        let it = shipped(name).expect("a shipped scope");
        let system = ClusterComponents::new(it.scope(), None, &witnesses_of(it));
        let all = Search::new(&system, Options::default()).breadth_first();
        let options = Options { sleep_sets: true, ..Options::default() };
        let few = Search::new(&system, options).breadth_first();
        assert!(few.is_as_expected(), "{name}: {few:?}");
        assert_eq!((all.unique, all.depth), (few.unique, few.depth), "{name}");
        assert!(few.generated < all.generated, "{name}: {} steps", few.generated);
    }
}
