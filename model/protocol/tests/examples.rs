//! The examples of this crate run and print what they promise.

#[path = "../examples/by_hand.rs"]
#[expect(dead_code, reason = "the test does not call main")]
mod by_hand;

#[test]
fn an_acknowledgement_is_the_last_effect_and_follows_the_ack_of_the_other_node() {
    let lines = by_hand::tell().expect("every message that the story needs is sent");
    let answers = lines.iter().filter(|it| it.contains("Acknowledged")).count();
    assert_eq!(answers, 1, "{lines:#?}");
    let [.., ack, answer] = &lines[..] else { panic!("{lines:#?}") };
    assert!(ack.starts_with("n1 sends n0 Ack") && answer.starts_with("n0 Answer"), "{lines:#?}");
}
