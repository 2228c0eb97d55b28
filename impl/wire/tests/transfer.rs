//! Contents arrive whole and right, at the cost of what changed.

mod common;

use common::contents::{Memory, Pair, download, noise};
use steadfast_wire::Kind;
use steadfast_wire::transfer::WINDOW;

const MIB: usize = 1 << 20;

/// Brings a content to an end that has an old one, and returns the bytes of all frames in both directions.
fn bring(new: &Memory, old: Option<&Memory>, sender_has_old: bool) -> (u64, Pair) {
    let mut pair = Pair::default();
    pair.hold(new);
    if let Some(old) = old.filter(|_| sender_has_old) {
        pair.hold(old);
    }
    pair.receiver.add(download(new, old));
    let mut line = pair.connect();
    pair.run(&mut line, |_, _| false);
    (line.total(), pair)
}

#[test]
fn contents_of_every_length_arrive_whole() {
    for length in [0, 1, 7, 16 << 10, (64 << 10) - 1, (64 << 10) + 1, MIB, 9 * MIB + 13] {
        for bytes in [noise(1, length), vec![0; length]] {
            let new = Memory::new(&bytes);
            let (total, mut pair) = bring(&new, None, false);
            let (found, received) = pair.take();
            assert!(found == bytes);
            assert_eq!((received.whole, received.patched), (length as u64, 0));
            assert!(total < length as u64 * 101 / 100 + 300, "{total} for {length}");
        }
    }
}

#[test]
fn a_changed_byte_costs_less_than_a_thousandth_by_delta_and_by_exchange() {
    let old_bytes = noise(2, 64 * MIB);
    let mut new_bytes = old_bytes.clone();
    new_bytes[33_333_333] ^= 1;
    let (old, new) = (Memory::new(&old_bytes), Memory::new(&new_bytes));
    for (sender_has_old, bound) in [(true, 64 * MIB / 20_000), (false, 64 * MIB / 5_000)] {
        let (total, mut pair) = bring(&new, Some(&old), sender_has_old);
        let (found, received) = pair.take();
        println!("{total} bytes, the sender has the old content: {sender_has_old}");
        assert!(found == new_bytes);
        assert!(total < bound as u64, "{total} of {}, {received:?}", new_bytes.len());
        assert_eq!(received.whole, 0);
        assert!(received.patched > 0 && received.copied > 60 * MIB as u64);
        assert_eq!(pair.kept, received.copied, "all of it stays in place");
    }
    // Without an old content all of it travels.
    let (total, mut pair) = bring(&new, None, true);
    assert!(pair.take().0 == new_bytes && total > 64 * MIB as u64);
}

fn edited(old: &[u8]) -> Vec<(&'static str, Vec<u8>, usize)> {
    let (at, n) = (old.len() / 3, old.len());
    vec![
        ("the same", old.to_vec(), 0),
        ("insertion", [&old[..at], b"inserted", &old[at..]].concat(), 8),
        ("deletion", [&old[..at], &old[at + 100..]].concat(), 0),
        ("appended", [old, &noise(4, 5000)].concat(), 5000),
        ("prepended", [&noise(4, 5000), old].concat(), 5000),
        ("cut short", old[..at].to_vec(), 0),
        // The chunks at the seam have no neighbours in order.
        ("moved", [&old[at..], &old[..at]].concat(), 64 << 10),
        ("twice", [old, old].concat(), 64 << 10),
        ("replaced end", [&old[..n - 300_000], &noise(5, 300_000)].concat(), 300_000),
        ("other", noise(6, 2 * MIB), 2 * MIB),
        ("empty", Vec::new(), 0),
    ]
}

#[test]
fn edits_cost_what_is_new() {
    let old_bytes = noise(3, 6 * MIB);
    let old = Memory::new(&old_bytes);
    for (name, bytes, fresh) in edited(&old_bytes) {
        let new = Memory::new(&bytes);
        for sender_has_old in [true, false] {
            let (total, mut pair) = bring(&new, Some(&old), sender_has_old);
            let (found, received) = pair.take();
            assert!(found == bytes, "{name}");
            // Chunks of the neighbourhood come as patches; each section has a list of 1.3 KiB.
            let bound = fresh + fresh / 20 + 40_000;
            println!("{name}, {sender_has_old}: {total} bytes, {received:?}");
            assert!(total < bound as u64, "{name}: {total} of {bound}, {received:?}");
        }
    }
}

#[test]
fn what_came_before_a_connection_was_lost_does_not_come_again() {
    let bytes = noise(7, 9 * MIB);
    let new = Memory::new(&bytes);
    for cut in [1, 2, 3, 10, 11, 100, 200] {
        let mut pair = Pair::default();
        pair.hold(&new);
        pair.receiver.add(download(&new, None));
        let mut first = pair.connect();
        pair.run(&mut first, |line, _| line.order.len() >= cut);
        let got = pair.receiver.downloads().map(|it| it.received().whole).sum::<u64>();
        pair.receiver.disconnect();
        let mut second = pair.connect();
        pair.run(&mut second, |_, _| false);
        assert!(pair.take().0 == bytes);
        let heads = second.order.iter().filter(|(kind, _)| *kind == Kind::Piece).count() * 17;
        let pieces = second.of(Kind::Piece) - heads as u64;
        assert_eq!(pieces + got, bytes.len() as u64, "after {cut} frames");
        // The outline does not come again, either, once it is whole.
        if cut > 1 {
            assert!(second.of(Kind::Outline) < 30, "after {cut} frames");
        }
    }
}

/// A round trip takes all requests to the sender and all answers back.
#[test]
fn a_long_content_fills_the_window_in_every_round_trip() {
    let bytes = noise(8, 96 * MIB);
    let new = Memory::new(&bytes);
    let mut pair = Pair::default();
    pair.hold(&new);
    pair.receiver.add(download(&new, None));
    let mut line = pair.connect();
    let mut rounds = 0;
    while pair.ended.is_empty() {
        pair.round_trip(&mut line);
        rounds += 1;
    }
    assert!(pair.take().0 == bytes);
    let windows = bytes.len() as u64 / WINDOW;
    assert!(rounds <= windows + windows / 8 + 4, "{rounds} round trips for {windows} windows");
}

/// The two have the same hash, and end for different reasons.
#[test]
fn a_section_that_ended_the_old_content_goes_on_in_the_new_one() {
    let (short, long) = (Memory::new(&vec![0; 4 * MIB]), Memory::new(&vec![0; 9 * MIB]));
    let ended = short.manifest.sections().last().expect("a section");
    let goes_on = long.manifest.sections().first().expect("a section");
    assert_eq!(ended.hash(), goes_on.hash());
    for (old, new) in [(&short, &long), (&long, &short)] {
        for sender_has_old in [true, false] {
            let (total, mut pair) = bring(new, Some(old), sender_has_old);
            // The manifest is compared with that of the bytes.
            let (found, _) = pair.take();
            assert!(found == *new.bytes.borrow());
            assert!(total < 120_000, "{total}");
        }
    }
}
