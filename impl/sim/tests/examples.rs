//! The examples of this crate run and print what they promise.

#[path = "../examples/scenario.rs"]
#[expect(dead_code, reason = "the test does not call main")]
mod scenario;

#[path = "../examples/soak.rs"]
#[expect(dead_code, reason = "the test does not call main")]
mod soak;

#[test]
fn both_sides_of_a_cut_go_on_and_no_write_is_lost() {
    let story = scenario::tell().expect("the scenario runs to its end");
    let (cut, healed) = story.split_once("after the heal:").expect("two parts");
    for shown in ["\"sail west\" and lists 0", "\"sail east\" and lists 0"] {
        assert!(cut.contains(shown), "{story}");
    }
    let healed: Vec<&str> =
        healed.lines().filter_map(|it| it.split_once(" shows ")).map(|(_, shown)| shown).collect();
    assert_eq!(healed.len(), 3, "{story}");
    assert!(healed.iter().all(|it| *it == healed[0]), "{story}");
    assert!(healed[0].ends_with("lists 1 conflicts"), "{story}");
}

#[test]
fn a_month_leaves_nodes_small_and_a_node_that_was_away_gets_a_state() {
    let mut days = 0;
    let soak = soak::Soak { writes: 3_000, paths: 50, seed: 7 };
    let summary = soak::run(&soak, &mut |_| days += 1).expect("the month keeps within its bounds");
    assert_eq!((days, summary.absences.len()), (30, 6));
    assert!(summary.acknowledged > 2_900, "{summary:?}");
    // The longer a node was away, the more it missed, and the state is no larger for that.
    let (first, last) = (&summary.absences[0], &summary.absences[5]);
    assert!(last.missed > 3 * first.missed, "{summary:?}");
    assert!(last.bytes < 2 * first.bytes, "{summary:?}");
}

#[test]
fn a_month_without_trims_is_noticed() {
    let soak = soak::Soak { writes: 6_000, paths: 5, seed: 7 };
    let error = soak::run_with(&soak, None, &mut |_| ()).expect_err("the logs grow");
    assert!(error.to_string().contains("a log of"), "{error}");
}
