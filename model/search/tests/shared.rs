//! A search that several processes share ends like that of one process, in each of them.

#[expect(dead_code, reason = "each test uses some of the models")]
mod models;

use std::num::NonZero;
use std::time::Duration;

use models::gossip::{Gossip, Part};
use models::mesh::{mesh, shared};
use models::table::{Table, tables};
use proptest::prelude::*;
use steadfast_search::{
    DeadSteps, Ended, Look, Options, Portable, Property, Report, Rule, Search, Steps, System,
    Until, Width,
};

impl Portable for Gossip {
    fn encode(&self, component: &Part, bytes: &mut Vec<u8>) {
        match component {
            Part::Node(known) => bytes.extend(known.to_le_bytes()),
            Part::Inbox(inbox) => {
                bytes.push(0);
                let numbers = inbox.iter().flat_map(|it| [it.0, it.1]);
                bytes.extend(numbers.map(|it| u8::try_from(it).expect("a small number")));
            }
        }
    }

    fn decode(&self, bytes: &[u8]) -> Option<Part> {
        match *bytes {
            [0, ref pairs @ ..] if pairs.len() % 2 == 0 => {
                let pair = |it: &[u8]| (it[0].into(), it[1].into());
                Some(Part::Inbox(pairs.chunks(2).map(pair).collect()))
            }
            [a, b, c, d] => Some(Part::Node(u32::from_le_bytes([a, b, c, d]))),
            _ => None,
        }
    }
}

impl Portable for Table {
    fn encode(&self, component: &u8, bytes: &mut Vec<u8>) {
        bytes.push(*component);
    }

    fn decode(&self, bytes: &[u8]) -> Option<u8> {
        <[u8; 1]>::try_from(bytes).ok().map(|it| it[0])
    }
}

/// Everything that must not depend on the number of processes.
fn facts<S: System>(report: &Report<S>) -> String {
    let paths: Vec<_> = report.findings.iter().map(|it| (&it.property, &it.path)).collect();
    let levels: Vec<_> =
        report.levels.iter().map(|it| (it.depth, it.states, it.generated, it.new)).collect();
    let counts = (report.unique, report.generated, report.depth, report.sampled);
    let rest = (&report.marks, &report.taken, report.dead_steps_dropped, report.collision_chance);
    format!("{:?} {counts:?} {levels:?} {paths:?} {rest:?}", report.ended)
}

fn threads(threads: usize) -> Options {
    Options { threads: NonZero::new(threads).expect("a thread"), ..Options::default() }
}

#[test]
fn nothing_depends_on_the_number_of_processes() {
    let system = Gossip { nodes: 3, rumours: 2, keeps_secret: Some(1) };
    for options in [
        threads(1),
        Options { fingerprints: Width::Bits128, ..threads(2) },
        Options { sleep_sets: true, ..threads(1) },
        Options { dead_steps: DeadSteps::Drop, ..threads(1) },
        Options { dead_steps: DeadSteps::Check, ..threads(1) },
        Options { until: Until::FirstViolation, ..threads(3) },
        Options { states_max: 300, ..threads(1) },
    ] {
        let alone = Search::new(&system, options.clone()).breadth_first();
        assert!(alone.unique > 20, "{alone:?}");
        for count in [1, 2, 4, 5] {
            for report in shared(&system, mesh(count), |_| options.clone()) {
                assert_eq!(facts(&report), facts(&alone), "{count} processes, {options:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A small sample: the first states alone are compared in full, so that a property that is not
    /// judged where it must be is not judged by the sample either.
    #[test]
    fn processes_find_in_made_up_systems_what_one_finds(table in tables(), count in 2..4_usize) {
        for dead in [false, true] {
            let options = Options {
                sleep_sets: dead,
                sample_every: NonZero::<u64>::MAX,
                ..Options::default()
            };
            let alone = Search::new(&table, options.clone()).breadth_first();
            for report in shared(&table, mesh(count), |_| options.clone()) {
                prop_assert_eq!(facts(&report), facts(&alone));
            }
        }
    }
}

#[test]
fn each_process_owns_a_part_of_the_memory() {
    let system = Gossip { nodes: 4, rumours: 3, keeps_secret: None };
    let options = |_| Options { states_max: 400_000, ..threads(1) };
    let alone = Search::new(&system, options(0)).breadth_first();
    for report in shared(&system, mesh(4), options) {
        assert!(
            report.peak_bytes * 5 < alone.peak_bytes * 3,
            "{} {}",
            report.peak_bytes,
            alone.peak_bytes
        );
    }
}

#[test]
fn a_process_that_is_lost_ends_the_search_of_the_others_and_is_named() {
    let system = Gossip { nodes: 4, rumours: 2, keeps_secret: Some(1) };
    for dies_in in [1, 2, 12, 30] {
        let mut mesh = mesh(3);
        mesh[1].dies_in = dies_in;
        for report in shared(&system, mesh, |_| Options::default()) {
            let Ended::Peer(why) = &report.ended else { panic!("round {dies_in}: {report:?}") };
            assert!(why.starts_with("process ") && report.findings.is_empty(), "{why}");
            assert!(!report.is_as_expected());
        }
    }
}

#[test]
fn a_process_without_time_or_memory_ends_the_search_of_all() {
    let system = Gossip { nodes: 4, rumours: 2, keeps_secret: None };
    let slow = |it| Options {
        time_max: if it == 2 { Duration::ZERO } else { Duration::MAX },
        ..Options::default()
    };
    let reports = shared(&system, mesh(3), slow);
    assert!(reports.iter().all(|it| matches!(it.ended, Ended::Time)), "{reports:?}");
    let small = |it| Options {
        memory_max_bytes: if it == 0 { 3_500_000 } else { u64::MAX },
        ..Options::default()
    };
    let large = Gossip { nodes: 4, rumours: 3, keeps_secret: None };
    let reports = shared(&large, mesh(3), small);
    assert!(reports.iter().all(|it| matches!(it.ended, Ended::Memory)), "{reports:?}");
    let first = facts(&reports[0]);
    assert!(reports.iter().all(|it| facts(it) == first), "{reports:?}");
}

/// Counts to a number at which it panics, in as many ways as it has components.
struct Panics;

impl System for Panics {
    type Component = u64;
    type Change = u64;
    type Step = u16;
    type Follow = ();

    fn name(&self) -> String {
        "a system that panics".into()
    }

    fn initial_states(&self) -> Vec<Vec<u64>> {
        vec![vec![0; 3]]
    }

    fn rules(&self) -> u16 {
        3
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, u64>, steps: &mut Steps<Self>) {
        let place = steadfast_search::Place(rule);
        steps.step(rule).change(place, state[place] + 1);
    }

    fn changed(&self, _: &u64, to: &u64) -> u64 {
        assert!(*to < 20, "too large");
        *to
    }

    fn properties(&self) -> Vec<Property> {
        Vec::new()
    }

    fn holds(&self, _: usize, _: &Look<'_, u64>) -> bool {
        true
    }
}

impl Portable for Panics {
    fn encode(&self, component: &u64, bytes: &mut Vec<u8>) {
        bytes.extend(component.to_le_bytes());
    }

    fn decode(&self, bytes: &[u8]) -> Option<u64> {
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

#[test]
fn a_flaw_is_shown_with_its_run_where_it_was_found_and_named_elsewhere() {
    let reports = shared(&Panics, mesh(3), |_| Options::default());
    let mut flawed = 0;
    for report in reports {
        match report.ended {
            Ended::Flawed(it) => {
                assert!(it.flaw.to_string().contains("panicked: too large"), "{it}");
                assert_eq!(it.path.expect("the run that led there").steps.len(), 19);
                flawed += 1;
            }
            Ended::Peer(why) => {
                assert!(why.contains("cannot search the system: the change 20"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(flawed >= 1);
}

/// Takes a component for another one when it reads it.
struct Garbles;

impl System for Garbles {
    type Component = u64;
    type Change = u64;
    type Step = u16;
    type Follow = ();

    fn name(&self) -> String {
        Panics.name()
    }

    fn initial_states(&self) -> Vec<Vec<u64>> {
        Panics.initial_states()
    }

    fn rules(&self) -> u16 {
        3
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, u64>, steps: &mut Steps<Self>) {
        let place = steadfast_search::Place(rule);
        steps.step(rule).change(place, state[place] + 1);
    }

    fn changed(&self, _: &u64, to: &u64) -> u64 {
        *to
    }

    fn properties(&self) -> Vec<Property> {
        Vec::new()
    }

    fn holds(&self, _: usize, _: &Look<'_, u64>) -> bool {
        true
    }
}

impl Portable for Garbles {
    fn encode(&self, component: &u64, bytes: &mut Vec<u8>) {
        Panics.encode(component, bytes);
    }

    fn decode(&self, bytes: &[u8]) -> Option<u64> {
        Panics.decode(bytes).map(|it| it ^ u64::from(it == 3))
    }
}

#[test]
fn a_component_that_is_another_one_elsewhere_ends_the_search() {
    for report in
        shared(&Garbles, mesh(2), |_| Options { states_max: 10_000, ..Options::default() })
    {
        let Ended::Peer(why) = &report.ended else { panic!("{report:?}") };
        assert!(why.contains("has another hash for 2") || why.contains("gone"), "{why}");
    }
}
