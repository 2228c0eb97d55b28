//! Made-up systems, searched in every way and by a search that is too simple to be wrong.

#[expect(dead_code, reason = "each test uses some of the models")]
mod models;

use std::collections::BTreeMap;
use std::num::NonZero;

use models::table::{Table, Truth, endless, tables, truth};
use proptest::prelude::*;
use steadfast_search::{Options, Report, Search, Until, Walk, Width};

fn options(threads: usize) -> Options {
    let sample_every = NonZero::new(7).expect("a number");
    Options {
        threads: NonZero::new(threads).expect("a thread"),
        sample_every,
        ..Options::default()
    }
}

fn levels(report: &Report<Table>) -> Vec<u64> {
    report.levels.iter().map(|it| it.states).collect()
}

/// The depths of the findings. The paths must be runs of the table.
fn broken(table: &Table, report: &Report<Table>) -> BTreeMap<usize, usize> {
    let mut broken = BTreeMap::new();
    for finding in &report.findings {
        let plain = |state: &[std::sync::Arc<u8>]| state.iter().map(|it| **it).collect::<Vec<u8>>();
        let mut state = plain(&finding.path.initial);
        assert!(table.initial.contains(&state));
        for (step, after) in &finding.path.steps {
            assert!(table.next(&state).contains(&(*step, plain(after))));
            state = plain(after);
        }
        let property = finding.property.parse().expect("a number");
        assert!(table.is_broken(property, &state));
        broken.insert(property, finding.path.steps.len());
    }
    broken
}

fn agrees(table: &Table, report: &Report<Table>, truth: &Truth) {
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(levels(report), truth.levels);
    assert_eq!(broken(table, report), truth.broken);
    assert_eq!(report.unique, truth.states.len() as u64);
    assert_eq!(report.marks, marks(table, truth));
}

/// Each rule marks that it was used.
fn marks(table: &Table, truth: &Truth) -> Vec<(String, bool)> {
    let is_used = |rule| {
        let mut steps = truth.states.iter().flat_map(|it| table.next(it));
        steps.any(|((it, _), _)| usize::from(it) == rule)
    };
    (0..table.rules.len()).map(|it| (it.to_string(), is_used(it))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn breadth_first_finds_what_a_search_by_equality_finds(table in tables()) {
        let truth = truth(&table);
        for options in [options(1), options(3), Options { fingerprints: Width::Bits128, ..options(1) }] {
            let report = Search::new(&table, options).breadth_first();
            agrees(&table, &report, &truth);
            prop_assert_eq!(report.generated, truth.generated);
        }
    }

    #[test]
    fn sleep_sets_lose_no_state_and_no_depth(table in tables()) {
        let truth = truth(&table);
        let options = Options { sleep_sets: true, ..options(2) };
        let report = Search::new(&table, options).breadth_first();
        agrees(&table, &report, &truth);
        prop_assert!(report.generated <= truth.generated);
    }

    #[test]
    fn depth_first_finds_the_same_states(table in tables()) {
        let truth = truth(&table);
        let report = Search::new(&table, options(1)).depth_first();
        prop_assert!(report.is_complete());
        prop_assert_eq!((report.unique, report.generated), (truth.states.len() as u64, truth.generated));
        let (found, expected) = (broken(&table, &report), &truth.broken);
        prop_assert!(found.keys().eq(expected.keys()));
        prop_assert_eq!(&report.marks, &marks(&table, &truth));
    }

    #[test]
    fn a_search_for_the_first_violation_ends_with_its_level(table in tables()) {
        let truth = truth(&table);
        let first = truth.broken.values().min().copied();
        for threads in [1, 3] {
            let options = Options { until: Until::FirstViolation, ..options(threads) };
            let report = Search::new(&table, options).breadth_first();
            prop_assert_eq!(report.violation().map(|it| it.path.steps.len()), first);
            let searched = first.map_or(truth.levels.len(), |it| it + 1);
            prop_assert_eq!(levels(&report), &truth.levels[..searched]);
        }
    }

    #[test]
    fn the_graph_of_some_steps_has_the_cycles_and_the_ends_that_it_has(table in tables()) {
        prop_assume!(!table.properties.is_empty());
        let truth = truth(&table);
        let is_chosen = |step: &(u16, usize)| step.0.is_multiple_of(2);
        let settling = Search::new(&table, options(1)).settling(&|_, it| is_chosen(it), 0);
        let out = |state: &Vec<u8>| table.next(state).into_iter().filter(|it| is_chosen(&it.0)).count();
        let ends: Vec<_> = truth.states.iter().filter(|it| out(it) == 0).collect();
        let bad = ends.iter().filter(|it| table.is_broken(0, it)).count();
        prop_assert_eq!(settling.endless, endless(&table, &truth.states, is_chosen));
        prop_assert_eq!((settling.ends.len(), settling.bad_ends), (ends.len(), bad as u64));
        prop_assert_eq!(settling.edges, truth.states.iter().map(out).sum::<usize>() as u64);
        prop_assert_eq!(settling.cycle.is_some(), settling.endless > 0);
        if let Some(cycle) = settling.cycle {
            let (lead, round) = cycle.path.steps.split_at(cycle.begins_after);
            let begin = lead.last().map_or(&cycle.path.initial, |it| &it.1);
            prop_assert_eq!(begin, cycle.path.last());
            prop_assert!(!round.is_empty() && round.iter().all(|it| is_chosen(&it.0)));
        }
    }

    #[test]
    fn a_walk_takes_steps_of_the_system_and_is_the_same_for_the_same_seed(table in tables(), seed: u64) {
        let walk = Walk { seed, steps_max: 20, weight: &|_| 1 };
        let options = Options { states_max: 200, ..options(1) };
        let once = Search::new(&table, options.clone()).walk(&walk);
        let twice = Search::new(&table, options).walk(&walk);
        prop_assert!(!once.is_complete() && once.depth <= 20);
        let found = broken(&table, &once);
        prop_assert!(found.keys().all(|it| truth(&table).broken.contains_key(it)));
        prop_assert_eq!(found, broken(&table, &twice));
    }
}
