//! What the exchange promises, seen from outside: the right content or an error, never a wrong
//! content.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod contents;

use contents::{Edit, edit, edits, lines, noise};
use proptest::prelude::*;
use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_delta::remote::{Effect, Limits, Receiver, RemoteError, Sender};

/// What an exchange came to.
#[derive(Debug)]
struct Outcome {
    content: Vec<u8>,
    manifest: Manifest,
    up: usize,
    down: usize,
    round_trips: usize,
    restarts: usize,
}

/// What happens to a message on its way.
type Tamper<'t> = &'t mut dyn FnMut(Vec<u8>) -> Vec<u8>;

fn exchange(
    sender: Sender<'_>,
    receiver: Receiver<'_>,
    old: &[u8],
) -> Result<Outcome, RemoteError> {
    exchange_over(sender, receiver, old, &mut |message| message)
}

fn exchange_over(
    mut sender: Sender<'_>,
    mut receiver: Receiver<'_>,
    old: &[u8],
    tamper: Tamper<'_>,
) -> Result<Outcome, RemoteError> {
    let mut content = Vec::new();
    let mut manifest = None;
    let (mut up, mut down, mut round_trips, mut restarts) = (0, 0, 0, 0);
    while !sender.is_done() {
        let mut answers = Vec::new();
        round_trips += 1;
        assert!(round_trips < 40, "the exchange does not end");
        while let Some(message) = sender.next_message()? {
            down += message.len();
            for effect in receiver.receive(&tamper(message))? {
                match effect {
                    Effect::Send(answer) => answers.push(answer),
                    Effect::Copy { offset, length } => {
                        let from = usize::try_from(offset).unwrap();
                        let to = from + usize::try_from(length).unwrap();
                        content.extend_from_slice(&old[from..to]);
                    }
                    Effect::Write(bytes) => content.extend_from_slice(&bytes),
                    Effect::Restart => {
                        content.clear();
                        restarts += 1;
                    }
                    Effect::Done(made) => manifest = Some(made),
                }
            }
        }
        if answers.is_empty() {
            return Err(RemoteError::Malformed("nobody has anything to say"));
        }
        for answer in answers {
            up += answer.len();
            sender.receive(&tamper(answer))?;
        }
    }
    let manifest = manifest.ok_or(RemoteError::Malformed("the receiver is not done"))?;
    Ok(Outcome { content, manifest, up, down, round_trips, restarts })
}

fn cold(old: &[u8], new: &[u8], limits: Limits) -> Outcome {
    let (of_old, of_new) = (Manifest::of(old, Depth::Grains), Manifest::of(new, Depth::Chunks));
    let sender = Sender::new(new, &of_new, 7);
    exchange(sender, Receiver::new(old, &of_old, limits), old).unwrap()
}

fn cached(old: &[u8], new: &[u8], depth: Depth) -> Outcome {
    let (of_old, of_new) = (Manifest::of(old, depth), Manifest::of(new, Depth::Chunks));
    let sender = Sender::with_known(new, &of_new, &of_old, 7).unwrap();
    exchange(sender, Receiver::new(old, &of_old, Limits::default()), old).unwrap()
}

#[test]
fn the_same_content_takes_a_name_and_a_nod() {
    let content = noise(1, 3 << 20);
    let outcome = cold(&content, &content, Limits::default());
    assert_eq!(outcome.content, content);
    assert_eq!(outcome.round_trips, 1);
    assert!(outcome.up + outcome.down <= 64, "{outcome:?}");
}

#[test]
fn a_known_content_takes_one_round_trip() {
    let old = noise(2, 3 << 20);
    let mut new = old.clone();
    new[1 << 20] ^= 1;
    for (depth, bytes_max) in [(Depth::Grains, 2_000), (Depth::Chunks, 70_000)] {
        let outcome = cached(&old, &new, depth);
        assert!(outcome.content == new);
        assert_eq!(outcome.manifest, Manifest::of(&new, depth));
        assert_eq!(outcome.round_trips, 1);
        assert!(outcome.up + outcome.down < bytes_max, "{} {}", outcome.up, outcome.down);
    }
}

#[test]
fn an_unknown_content_takes_four_round_trips_and_little_more_than_the_change() {
    let old = noise(3, 8 << 20);
    let mut new = old.clone();
    new.splice(5 << 20..5 << 20, *b"inserted");
    let outcome = cold(&old, &new, Limits::default());
    assert!(outcome.content == new);
    assert_eq!((outcome.round_trips, outcome.restarts), (4, 0));
    assert!(outcome.up + outcome.down < 3_000, "{} {}", outcome.up, outcome.down);
}

#[test]
fn a_delta_against_another_content_ends_cold() {
    let (old, believed, new) = (noise(4, 1 << 20), noise(5, 1 << 20), noise(6, 1 << 20));
    let [of_old, of_believed, of_new] =
        [&old, &believed, &new].map(|content| Manifest::of(content, Depth::Grains));
    let sender = Sender::with_known(&new, &of_new, &of_believed, 7).unwrap();
    let receiver = Receiver::new(&old, &of_old, Limits::default());
    let outcome = exchange(sender, receiver, &old).unwrap();
    assert!(outcome.content == new);
}

#[test]
fn a_delta_that_unpacks_to_far_more_ends_cold() {
    let old = noise(14, 1 << 20);
    let mut new = old.clone();
    new.splice(1 << 19..1 << 19, vec![0; 80 << 20]);
    let outcome = cached(&old, &new, Depth::Grains);
    assert!(outcome.content == new);
    assert_eq!(outcome.restarts, 1);
    assert!(outcome.down < 2_000_000, "{}", outcome.down);
    new.truncate(20 << 20);
    assert_eq!(cached(&old, &new, Depth::Grains).round_trips, 1);
}

#[test]
fn nothing_and_one_byte_are_contents() {
    let contents = [vec![], vec![0], vec![1], noise(7, 100_000)];
    for old in &contents {
        for new in &contents {
            assert_eq!(&cold(old, new, Limits::default()).content, new);
            assert_eq!(&cached(old, new, Depth::Grains).content, new);
        }
    }
}

#[test]
fn names_that_collide_cost_a_repetition_and_nothing_else() {
    let old = noise(8, 2 << 20);
    let mut new = old.clone();
    new[700_000..700_100].fill(9);
    let mut restarts = 0;
    for name_bits_max in 1..12 {
        let outcome = cold(&old, &new, Limits { name_bits_max, ..Limits::default() });
        assert!(outcome.content == new);
        restarts += outcome.restarts;
    }
    assert!(restarts > 0, "no names collided: the test is too mild");
}

#[test]
fn a_base_that_rots_unnoticed_is_given_up() {
    let mut old = noise(9, 2 << 20);
    let of_old = Manifest::of(&old, Depth::Grains);
    let new = [&old[..], b"more"].concat();
    old[1 << 20] ^= 1;
    let of_new = Manifest::of(&new, Depth::Chunks);
    for known in [None, Some(&of_old)] {
        let sender = match known {
            Some(known) => Sender::with_known(&new, &of_new, known, 7).unwrap(),
            None => Sender::new(&new, &of_new, 7),
        };
        let receiver = Receiver::new(&old, &of_old, Limits::default());
        let outcome = exchange(sender, receiver, &old).unwrap();
        assert!(outcome.content == new);
        assert!(outcome.restarts > 0);
    }
}

#[test]
fn a_rotten_copy_of_the_same_content_is_replaced() {
    let mut old = noise(10, 1 << 20);
    let manifest = Manifest::of(&old, Depth::Chunks);
    let new = old.clone();
    old[5] ^= 1;
    let sender = Sender::new(&new, &manifest, 7);
    let receiver = Receiver::new(&old, &manifest, Limits::default());
    assert!(exchange(sender, receiver, &old).unwrap().content == new);
}

#[test]
fn more_than_the_limit_is_refused() {
    let (old, new) = (noise(11, 1000), noise(12, 2000));
    let (of_old, of_new) = (Manifest::of(&old, Depth::Grains), Manifest::of(&new, Depth::Grains));
    let limits = Limits { length_max: 1999, ..Limits::default() };
    let offer = exchange(Sender::new(&new, &of_new, 7), Receiver::new(&old, &of_old, limits), &old);
    assert!(matches!(offer, Err(RemoteError::TooLong { length: 2000, limit: 1999 })));
    let sender = Sender::with_known(&new, &of_new, &of_old, 7).unwrap();
    let delta = exchange(sender, Receiver::new(&old, &of_old, limits), &old);
    assert!(matches!(delta, Err(RemoteError::TooLong { length: 2000, limit: 1999 })));
}

#[test]
fn unrelated_contents_travel_whole_and_little_more() {
    let (old, new) = (noise(13, 6 << 20), noise(14, 6 << 20));
    let outcome = cold(&old, &new, Limits::default());
    assert!(outcome.content == new);
    assert!(outcome.down < new.len() + new.len() / 30, "{}", outcome.down);
}

#[test]
fn compressible_bytes_travel_packed() {
    let (old, new) = (noise(15, 100), lines(16, 6 << 20));
    let outcome = cold(&old, &new, Limits::default());
    assert!(outcome.content == new);
    assert!(outcome.down < new.len() / 4, "{}", outcome.down);
}

/// Ends of different versions must understand each other: a change here needs another version of
/// the messages.
#[test]
fn messages_are_frozen() {
    let old = noise(22, 120_000);
    let (new, _) = edit(&old, &[Edit::Insert { at: 50_000, length: 20 }]);
    let (of_old, of_new) = (Manifest::of(&old, Depth::Grains), Manifest::of(&new, Depth::Chunks));
    let mut text = String::new();
    let senders = [
        ("cold", Sender::new(&new, &of_new, 7)),
        ("known", Sender::with_known(&new, &of_new, &of_old, 7).unwrap()),
    ];
    for (name, sender) in senders {
        text += &format!("{name}\n");
        let receiver = Receiver::new(&old, &of_old, Limits::default());
        let outcome = exchange_over(sender, receiver, &old, &mut |message| {
            text += &message.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            text += "\n";
            message
        });
        assert!(outcome.unwrap().content == new);
    }
    insta::with_settings!({ snapshot_path => "../../../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("delta_exchange_version_1", text);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_was_edited_arrives(
        kind in 0..3,
        length in 0_usize..3_000_000,
        edits in edits(),
        name_bits_max in prop_oneof![Just(64_u8), 4_u8..20],
    ) {
        let old = match kind {
            0 => noise(17, length),
            1 => lines(18, length),
            _ => vec![5; length],
        };
        let (new, _) = edit(&old, &edits);
        let limits = Limits { name_bits_max, ..Limits::default() };
        prop_assert!(cold(&old, &new, limits).content == new);
        for depth in [Depth::Chunks, Depth::Grains] {
            prop_assert!(cached(&old, &new, depth).content == new);
        }
    }

    /// Bits flip, bytes are cut off, messages are replaced by noise: the right content arrives, or
    /// an error is told.
    #[test]
    fn what_was_tampered_with_is_never_taken_for_the_content(
        at in 0_usize..400_000,
        victim in 0_usize..8,
        position: prop::sample::Index,
        how in 0..4,
        is_cold: bool,
    ) {
        let old = noise(19, 400_000);
        let (new, _) = edit(&old, &[
            Edit::Insert { at, length: 3000 },
            Edit::Overwrite { at: at * 7, length: 40 },
        ]);
        let (of_old, of_new) = (Manifest::of(&old, Depth::Grains), Manifest::of(&new, Depth::Grains));
        let sender = match is_cold {
            true => Sender::new(&new, &of_new, 7),
            false => Sender::with_known(&new, &of_new, &of_old, 7).unwrap(),
        };
        let receiver = Receiver::new(&old, &of_old, Limits { length_max: 1 << 20, ..Limits::default() });
        let mut index = 0;
        let outcome = exchange_over(sender, receiver, &old, &mut |mut message| {
            index += 1;
            if index - 1 == victim {
                let at = position.index(message.len());
                match how {
                    0 => message[at] ^= 1 << (at % 8),
                    1 => message.truncate(at),
                    2 => message.extend(noise(at as u64, 20)),
                    _ => message = [&message[..1], &noise(3, at)].concat(),
                }
            }
            message
        });
        if let Ok(outcome) = outcome {
            prop_assert!(outcome.content == new || outcome.manifest.root() != of_new.root());
            let made = Manifest::of(&outcome.content, Depth::Chunks);
            prop_assert_eq!(made.root(), outcome.manifest.root());
        }
    }

    #[test]
    fn any_messages_are_heard_without_a_panic(
        messages in proptest::collection::vec((1_u8..12, proptest::collection::vec(any::<u8>(), 0..200)), 0..8),
        turn in 0..5,
    ) {
        let (old, new) = (noise(20, 200_000), noise(21, 200_000));
        let (of_old, of_new) = (Manifest::of(&old, Depth::Chunks), Manifest::of(&new, Depth::Chunks));
        let mut sender = Sender::new(&new, &of_new, 7);
        let mut receiver = Receiver::new(&old, &of_old, Limits { length_max: 1 << 20, ..Limits::default() });
        for _ in 0..turn {
            let Ok(Some(message)) = sender.next_message() else { break };
            for effect in receiver.receive(&message).unwrap() {
                if let Effect::Send(answer) = effect {
                    sender.receive(&answer).unwrap();
                }
            }
        }
        for (kind, rest) in messages {
            let message = [&[kind][..], &rest].concat();
            let _ = receiver.receive(&message);
            let _ = sender.receive(&message);
            while let Ok(Some(_)) = sender.next_message() {}
        }
    }
}
