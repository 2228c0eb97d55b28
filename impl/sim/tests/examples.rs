//! The examples of this crate run and print what they promise.

#[path = "../examples/scenario.rs"]
#[expect(dead_code, reason = "the test does not call main")]
mod scenario;

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
