//! What a fuzzer runs, and what the tests run on a short deterministic corpus.
#![allow(dead_code, unreachable_pub)]

#[path = "contents.rs"]
mod contents;

pub use contents::noise;
use contents::{Memory, Place, download};
use steadfast_protocol::{NodeId, SessionId, Settings};
use steadfast_wire::handshake::read_refusal;
use steadfast_wire::transfer::{Asked, Outcome, Receiver, Sender, Sent};
use steadfast_wire::{
    Channel, ClusterId, Decoder, Frame, Handshake, Kind, Local, Progress, packet,
};

/// Splits a stream in two ways, which must give the same frames and the same error.
pub fn read_frames(input: &[u8]) {
    let Some((how, stream)) = input.split_first() else { return };
    let channel = if how & 1 == 0 { Channel::Log } else { Channel::Contents };
    let step = usize::from(how >> 1) + 1;
    let (mut whole, mut split) = (Decoder::new(channel), Decoder::new(channel));
    let mut pieces = stream.chunks(step);
    let mut rest = stream;
    let mut piece: &[u8] = &[];
    loop {
        let expected = whole.next(&mut rest);
        let found = loop {
            match split.next(&mut piece) {
                Ok(None) => match pieces.next() {
                    Some(next) => piece = next,
                    None => break Ok(None),
                },
                Ok(Some(frame)) => break Ok(Some((frame.kind, frame.body.to_vec()))),
                Err(error) => break Err(error),
            }
        };
        let expected = expected.map(|it| it.map(|frame| (frame.kind, frame.body.to_vec())));
        assert_eq!(found, expected);
        match found {
            Ok(Some((kind, body))) => read_body(Frame { kind, body: &body }),
            Ok(None) | Err(_) => return,
        }
    }
}

fn read_body(frame: Frame<'_>) {
    assert!(frame.body.len() <= frame.kind.length_max());
    match frame.kind {
        Kind::Packet => read_packet(frame.body),
        Kind::Refused => assert!(!read_refusal(frame).contains(char::is_control)),
        _ => {}
    }
}

/// Reads a packet. One that can be read can be sent, and is the same then.
pub fn read_packet(body: &[u8]) {
    let Ok(read) = packet::decode(Frame { kind: Kind::Packet, body }) else { return };
    let mut out = Vec::new();
    packet::encode(&read, &mut out).expect("no form of a packet is shorter");
    let again = packet::decode(Frame { kind: Kind::Packet, body: &out[5..] });
    assert_eq!(again.as_ref(), Ok(&read));
}

/// Opens a connection with a peer that says anything.
pub fn shake_hands(input: &[u8]) {
    let settings = Settings::new(3, 2, 2).expect("settings");
    let cluster = ClusterId([7; 16]);
    let local = |node| Local { cluster, node: NodeId(node), settings, halt: None };
    let (mut out, mut peer) = (Vec::new(), Vec::new());
    let mut end = Handshake::begin(local(0), Channel::Log, NodeId(1), SessionId(5), &mut out);
    let _ = Handshake::begin(local(1), Channel::Log, NodeId(0), SessionId(9), &mut peer);
    // The right hello with the first bytes of the input in the place of some of it, then all the rest.
    let mut rest = input;
    let stream = [replaced(peer, &mut rest), rest.to_vec()].concat();
    let (mut decoder, mut stream) = (Decoder::new(Channel::Log), &stream[..]);
    while let Ok(Some(frame)) = decoder.next(&mut stream) {
        out.clear();
        match end.receive(frame, &mut out) {
            Ok(Progress::Open { session }) => assert!(session.0 >= 5),
            Ok(Progress::Waiting) => assert!(!out.is_empty(), "a welcome"),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return;
            }
        }
    }
}

thread_local! {
    static OLD: Memory = Memory::new(&noise(1, 900_000));
    static NEW: Memory = Memory::new(&{
        let mut new = noise(1, 900_000);
        new[70_000..70_010].fill(7);
        new.splice(20_000..20_000, *b"inserted");
        new.extend(noise(2, 100_000));
        new
    });
}

/// Lets two ends bring a content, and puts parts of the input in place of some of the frames. Whatever comes of
/// it, it is the content that was asked for, or none.
pub fn bring(input: &[u8]) {
    let Some((how, mut rest)) = input.split_first() else { return };
    let (old, new) = (OLD.with(Memory::clone), NEW.with(Memory::clone));
    let mut receiver = Receiver::<Memory, Place>::new();
    receiver.add(download(&new, Some(&old).filter(|_| how & 1 == 1)));
    receiver.connect();
    let mut sender = Sender::new();
    for _ in 0..400 {
        let mut out = Vec::new();
        while receiver.next_frame(&mut out) {}
        for frame in split(&out) {
            let bytes = replaced(frame, &mut rest);
            let mut bytes = &bytes[..];
            let mut decoder = Decoder::new(Channel::Contents);
            let Ok(Some(frame)) = decoder.next(&mut bytes) else { return };
            let Ok(asked) = sender.receive(frame) else { return };
            if let Some(Asked { transfer, content, old: named }) = asked
                && content == new.content()
            {
                let old = named.filter(|it| how & 2 == 2 && *it == old.content());
                sender.supply(transfer, new.clone(), old.map(|_| OLD.with(Memory::clone)));
            }
        }
        let mut out = Vec::new();
        let is_silent = matches!(sender.next_frame(&mut out), Sent::Nothing);
        for frame in split(&out) {
            let bytes = replaced(frame, &mut rest);
            let mut bytes = &bytes[..];
            let mut decoder = Decoder::new(Channel::Contents);
            let Ok(Some(frame)) = decoder.next(&mut bytes) else { return };
            let Ok(ended) = receiver.receive(frame) else { return };
            if ended.into_iter().any(|it| is_end(it, &new)) {
                return;
            }
        }
        let worked = receiver.work();
        if worked.is_some_and(|it| is_end(it, &new)) || (is_silent && !receiver.has_work()) {
            return;
        }
    }
}

/// Hears anything at both ends of a transfer of a short content: frames of every kind, one after the other, whose
/// lengths are right.
pub fn read_contents(input: &[u8]) {
    let Some((how, mut rest)) = input.split_first() else { return };
    let (old, new) = (SHORT_OLD.with(Memory::clone), SHORT_NEW.with(Memory::clone));
    let mut receiver = Receiver::<Memory, Place>::new();
    receiver.add(download(&new, Some(&old).filter(|_| how & 1 == 1)));
    receiver.connect();
    let (mut sender, mut out) = (Sender::new(), Vec::new());
    while let Some((&[kind, length], after)) = rest.split_first_chunk() {
        let (body, after) = after.split_at(after.len().min(usize::from(length)));
        rest = after;
        let Some(kind) = Kind::ALL.get(usize::from(kind) % Kind::ALL.len()) else { return };
        let frame = Frame { kind: *kind, body };
        out.clear();
        while receiver.next_frame(&mut out) {}
        if Sender::<Memory>::takes(*kind) {
            let Ok(asked) = sender.receive(frame) else { return };
            if let Some(Asked { transfer, content, .. }) = asked
                && content == new.content()
            {
                sender.supply(transfer, new.clone(), None);
            }
            out.clear();
            while !matches!(sender.next_frame(&mut out), Sent::Nothing) {}
        } else {
            let Ok(ended) = receiver.receive(frame) else { return };
            if ended.into_iter().any(|it| is_end(it, &new)) {
                return;
            }
        }
    }
}

/// Inputs of [`read_contents`] that begin as a transfer does.
pub fn right_contents() -> Vec<Vec<u8>> {
    let (old, new) = (SHORT_OLD.with(Memory::clone), SHORT_NEW.with(Memory::clone));
    let mut inputs = Vec::new();
    for how in [0, 1] {
        let mut receiver = Receiver::<Memory, Place>::new();
        receiver.add(download(&new, Some(&old).filter(|_| how == 1)));
        receiver.connect();
        let (mut sender, mut input) = (Sender::new(), vec![how]);
        loop {
            let mut asks = Vec::new();
            while receiver.next_frame(&mut asks) {}
            let mut answers = Vec::new();
            for bytes in split(&asks) {
                input.extend(record(&bytes));
                if let Some(asked) = sender.receive(frame_of(&bytes)).expect("a frame that fits") {
                    sender.supply(asked.transfer, new.clone(), None);
                }
                while !matches!(sender.next_frame(&mut answers), Sent::Nothing) {}
            }
            for bytes in split(&answers) {
                input.extend(record(&bytes));
                receiver.receive(frame_of(&bytes)).expect("a frame that fits");
            }
            if answers.is_empty() {
                break;
            }
        }
        inputs.push(input);
    }
    inputs
}

fn frame_of(bytes: &[u8]) -> Frame<'_> {
    let kind = Kind::ALL.iter().find(|it| it.to_byte() == bytes[4]).expect("a kind");
    Frame { kind: *kind, body: &bytes[5..] }
}

/// A frame as a part of the input of [`read_contents`].
fn record(bytes: &[u8]) -> Vec<u8> {
    let kind = Kind::ALL.iter().position(|it| it.to_byte() == bytes[4]).expect("a kind");
    let byte = |number: usize| u8::try_from(number).expect("a short frame");
    [&[byte(kind), byte(bytes.len() - 5)], &bytes[5..]].concat()
}

thread_local! {
    static SHORT_OLD: Memory = Memory::new(&noise(3, 150));
    static SHORT_NEW: Memory = Memory::new(&[noise(3, 140), noise(4, 20)].concat());
}

fn is_end(ended: Outcome<Memory, Place>, new: &Memory) -> bool {
    if let Outcome::Done { sink, manifest, .. } = ended {
        assert!(sink.is_whole() && sink.bytes == *new.bytes.borrow());
        assert_eq!(manifest, *new.manifest);
    }
    true
}

/// The frames of a stream, with their headers.
fn split(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(length) = stream.first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).expect("a length");
        let (frame, rest) = stream.split_at(5 + length);
        frames.push(frame.to_vec());
        stream = rest;
    }
    frames
}

/// What travels instead of a frame, as the first bytes of the rest say: itself, itself with a byte changed or
/// cut short under a length that is right, or another kind.
fn replaced(mut frame: Vec<u8>, rest: &mut &[u8]) -> Vec<u8> {
    let Some((&[what, low, high, value], after)) = rest.split_first_chunk() else { return frame };
    *rest = after;
    let at = usize::from(low) | usize::from(high) << 8;
    match what % 8 {
        0..=4 => {}
        5 => {
            let at = 5 + at % (frame.len() - 5).max(1);
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        6 => {
            frame.truncate(5 + at % (frame.len() - 4));
            let length = u32::try_from(frame.len() - 5).expect("a short frame");
            frame[..4].copy_from_slice(&length.to_le_bytes());
        }
        _ => frame[4] = value,
    }
    frame
}
