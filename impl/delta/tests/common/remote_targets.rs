//! What a fuzzer runs against manifests and the exchange, and what the tests run on a short
//! deterministic corpus.
#![allow(dead_code, unreachable_pub)]

use std::sync::LazyLock;

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_delta::remote::{Effect, Limits, Receiver, Sender};
use twox_hash::XxHash3_64;

/// Reads the input as a manifest: as it is, and with a checksum that is right, so that also what
/// lies behind the checksum is reached.
pub fn read_manifest(input: &[u8]) {
    let checked = [input, &XxHash3_64::oneshot(input).to_le_bytes()].concat();
    for bytes in [input, &checked] {
        if let Ok(manifest) = Manifest::from_bytes(bytes) {
            let again = Manifest::from_bytes(&manifest.to_bytes());
            assert_eq!(again.as_ref(), Ok(&manifest));
            let length: u64 = manifest.chunks().map(|(_, chunk)| u64::from(chunk.length())).sum();
            assert_eq!(length, manifest.length());
        }
    }
}

/// A content and its manifest.
struct Known(Vec<u8>, Manifest);

impl Known {
    fn new(content: Vec<u8>) -> Known {
        let manifest = Manifest::of(&content, Depth::Grains);
        Known(content, manifest)
    }
}

static OLD: LazyLock<Known> = LazyLock::new(|| {
    let word = |number: u32| number.wrapping_mul(0x9E37_79B1) ^ number >> 5;
    Known::new((0..40_000).flat_map(|number| word(number * number).to_le_bytes()).collect())
});
static NEW: LazyLock<Known> = LazyLock::new(|| {
    let mut new = OLD.0.clone();
    new[70_000..70_010].fill(7);
    new.splice(20_000..20_000, *b"inserted");
    Known::new(new)
});

/// Lets two ends talk, and puts parts of the input in place of some of what they say. Whatever
/// comes of it, it is the content that was offered or an error.
pub fn talk(input: &[u8]) {
    let Some((&[how, width], mut rest)) = input.split_first_chunk() else { return };
    let limits = Limits { length_max: 1 << 20, name_bits_max: width };
    let mut receiver = Receiver::new(&OLD.0, &OLD.1, limits);
    let mut sender = match how & 1 {
        0 => Sender::new(&NEW.0, &NEW.1, 3),
        _ => Sender::with_known(&NEW.0, &NEW.1, &OLD.1, 3).expect("memory"),
    };
    let mut result = Vec::new();
    for _ in 0..20 {
        let mut answers = Vec::new();
        while let Some(message) = sender.next_message().expect("memory") {
            let message = replaced(message, &mut rest);
            let Ok(effects) = receiver.receive(&message) else { return };
            for effect in effects {
                match effect {
                    Effect::Send(answer) => answers.push(answer),
                    Effect::Copy { offset, length } => {
                        result.extend_from_slice(&OLD.0[offset as usize..][..length as usize]);
                    }
                    Effect::Write(bytes) => result.extend_from_slice(&bytes),
                    Effect::Restart => result.clear(),
                    Effect::Done(manifest) => {
                        assert_eq!(Manifest::of(&result, Depth::Grains), manifest);
                    }
                }
                assert!(result.len() <= 1 << 20);
            }
        }
        for answer in answers {
            if sender.receive(&replaced(answer, &mut rest)).is_err() {
                return;
            }
        }
    }
}

/// What travels instead of a message, as the first bytes of the rest say: itself, a part of it
/// with a byte changed, or the next bytes of the rest.
fn replaced(mut message: Vec<u8>, rest: &mut &[u8]) -> Vec<u8> {
    let Some((&[what, low, high, value], after)) = rest.split_first_chunk() else { return message };
    *rest = after;
    let at = usize::from(low) | usize::from(high) << 8;
    match what % 4 {
        0 => {}
        1 => {
            let at = at % message.len();
            message[at] = value;
        }
        2 => message.truncate(at % message.len()),
        _ => {
            let (instead, after) = rest.split_at(rest.len().min(at % 512));
            *rest = after;
            message = [&[value][..], instead].concat();
        }
    }
    message
}
