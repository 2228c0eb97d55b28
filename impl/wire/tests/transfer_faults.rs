//! Damage, lies, lost connections and full disks: a content arrives right or not at all, and the error says why.

mod common;

use common::contents::{Ended, Memory, Pair, Place, download, noise};
use common::raw;
use proptest::prelude::*;
use steadfast_delta::manifest::{Cut, Depth, Manifest};
use steadfast_protocol::ContentId;
use steadfast_wire::transfer::{
    Download, Lack, Outcome, REQUESTS_MAX, Sender, Sent, TRANSFERS_MAX, TransferError, TransferId,
    WINDOW,
};
use steadfast_wire::{Channel, Decoder, FrameError, Kind};

const MIB: usize = 1 << 20;

fn never(_: &common::contents::Line, _: &[Ended]) -> bool {
    false
}

#[test]
fn a_damaged_old_content_costs_bytes_and_nothing_else() {
    let old_bytes = noise(1, 4 * MIB);
    let mut new_bytes = old_bytes.clone();
    new_bytes[2 * MIB] ^= 1;
    let new = Memory::new(&new_bytes);
    for sender_has_old in [true, false] {
        let mut pair = Pair::default();
        pair.hold(&new);
        if sender_has_old {
            pair.hold(&Memory::new(&old_bytes));
        }
        // Near the change, where a patch refers to it, and elsewhere; and cut short.
        let damaged = Memory::new(&old_bytes);
        damaged.bytes.borrow_mut()[2 * MIB - 100] ^= 1;
        damaged.bytes.borrow_mut()[MIB] ^= 1;
        damaged.bytes.borrow_mut().truncate(old_bytes.len() - 10);
        pair.receiver.add(download(&new, Some(&damaged)));
        let mut line = pair.connect();
        pair.run(&mut line, never);
        let (found, received) = pair.take();
        assert!(found == new_bytes);
        assert!(received.whole > 0 && received.whole < MIB as u64, "{received:?}");
    }
}

#[test]
fn a_source_that_rots_is_reported_and_another_peer_goes_on() {
    let bytes = noise(2, 6 * MIB);
    let (new, rotten) = (Memory::new(&bytes), Memory::new(&bytes));
    rotten.bytes.borrow_mut()[3 * MIB] ^= 1;
    let mut pair = Pair::default();
    pair.hold(&rotten);
    pair.receiver.add(download(&new, None));
    let mut line = pair.connect();
    pair.run(&mut line, never);
    assert_eq!(pair.bad, [new.content()]);
    let Some(Outcome::Lacks { lack: Lack::Missing, download }) = pair.ended.pop() else {
        panic!("{:?}", pair.ended);
    };
    let got = download.received().whole;
    assert!(got > 2 * MIB as u64, "{got}");
    let mut other = Pair::default();
    other.hold(&new);
    other.receiver.add(*download);
    let mut line = other.connect();
    other.run(&mut line, never);
    assert!(other.take().0 == bytes);
    let rest = bytes.len() as u64 - got;
    assert!(line.total() < rest + rest / 100, "{} for {rest}", line.total());
}

#[test]
fn a_content_that_the_peer_lacks_is_said_to_be_missing_or_gone() {
    let new = Memory::new(b"new");
    for (gone, expected) in [(vec![], Lack::Missing), (vec![new.content()], Lack::Gone)] {
        let mut pair = Pair { gone, ..Pair::default() };
        pair.receiver.add(download(&new, None));
        let mut line = pair.connect();
        pair.run(&mut line, never);
        let Some(Outcome::Lacks { lack, download }) = pair.ended.pop() else {
            panic!("{:?}", pair.ended);
        };
        assert_eq!((lack, download.content()), (expected, new.content()));
        assert_eq!(pair.receiver.downloads().count(), 0);
    }
}

#[test]
fn a_short_content_overtakes_a_long_one() {
    let (long, short) = (noise(3, 24 * MIB), noise(4, MIB));
    let (long, short) = (Memory::new(&long), Memory::new(&short));
    let mut pair = Pair::default();
    pair.hold(&long);
    pair.hold(&short);
    pair.receiver.add(download(&long, None));
    let mut line = pair.connect();
    pair.run(&mut line, |line, _| line.order.len() > 60);
    pair.receiver.add(download(&short, None));
    pair.run(&mut line, |_, ended| !ended.is_empty());
    let Some(Outcome::Done { content, .. }) = pair.ended.pop() else { panic!("{:?}", pair.ended) };
    assert_eq!(content, short.content());
    // From its first piece on, the two take turns.
    let pieces = line.order.iter().filter(|(kind, _)| *kind == Kind::Piece).map(|(_, id)| *id);
    let shared: Vec<u32> = pieces.skip_while(|id| *id == 0).collect();
    let of_short = shared.iter().filter(|id| **id == 1).count();
    assert!(of_short * 5 >= shared.len() * 2, "{of_short} of {}", shared.len());
    pair.run(&mut line, never);
    pair.take();
}

/// The bytes that a sender sends to a receiver that asks and then hears nothing more.
#[test]
fn no_more_than_the_window_is_under_way() {
    let contents: Vec<Memory> = (0..20).map(|seed| Memory::new(&noise(seed, 5 * MIB))).collect();
    let mut pair = Pair::default();
    contents.iter().for_each(|it| pair.hold(it));
    contents.iter().for_each(|it| pair.receiver.add(download(it, None)));
    let mut line = pair.connect();
    // All have begun, and the requests fill the window.
    pair.run(&mut line, |line, _| line.order.len() > 400);
    let before = line.total();
    let under_way = pair.drain(&mut line);
    assert!(under_way > WINDOW / 2, "{under_way}");
    assert!(under_way < WINDOW + WINDOW / 20, "{under_way}");
    assert!(before > WINDOW);
    // Four contents wait for their turn, and everything arrives after all.
    assert_eq!(pair.receiver.downloads().count(), 20 - pair.ended.len());
    pair.receiver.disconnect();
    let mut line = pair.connect();
    pair.run(&mut line, never);
    assert_eq!(pair.ended.len(), 20);
    assert!(pair.ended.iter().all(|it| matches!(it, Outcome::Done { .. })));
}

/// The share of a content shrinks when others join, but what it has asked for is still under way.
#[test]
fn the_window_holds_when_contents_join() {
    let contents: Vec<Memory> = (0..16).map(|seed| Memory::new(&noise(seed, 20 * MIB))).collect();
    let mut pair = Pair::default();
    contents.iter().for_each(|it| pair.hold(it));
    pair.receiver.add(download(&contents[0], None));
    let mut line = pair.connect();
    pair.run(&mut line, |line, _| line.order.len() > 60);
    contents[1..].iter().for_each(|it| pair.receiver.add(download(it, None)));
    let held = pair.hold_back(&mut line, 0, 400);
    let under_way = held + pair.drain(&mut line);
    assert!(under_way > WINDOW / 2, "{under_way}");
    assert!(under_way < WINDOW + WINDOW / 20, "{under_way}");
}

#[test]
fn a_content_that_is_no_longer_wanted_stops_and_can_go_on() {
    let bytes = noise(5, 8 * MIB);
    let new = Memory::new(&bytes);
    let mut pair = Pair::default();
    pair.hold(&new);
    pair.receiver.add(download(&new, None));
    let mut line = pair.connect();
    pair.run(&mut line, |line, _| line.order.len() > 30);
    let download = pair.receiver.remove(new.content()).expect("it is under way");
    assert!(pair.receiver.remove(new.content()).is_none());
    let (written, length) = download.progress().expect("the length is known");
    assert!(written > 0 && written < length && length == bytes.len() as u64);
    let before = line.order.len();
    pair.run(&mut line, never);
    // What was in the sender's hands is given up with the close.
    assert!(line.order.len() <= before + 1, "{} frames", line.order.len() - before);
    pair.receiver.add(download);
    pair.run(&mut line, never);
    assert!(pair.take().0 == bytes);
}

#[test]
fn a_full_disk_and_a_content_that_is_too_long_end_the_download() {
    let new = Memory::new(&noise(6, MIB));
    let mut pair = Pair::default();
    pair.hold(&new);
    let full = Place { room: Some(1000), ..Place::default() };
    pair.receiver.add(Download::new(new.content(), None, full, 1 << 40));
    let mut line = pair.connect();
    pair.run(&mut line, never);
    let Some(Outcome::Failed { error, .. }) = pair.ended.pop() else { panic!("{:?}", pair.ended) };
    assert!(matches!(error, TransferError::Sink { .. }), "{error}");
    let limit = new.manifest.length() - 1;
    pair.receiver.add(Download::new(new.content(), None, Place::default(), limit));
    pair.run(&mut line, never);
    let Some(Outcome::Failed { error, .. }) = pair.ended.pop() else { panic!("{:?}", pair.ended) };
    assert!(matches!(error, TransferError::TooLong { .. }), "{error}");
    // The connection goes on.
    pair.receiver.add(download(&new, None));
    pair.run(&mut line, never);
    assert_eq!(pair.take().0.len(), MIB);
}

fn body(id: u32, fields: &[&[u8]]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &fields.concat()].concat()
}

/// The length and the hash of a section.
type Named = (u64, [u8; 32]);

fn outline(length: u64, sections: &[Named], flags: u8) -> Vec<u8> {
    let mut bytes = body(0, &[&[flags], &length.to_le_bytes()]);
    for (length, hash) in sections {
        let length = u32::try_from(*length).expect("a short section");
        bytes.extend([&[0], &length.to_le_bytes()[..], hash].concat());
    }
    raw(Kind::Outline.to_byte(), &bytes)
}

/// A receiver that has asked for a content.
fn asked(new: &Memory, old: Option<&Memory>) -> Pair {
    let mut pair = Pair::default();
    pair.receiver.add(download(new, old));
    pair.receiver.connect();
    let mut out = Vec::new();
    assert!(pair.receiver.next_frame(&mut out) && !pair.receiver.next_frame(&mut out));
    pair
}

#[test]
fn an_outline_that_lies_is_refused() {
    let new = Memory::new(&noise(7, 3 * MIB));
    let length = new.manifest.length();
    let sections = new.manifest.sections().iter().map(|it| (it.length(), it.hash().0));
    let right: Vec<Named> = sections.collect();
    let fails = |bytes: &[u8]| match asked(&new, None).receive_raw(bytes) {
        Ok(Some(Outcome::Failed { content, error, sink })) => {
            assert_eq!(content, new.content());
            assert!(sink.bytes.is_empty());
            error
        }
        other => panic!("{other:?}"),
    };
    assert!(matches!(asked(&new, None).receive_raw(&outline(length, &right, 2)), Ok(None)));
    let mut other = right.clone();
    other[0].1[5] ^= 1;
    let error = fails(&outline(length, &other, 2));
    assert!(matches!(error, TransferError::OtherContent { .. }), "{error}");
    let changed = |change: &dyn Fn(&mut Vec<Named>)| {
        let mut sections = right.clone();
        change(&mut sections);
        sections
    };
    let wrong = [
        outline(length - 1, &right, 2),
        outline(length + 1, &right, 2),
        outline(length, &changed(&|it| it[0].0 = 0), 2),
        outline(length, &changed(&|it| it[0].0 = 1000), 2),
        outline(length, &changed(&|it| it[0].0 = 5 << 20), 2),
        outline(length, &right[..1], 2),
        outline(length, &[], 0),
        // At once, before further frames make them more.
        outline(length, &[(1000, [1; 32]), (600 << 10, [2; 32])], 0),
        outline(1000, &[(2000, [1; 32])], 0),
    ];
    for bytes in wrong {
        let error = fails(&bytes);
        assert!(matches!(error, TransferError::Outline { .. }), "{error}");
    }
    // Sections of an old content that was not named, or that it does not have.
    let run = |first: u64, count: u64| {
        let run = [&[1], &first.to_le_bytes()[..], &count.to_le_bytes()].concat();
        raw(Kind::Outline.to_byte(), &body(0, &[&[3], &length.to_le_bytes(), &run]))
    };
    fails(&run(0, 1));
    let old = Memory::new(&noise(8, 3 * MIB));
    for (first, count) in [(9, 1), (0, 0), (0, u64::MAX), (u64::MAX, u64::MAX), (0, 99)] {
        let found = asked(&new, Some(&old)).receive_raw(&run(first, count));
        let is_wrong =
            matches!(found, Ok(Some(Outcome::Failed { error: TransferError::Outline { .. }, .. })));
        assert!(is_wrong, "{first}, {count}: {found:?}");
    }
}

/// The name of a content says nothing about the lengths of its sections, but their chunks do.
#[test]
fn an_outline_that_lies_about_lengths_is_found_out_by_the_chunks() {
    let new = Memory::new(&noise(7, 3 * MIB));
    let sections = new.manifest.sections();
    let mut named: Vec<Named> = sections.iter().map(|it| (it.length(), it.hash().0)).collect();
    named[0].0 += 1;
    named[1].0 -= 1;
    // Also where the old content has the section.
    for old in [None, Some(&new)] {
        let mut pair = asked(&new, old);
        let lie = outline(new.manifest.length(), &named, 2);
        assert!(matches!(pair.receive_raw(&lie), Ok(None)));
        while pair.receiver.has_work() {
            assert!(pair.receiver.work().is_none());
        }
        let mut out = Vec::new();
        assert!(pair.receiver.next_frame(&mut out));
        let list = sections[0].to_bytes();
        let found = pair.receive_raw(&raw(49, &body(0, &[&[0; 8], &list])));
        let Ok(Some(Outcome::Failed { error, .. })) = found else { panic!("{found:?}") };
        assert!(matches!(error, TransferError::Outline { .. }), "{error}");
    }
}

/// A receiver that has listed the chunks of the first section, or has wanted the first stretch of it.
fn listed(new: &Memory, wants: bool) -> Pair {
    let mut pair = asked(new, None);
    let sections = new.manifest.sections().iter().map(|it| (it.length(), it.hash().0));
    let outline = outline(new.manifest.length(), &sections.collect::<Vec<_>>(), 2);
    assert!(matches!(pair.receive_raw(&outline), Ok(None)));
    let mut out = Vec::new();
    assert!(pair.receiver.next_frame(&mut out));
    if wants {
        let list = new.manifest.sections()[0].to_bytes();
        let chunks = raw(Kind::Chunks.to_byte(), &body(0, &[&[0; 8], &list]));
        assert!(matches!(pair.receive_raw(&chunks), Ok(None)));
        assert!(pair.receiver.next_frame(&mut out));
    }
    pair
}

#[test]
fn chunks_and_pieces_that_lie_are_refused() {
    let bytes = noise(9, MIB / 2);
    let new = Memory::new(&bytes);
    assert_eq!(new.manifest.sections().len(), 1);
    let chunks = |list: &[u8]| raw(Kind::Chunks.to_byte(), &body(0, &[&[0; 8], list]));
    let mut list = new.manifest.sections()[0].to_bytes();
    list[10] ^= 1;
    let found = listed(&new, false).receive_raw(&chunks(&list));
    let Ok(Some(Outcome::Failed { error, .. })) = found else { panic!("{found:?}") };
    assert!(matches!(error, TransferError::Chunks { section: 0, .. }), "{error}");

    let piece = |bytes: &[u8]| raw(Kind::Piece.to_byte(), &body(0, &[&[0; 8], bytes]));
    let length = new.manifest.sections()[0].chunks()[0].length() as usize;
    let mut damaged = bytes[..length].to_vec();
    damaged[length / 2] ^= 1;
    for wrong in [&damaged[..], &bytes[..length - 1], &bytes[..length + 1], &[]] {
        let found = listed(&new, true).receive_raw(&piece(wrong));
        let Ok(Some(Outcome::Failed { error, sink, .. })) = found else { panic!("{found:?}") };
        let is_named = matches!(error, TransferError::Piece { offset: 0, .. });
        assert!(is_named && error.to_string().contains("piece frame"), "{error}");
        assert!(sink.bytes.iter().all(|it| *it == 0), "nothing is written unverified");
    }
    let mut pair = listed(&new, true);
    assert!(matches!(pair.receive_raw(&piece(&bytes[..length])), Ok(None)));
    // The second one is expected now.
    let found = pair.receive_raw(&piece(&bytes[..length]));
    assert!(matches!(found, Err(FrameError::Unexpected { kind: Kind::Piece, .. })), "{found:?}");
}

/// The hash of a section says nothing about the reasons why its chunks end, so a list with a wrong one fits it. The
/// bytes of the chunk show the lie, also where the old content has them.
#[test]
fn a_chunk_with_a_wrong_cut_is_not_copied() {
    let bytes = noise(9, MIB / 2);
    let (new, old) = (Memory::new(&bytes), Memory::new(&[&bytes[..], b"more"].concat()));
    let section = &new.manifest.sections()[0];
    let named = [(section.length(), section.hash().0)];
    let copied = |list: &[u8]| {
        let mut pair = asked(&new, Some(&old));
        let outline = outline(new.manifest.length(), &named, 2);
        assert!(matches!(pair.receive_raw(&outline), Ok(None)));
        assert!(pair.receiver.next_frame(&mut Vec::new()));
        let chunks = raw(Kind::Chunks.to_byte(), &body(0, &[&[0; 8], list]));
        assert!(matches!(pair.receive_raw(&chunks), Ok(None)));
        while pair.receiver.has_work() {
            assert!(pair.receiver.work().is_none());
        }
        let download = pair.receiver.remove(new.content()).expect("its end is still to come");
        download.received().copied
    };
    let mut list = section.to_bytes();
    let right = copied(&list);
    let first = &section.chunks()[0];
    assert_eq!((list[0] as usize, first.cut()), (section.chunks().len(), Cut::Chunk));
    list[1] ^= Cut::Chunk as u8 ^ Cut::Section as u8;
    assert_eq!(copied(&list), right - u64::from(first.length()));
}

#[test]
fn answers_out_of_turn_end_the_connection_and_name_the_frame() {
    let new = Memory::new(&noise(10, MIB / 2));
    let list = new.manifest.sections()[0].to_bytes();
    let chunks = |section: u64| raw(49, &body(0, &[&section.to_le_bytes(), &list]));
    let piece = |offset: u64| raw(50, &body(0, &[&offset.to_le_bytes(), b"bytes"]));
    let patch = |offset: u64| raw(51, &body(0, &[&offset.to_le_bytes(), b"patch"]));
    let whole = outline(0, &[], 2);
    let unexpected = |mut pair: Pair, bytes: Vec<u8>| {
        let kind = Kind::ALL.iter().find(|it| it.to_byte() == bytes[4]).expect("a kind");
        match pair.receive_raw(&bytes) {
            Err(error) => assert!(error.to_string().contains(&kind.to_string()), "{error}"),
            other => panic!("{kind}: {other:?}"),
        }
    };
    for bytes in [chunks(0), piece(0), patch(0)] {
        unexpected(asked(&new, None), bytes);
    }
    for bytes in [chunks(1), piece(0), patch(0), whole.clone()] {
        unexpected(listed(&new, false), bytes);
    }
    // The stretch was wanted whole, so no patch is expected.
    for bytes in [chunks(0), piece(1), patch(0), whole] {
        unexpected(listed(&new, true), bytes);
    }
    // Frames of the other end, and of a transfer that does not exist.
    for kind in [Kind::Ask, Kind::List, Kind::Want, Kind::Close] {
        let length = [69, 12, 25, 4][usize::from(kind.to_byte() - 32)];
        let mut bytes = vec![0; length];
        bytes[36 * usize::from(kind == Kind::Ask)] = u8::from(kind == Kind::Ask);
        unexpected(asked(&new, None), raw(kind.to_byte(), &bytes));
    }
    unexpected(asked(&new, None), raw(52, &body(1, &[&[1]])));
}

/// A sender that sends this content as transfer 0.
fn sending(new: &Memory, old: Option<&Memory>) -> Sender<Memory> {
    let mut sender = Sender::new();
    let flags = [u8::from(old.is_some())];
    let old_name = old.map(|it| it.content().0);
    let fields = [&new.content().0[..], &flags, old_name.as_ref().map_or(&[], |it| &it[..])];
    let asked = hear(&mut sender, &raw(32, &body(0, &fields))).expect("an ask").expect("an ask");
    assert_eq!((asked.content, asked.old), (new.content(), old.map(Memory::content)));
    sender.supply(asked.transfer, new.clone(), old.cloned());
    let mut out = Vec::new();
    sender.next_frame(&mut out);
    sender
}

fn hear(
    sender: &mut Sender<Memory>,
    bytes: &[u8],
) -> Result<Option<steadfast_wire::transfer::Asked>, FrameError> {
    let mut decoder = Decoder::new(Channel::Contents);
    let mut rest = bytes;
    sender.receive(decoder.next(&mut rest).expect("a frame").expect("a whole one"))
}

#[test]
fn requests_that_no_receiver_makes_end_the_connection() {
    let (new, old) = (Memory::new(&noise(11, MIB)), Memory::new(&noise(12, MIB)));
    let want = |offset: u64, section: u64, first: u16, count: u16, way: &[u8]| {
        let numbers = [&offset.to_le_bytes()[..], &section.to_le_bytes()].concat();
        let chunks = [first.to_le_bytes(), count.to_le_bytes()].concat();
        raw(34, &body(0, &[&numbers, &chunks, way]))
    };
    let delta = |offset: u64, length: u32| {
        [&[1], &offset.to_le_bytes()[..], &length.to_le_bytes()].concat()
    };
    let exchange =
        |region: &[u8], depth| [&[2][..], &Manifest::of(region, depth).to_bytes()].concat();
    let second = u64::from(new.manifest.sections()[0].chunks()[0].length());
    let accepted = [
        want(0, 0, 0, 1, &[0]),
        want(second, 0, 1, 2, &delta(MIB as u64 - 1000, 1000)),
        want(0, 0, 0, 1, &exchange(&noise(13, 100_000), Depth::Grains)),
    ];
    for bytes in accepted {
        assert_eq!(hear(&mut sending(&new, Some(&old)), &bytes), Ok(None));
    }
    let long = noise(13, 600 << 10);
    let refused = [
        raw(33, &body(0, &[&99_u64.to_le_bytes()])),
        want(0, 99, 0, 1, &[0]),
        want(0, u64::MAX, 0, 1, &[0]),
        want(0, 0, 0, 0, &[0]),
        want(0, 0, u16::MAX, u16::MAX, &[0]),
        want(0, 0, 0, 30, &[0]),
        want(1, 0, 0, 1, &[0]),
        want(0, 0, 0, 1, &[3]),
        want(0, 0, 0, 1, &delta(MIB as u64 - 999, 1000)),
        want(0, 0, 0, 1, &delta(u64::MAX, 1000)),
        want(0, 0, 0, 1, &delta(0, 600 << 10)),
        want(0, 0, 0, 1, &exchange(&long, Depth::Chunks)),
        want(0, 0, 0, 1, &exchange(&noise(13, 1000), Depth::Chunks)),
        want(0, 0, 0, 1, &[2, 1, 2, 3]),
    ];
    for bytes in refused {
        let found = hear(&mut sending(&new, Some(&old)), &bytes);
        assert!(matches!(found, Err(FrameError::Malformed { .. })), "{found:?}");
    }
    // A delta against a content that the sender lacks.
    let found = hear(&mut sending(&new, None), &want(0, 0, 0, 1, &delta(0, 10)));
    assert!(matches!(found, Err(FrameError::Malformed { kind: Kind::Want, .. })), "{found:?}");
    // Frames of the other end.
    let found = hear(&mut sending(&new, None), &raw(52, &body(0, &[&[1]])));
    assert!(matches!(found, Err(FrameError::Unexpected { .. })), "{found:?}");
}

#[test]
fn a_peer_that_asks_for_too_much_at_once_is_stopped() {
    let new = Memory::new(&noise(14, MIB));
    let mut sender = sending(&new, None);
    let list = raw(33, &body(0, &[&[0; 8]]));
    for _ in 0..REQUESTS_MAX {
        assert_eq!(hear(&mut sender, &list), Ok(None));
    }
    assert!(matches!(hear(&mut sender, &list), Err(FrameError::Malformed { .. })));

    let mut sender = Sender::<Memory>::new();
    let ask = |id: u32| raw(32, &body(id, &[&[7; 32], &[0]]));
    for id in 0..u32::try_from(TRANSFERS_MAX).expect("few") {
        let asked = hear(&mut sender, &ask(id)).expect("an ask").expect("an ask");
        assert_eq!((asked.transfer, asked.content), (TransferId(id), ContentId([7; 32])));
    }
    let is_refused = |found| matches!(found, Err(FrameError::Malformed { kind: Kind::Ask, .. }));
    assert!(is_refused(hear(&mut sender, &ask(99))));
    assert!(is_refused(hear(&mut sender, &ask(0))));
    // A closed one makes room; whatever else comes for it is ignored, and it is not supplied any more.
    assert_eq!(hear(&mut sender, &raw(35, &body(3, &[]))), Ok(None));
    assert_eq!(hear(&mut sender, &raw(33, &body(3, &[&[0; 8]]))), Ok(None));
    sender.supply(TransferId(3), new.clone(), None);
    assert!(hear(&mut sender, &ask(99)).is_ok());
    // So does one that the peer closes before it learns that it is refused.
    sender.refuse(TransferId(4), Lack::Missing);
    assert!(is_refused(hear(&mut sender, &ask(100))));
    assert_eq!(hear(&mut sender, &raw(35, &body(4, &[]))), Ok(None));
    assert!(hear(&mut sender, &ask(100)).is_ok());
    assert!(
        matches!(sender.next_frame(&mut Vec::new()), Sent::Nothing),
        "nobody waits for the refusal"
    );
    // A request before the driver has answered.
    assert!(hear(&mut sender, &raw(33, &body(99, &[&[0; 8]]))).is_err());
}

#[derive(Clone, Debug)]
struct Edit {
    at: prop::sample::Index,
    removed: usize,
    inserted: usize,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (any::<prop::sample::Index>(), 0..50_000_usize, 0..50_000_usize);
    let edit = edit.prop_map(|(at, removed, inserted)| Edit { at, removed, inserted });
    proptest::collection::vec(edit, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any edits, any old content at the sender, and connections that end after any number of frames.
    #[test]
    fn any_edit_arrives_over_any_number_of_connections(
        length in 0..3 * MIB,
        edits in edits(),
        has_old: bool,
        sender_has_old: bool,
        cuts in proptest::collection::vec(0..30_usize, 0..6),
        damage in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let old_bytes = noise(15, length);
        let mut bytes = old_bytes.clone();
        for (seed, Edit { at, removed, inserted }) in (100..).zip(&edits) {
            let from = at.index(bytes.len() + 1);
            let to = (from + removed).min(bytes.len());
            bytes.splice(from..to, noise(seed, *inserted));
        }
        let (old, new) = (Memory::new(&old_bytes), Memory::new(&bytes));
        let mut pair = Pair::default();
        pair.hold(&new);
        if sender_has_old {
            pair.hold(&Memory::new(&old_bytes));
        }
        if let Some(damage) = damage.filter(|_| length > 0) {
            old.bytes.borrow_mut()[damage.index(length)] ^= 1;
            pair.is_damaged = true;
        }
        pair.receiver.add(download(&new, Some(&old).filter(|_| has_old)));
        for cut in cuts {
            let mut line = pair.connect();
            let mut frames = 0;
            pair.run(&mut line, |_, _| { frames += 1; frames > cut });
            pair.receiver.disconnect();
        }
        let mut line = pair.connect();
        pair.run(&mut line, never);
        let (found, received) = pair.take();
        prop_assert!(found == bytes);
        prop_assert!(has_old || received.whole == bytes.len() as u64);
    }
}
