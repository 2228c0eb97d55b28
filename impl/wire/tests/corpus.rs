//! A short deterministic run of what the fuzzer runs without end.

#[path = "common/packets.rs"]
mod packets;
#[path = "common/targets.rs"]
mod targets;

use packets::samples;
use steadfast_wire::packet;
use targets::{bring, noise, read_contents, read_frames, read_packet, right_contents, shake_hands};

/// Bytes with a few places changed, cut or put in, as a seed says.
fn changed(mut bytes: Vec<u8>, seed: u64) -> Vec<u8> {
    let dice = noise(seed, 32);
    for die in dice.chunks(4).take(usize::from(dice[31] % 8)) {
        let at = (usize::from(die[1]) << 8 | usize::from(die[2])) % bytes.len().max(1);
        match die[0] % 4 {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << (die[3] % 8),
            1 if !bytes.is_empty() => bytes[at] = die[3],
            2 => bytes.insert(at, die[3]),
            _ => bytes.truncate(bytes.len() - bytes.len().min(usize::from(die[3] % 16))),
        }
    }
    bytes
}

fn streams() -> Vec<Vec<u8>> {
    let golden = [include_str!("golden.txt"), include_str!("golden-contents.txt")];
    let lines = golden.iter().flat_map(|it| it.lines());
    let digits = lines.filter_map(|line| Some(line.split_once(": ")?.1));
    let byte = |digits: &str, at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
    digits.map(|it| (0..it.len()).step_by(2).map(|at| byte(it, at)).collect()).collect()
}

#[test]
fn no_stream_panics() {
    for (index, stream) in (0..).zip(streams()) {
        for seed in 0..200 {
            let how = noise(seed, 1)[0];
            let stream =
                [&[how][..], &changed(stream.clone(), seed * 100 + index), &stream].concat();
            read_frames(&stream);
            read_packet(&stream);
        }
    }
}

#[test]
fn no_packet_panics() {
    for (index, (_, sample)) in (0..).zip(samples()) {
        let mut bytes = Vec::new();
        packet::encode(&sample, &mut bytes).expect("a short packet");
        for seed in 0..1000 {
            read_packet(&changed(bytes[5..].to_vec(), seed * 100 + index));
        }
    }
}

#[test]
fn no_handshake_panics() {
    for (index, stream) in (0..).zip(streams()) {
        for seed in 0..100 {
            let mut input = noise(seed * 100 + index, 4);
            if seed % 2 == 0 {
                input[0] = 0;
            }
            shake_hands(&[input, changed(stream.clone(), seed)].concat());
        }
    }
}

#[test]
fn no_talk_panics_or_ends_in_another_content() {
    bring(&[0]);
    for seed in 0..1500_u64 {
        let mut input = noise(seed, 300);
        // Talks that go on longer meet more states.
        for (index, record) in input[1..].chunks_mut(4).enumerate() {
            if index as u64 != seed % 70 {
                record[0] = 0;
            }
        }
        bring(&input);
    }
}

#[test]
fn no_frame_of_contents_panics() {
    for (index, input) in (0..).zip(right_contents()) {
        read_contents(&input);
        for seed in 0..3000 {
            read_contents(&changed(input.clone(), seed * 100 + index));
        }
    }
}
