//! The six scenarios, word for word. `INSTA_UPDATE=new cargo test -p steadfast-sim` writes what
//! changed beside the reviewed text.

use steadfast_sim::scenario::{Cast, InMemory, SCENARIOS, ScenarioError, Story, default_sources};

fn cast(seed: u64, nodes: u8) -> Cast<'static> {
    let sources = default_sources(seed);
    Cast { seed, nodes, elect: None, write: None, sources, scratch: &InMemory, observer: None }
}

#[test]
fn the_stories_are_the_reviewed_ones() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        for scenario in &SCENARIOS {
            let stories = scenario.tell(&cast(1, 3)).expect("a scenario for three nodes");
            let text: Vec<String> = stories.iter().map(Story::to_string).collect();
            insta::assert_snapshot!(format!("scenario_{}", scenario.name), text.join("\n"));
        }
    });
}

#[test]
fn every_scenario_shows_what_it_is_to_show_whatever_the_seed_and_the_number_of_nodes() {
    for (seed, nodes) in (2..12).flat_map(|seed| [(seed, 3), (seed, 5)]) {
        for scenario in &SCENARIOS {
            for story in scenario.tell(&cast(seed, nodes)).expect("a scenario") {
                assert!(story.holds(), "{story}");
            }
        }
    }
}

/// Which of the settings a scenario refuses, as it is about others.
fn is_refused(scenario: &str, nodes: u8, elect: u8, write: u8) -> bool {
    match scenario {
        "crash-recovery" | "long-absence" => elect == nodes || write == nodes,
        "conflict-resolution" => elect + write > nodes,
        _ => false,
    }
}

#[test]
fn every_scenario_is_told_with_every_setting_or_refuses_it() {
    let settings = [3, 5].map(|nodes| {
        (1..=nodes).flat_map(move |elect| (1..=nodes).map(move |write| (nodes, elect, write)))
    });
    for (nodes, elect, write) in settings.into_iter().flatten() {
        let small = default_sources(1).into_iter().filter(|it| it.bytes.len() < 1 << 20);
        let sources: Vec<_> = small.collect();
        for scenario in &SCENARIOS {
            let sources = sources.clone();
            let cast = Cast { elect: Some(elect), write: Some(write), sources, ..cast(1, nodes) };
            match scenario.tell(&cast) {
                Ok(stories) => stories.iter().for_each(|it| assert!(it.holds(), "{it}")),
                Err(ScenarioError::Unfit(_)) => {
                    assert!(is_refused(scenario.name, nodes, elect, write), "{}", scenario.name);
                }
                Err(error) => panic!("{}: {error}", scenario.name),
            }
        }
    }
}

#[test]
fn a_cluster_that_a_scenario_is_not_about_is_refused_with_the_reason() {
    let refusal = |name: &str, cast: &Cast<'_>| {
        let scenario = SCENARIOS.iter().find(|it| it.name == name).expect("a scenario");
        scenario.tell(cast).expect_err("an unfit cluster").to_string()
    };
    assert_eq!(
        refusal("network-partition", &cast(1, 1)),
        "1 nodes: a split with a majority takes at least 3"
    );
    let consistent = Cast { elect: Some(2), write: Some(2), ..cast(1, 3) };
    assert_eq!(
        refusal("conflict-resolution", &consistent),
        "E=2 W=2: a consistent cluster has no conflicts; this scenario takes E+W<=N"
    );
    let impossible = Cast { elect: Some(9), ..cast(1, 3) };
    let error = SCENARIOS[0].tell(&impossible).expect_err("nine votes of three nodes");
    assert!(matches!(error, ScenarioError::Settings(_)), "{error}");
}
