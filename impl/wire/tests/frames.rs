//! Streams of bytes become frames, however they are split and whatever is wrong with them.

mod common;

use common::packets::{any_packet, samples};
use common::{frames, raw};
use proptest::prelude::*;
use steadfast_wire::frame::{HEADER_LENGTH, PACKET_LENGTH_MAX};
use steadfast_wire::{Channel, Decoder, Frame, FrameError, Kind, packet};

fn stream(packets: &[steadfast_protocol::Packet]) -> Vec<u8> {
    let mut out = Vec::new();
    packets.iter().for_each(|it| packet::encode(it, &mut out).expect("a short packet"));
    out
}

fn decode(kind: Kind, body: &[u8]) -> Result<steadfast_protocol::Packet, FrameError> {
    packet::decode(Frame { kind, body })
}

proptest! {
    #[test]
    fn packets_come_back_however_the_stream_is_split(
        packets in proptest::collection::vec(any_packet(), 0..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = stream(&packets);
        let mut cuts: Vec<usize> = cuts.iter().map(|it| it.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|it| &stream[it[0]..it[1]]);
        let (found, end) = frames(Channel::Log, pieces);
        prop_assert_eq!(end, Ok(true));
        let found: Result<Vec<_>, _> = found.iter().map(|(kind, body)| decode(*kind, body)).collect();
        prop_assert_eq!(found, Ok(packets));
    }

    #[test]
    fn a_cut_packet_is_an_error_or_another_one(packet in any_packet(), cut: prop::sample::Index) {
        let stream = stream(std::slice::from_ref(&packet));
        let body = &stream[HEADER_LENGTH..];
        let cut = cut.index(body.len());
        let found = decode(Kind::Packet, &body[..cut]);
        prop_assert!(found.as_ref() != Ok(&packet), "a part is not the whole");
    }

    #[test]
    fn a_flipped_bit_is_an_error_or_another_stream(
        packets in proptest::collection::vec(any_packet(), 1..4),
        at: prop::sample::Index,
        bit in 0..8_u8,
    ) {
        let mut stream = stream(&packets);
        let at = at.index(stream.len());
        stream[at] ^= 1_u8 << bit;
        let (found, end) = frames(Channel::Log, [&stream[..]]);
        let read: Result<Vec<_>, _> = found.iter().map(|(kind, body)| decode(*kind, body)).collect();
        prop_assert!(found.len() <= packets.len() || end.is_err());
        // Whatever is read is a packet: it can be sent again.
        for packet in read.into_iter().flatten() {
            let again = self::stream(std::slice::from_ref(&packet));
            prop_assert_eq!(decode(Kind::Packet, &again[HEADER_LENGTH..]), Ok(packet));
        }
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(bytes: Vec<u8>) {
        for channel in [Channel::Log, Channel::Contents] {
            let (found, _) = frames(channel, [&bytes[..]]);
            let (single, _) = frames(channel, bytes.chunks(1));
            prop_assert_eq!(found, single);
        }
        let _ = decode(Kind::Packet, &bytes);
    }
}

#[test]
fn a_length_beyond_the_bound_of_its_kind_is_refused_at_the_header() {
    for kind in Kind::ALL {
        let channel = kind.channels()[0];
        let header = |length: usize| {
            let length = u32::try_from(length).expect("a bound");
            [&length.to_le_bytes()[..], &[kind.to_byte()]].concat()
        };
        let limit = kind.length_max();
        assert_eq!(frames(channel, [&header(limit)[..]]).1, Ok(false), "{kind}");
        let length = limit + 1;
        let expected = FrameError::TooLong { kind: *kind, length, limit };
        let (_, end) = frames(channel, [&header(length)[..]]);
        assert_eq!(end, Err(expected.clone()));
        // Also when the header comes byte by byte, and for good.
        let mut decoder = Decoder::new(channel);
        let stream = [header(length), header(0)].concat();
        let errors = stream.chunks(1).filter_map(|mut it| decoder.next(&mut it).err());
        let errors: Vec<FrameError> = errors.collect();
        assert_eq!(errors, vec![expected; HEADER_LENGTH + 1]);
    }
}

#[test]
fn unknown_kinds_and_kinds_of_the_other_connection_are_refused() {
    let end = |channel, kind| frames(channel, [&raw(kind, b"")[..]]).1;
    assert_eq!(end(Channel::Log, 0), Err(FrameError::UnknownKind(0)));
    assert_eq!(end(Channel::Contents, 255), Err(FrameError::UnknownKind(255)));
    for kind in Kind::ALL {
        for channel in [Channel::Log, Channel::Contents] {
            let expected = match kind.channels().contains(&channel) {
                true => Ok(true),
                false => Err(FrameError::WrongChannel { kind: *kind, channel }),
            };
            assert_eq!(end(channel, kind.to_byte()), expected, "{kind} on {channel}");
        }
    }
    assert!(Kind::ALL.iter().any(|it| it.channels() == [Channel::Log]));
}

#[test]
fn every_kind_has_a_number_of_its_own() {
    let mut bytes: Vec<u8> = Kind::ALL.iter().map(|it| it.to_byte()).collect();
    bytes.sort_unstable();
    bytes.dedup();
    assert_eq!(bytes.len(), Kind::ALL.len());
}

#[test]
fn bytes_behind_a_packet_are_refused() {
    for (name, sample) in samples() {
        let stream = [stream(&[sample]), vec![0, 0]].concat();
        let found = decode(Kind::Packet, &stream[HEADER_LENGTH..]);
        assert_eq!(found, Err(FrameError::Trailing { kind: Kind::Packet, count: 2 }), "{name}");
    }
}

#[test]
fn a_packet_beyond_the_bound_is_not_sent() {
    use steadfast_protocol::{Change, Content, EntryBody, Message, Sealed};
    let (_, sample) = samples().swap_remove(0);
    let with_inline = |length: usize| {
        let Message::Append(append) = (*sample.message).clone() else { panic!("an append") };
        let change = Change::Put(Content::Inline(vec![7; length].into()));
        let body = EntryBody { change, ..(*append.entries[0]).clone() };
        let append = steadfast_protocol::Append { entries: vec![Sealed::new(body)], ..append };
        let message = Sealed::new(Message::Append(append));
        steadfast_protocol::Packet { message, ..sample.clone() }
    };
    let mut out = b"before".to_vec();
    packet::encode(&with_inline(PACKET_LENGTH_MAX - 1000), &mut out).expect("it fits");
    out.truncate(6);
    let error = packet::encode(&with_inline(PACKET_LENGTH_MAX), &mut out).expect_err("too long");
    assert_eq!(out, b"before");
    let words = error.to_string();
    assert!(words.starts_with("cannot send Append") && words.contains("too long"), "{words}");
    assert!(words.len() < 1000, "{words}");
}

/// The longest packets that the default limits allow, and more heads of one path than will ever be.
#[test]
fn the_bound_fits_the_limits_of_the_protocol() {
    use steadfast_protocol::{Limits, Message, Sealed};
    let limits = Limits::default();
    let (_, sample) = samples().swap_remove(0);
    let Message::Append(append) = (*sample.message).clone() else { panic!("an append") };
    let count = usize::try_from(limits.entries.get()).expect("a count");
    let entries = vec![append.entries[1].clone(); count];
    let append = steadfast_protocol::Append { entries, ..append };
    let packet =
        steadfast_protocol::Packet { message: Sealed::new(Message::Append(append)), ..sample };
    // The bytes of paths and inline contents come on top. Each entry may name some dots more.
    let fixed = stream(&[packet]).len() + count * 64 * 11;
    let bytes = usize::try_from(limits.bytes.get()).expect("a count");
    assert!(fixed + bytes <= PACKET_LENGTH_MAX / 4, "{fixed} + {bytes}");
}

/// A length within a packet is believed only as far as there are bytes. A reader that believed it would panic
/// or abort, for want of memory.
#[test]
fn a_packet_that_names_huge_lengths_is_cut_short() {
    let huge = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    for (name, sample) in samples() {
        let stream = stream(&[sample]);
        let body = &stream[HEADER_LENGTH..];
        let mut cut_short = 0;
        for at in 0..body.len() {
            // With no byte behind it, and with many.
            let found = decode(Kind::Packet, &[&body[..at], &huge].concat());
            cut_short += usize::from(found == Err(FrameError::CutShort { kind: Kind::Packet }));
            let _ = decode(Kind::Packet, &[&body[..at], &huge, &vec![0; 1 << 20]].concat());
        }
        assert!(cut_short > 0, "{name}");
    }
}
