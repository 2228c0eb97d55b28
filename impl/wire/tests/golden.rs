//! The bytes of every kind of frame, frozen. A change of these bytes needs another
//! [`VERSION`](steadfast_wire::handshake::VERSION).

mod common;

use common::packets::samples;
use common::{frames, hex};
use steadfast_protocol::{NodeId, SessionId, Settings};
use steadfast_wire::handshake::{Local, refuse};
use steadfast_wire::{Channel, ClusterId, Frame, Handshake, Kind, packet};

const GOLDEN: &str = include_str!("golden.txt");
const GOLDEN_CONTENTS: &str = include_str!("golden-contents.txt");

/// Every frame, with its name.
fn vectors() -> Vec<(String, Channel, Vec<u8>)> {
    let mut vectors = Vec::new();
    let mut add = |name: &str, channel, bytes| vectors.push((name.to_owned(), channel, bytes));
    for channel in [Channel::Log, Channel::Contents] {
        let (hello, welcome) = handshake(channel);
        add(&format!("hello {channel}"), channel, hello);
        add(&format!("welcome {channel}"), channel, welcome);
    }
    let mut refusal = Vec::new();
    refuse("no", &mut refusal);
    add("refused", Channel::Log, refusal);
    for (name, sample) in samples() {
        let mut bytes = Vec::new();
        packet::encode(&sample, &mut bytes).expect("a short packet");
        add(&format!("packet {name}"), Channel::Log, bytes);
    }
    vectors
}

/// The two frames of one end.
fn handshake(channel: Channel) -> (Vec<u8>, Vec<u8>) {
    let settings = Settings::new(5, 4, 2).expect("settings");
    let cluster = ClusterId(std::array::from_fn(|at| 0xA0 + u8::try_from(at).expect("a byte")));
    let begin = |node, peer, proposal, out: &mut Vec<u8>| {
        let local = Local { cluster, node: NodeId(node), settings, halt: None };
        Handshake::begin(local, channel, NodeId(peer), SessionId(proposal), out)
    };
    let (mut hello, mut other, mut welcome) = (Vec::new(), Vec::new(), Vec::new());
    let mut end = begin(2, 4, 0x0102_0304_0506_0708, &mut hello);
    begin(4, 2, 0x0102_0304_0506_0709, &mut other);
    let frame = Frame { kind: Kind::Hello, body: &other[5..] };
    end.receive(frame, &mut welcome).expect("a peer that fits");
    (hello, welcome)
}

#[test]
fn the_bytes_of_every_frame_are_the_same_in_every_build() {
    let lines = vectors().into_iter().map(|(name, _, bytes)| format!("{name}: {}", hex(&bytes)));
    let found: Vec<String> = lines.collect();
    let expected: Vec<&str> = GOLDEN.lines().collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len(), "{}", found.join("\n"));
}

/// Those of contents are compared where their types are known, in `src/transfer/messages.rs`.
#[test]
fn every_kind_has_a_golden_vector() {
    let mut kinds = Vec::new();
    let lines = GOLDEN.lines().map(|line| (line, Channel::Log));
    let lines = lines.chain(GOLDEN_CONTENTS.lines().map(|line| (line, Channel::Contents)));
    for (line, channel) in lines {
        let (_, digits) = line.split_once(": ").expect("a name and bytes");
        let (found, end) = frames(channel, [&bytes_of(digits)[..]]);
        assert_eq!((found.len(), end), (1, Ok(true)), "{line}");
        kinds.extend(found.into_iter().map(|(kind, _)| kind));
    }
    for kind in Kind::ALL {
        assert!(kinds.contains(kind), "no vector of {kind}");
    }
}

fn bytes_of(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn golden_packets_are_read() {
    for (name, sample) in samples() {
        let line = GOLDEN.lines().find_map(|it| it.strip_prefix(&format!("packet {name}: ")));
        let line = line.unwrap_or_else(|| panic!("no vector of {name}"));
        let bytes = bytes_of(line);
        let found = packet::decode(Frame { kind: Kind::Packet, body: &bytes[5..] });
        assert_eq!(found, Ok(sample), "{name}");
    }
}
