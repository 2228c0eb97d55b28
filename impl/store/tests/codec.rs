//! The bytes of records and checkpoints: frozen, bounded, and refused when they are not as they were written.
//!
//! `snapshots/store/v1.txt` holds them in hexadecimal digits. They stay readable; a new version adds a file.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{checkpoint, records};
use steadfast_store::codec::{
    CodecError, decode_checkpoint, decode_record, encode_checkpoint, encode_record,
};
use steadfast_store::fuzzing;

const GOLDEN: &str = "../../snapshots/store/v1.txt";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let records = records().into_iter().map(|(name, record)| (name, encode_record(&record)));
    records.chain([("checkpoint", encode_checkpoint(&checkpoint()))]).collect()
}

fn golden() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    fs::read_to_string(path).expect("the golden vectors")
}

#[test]
fn the_bytes_of_every_record_and_of_a_checkpoint_are_frozen() {
    let mut text = String::new();
    for (name, bytes) in vectors() {
        writeln!(text, "{name} {}", hex(&bytes)).expect("text");
    }
    assert_eq!(golden(), text);
}

#[test]
fn frozen_bytes_are_read() {
    let mut records = records().into_iter();
    for line in golden().lines() {
        let (name, digits) = line.split_once(' ').expect("a name and digits");
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        match records.next() {
            Some((expected, record)) => {
                assert_eq!((name, decode_record(&bytes)), (expected, Ok(record)));
            }
            None => assert_eq!(decode_checkpoint(&bytes), Ok(checkpoint()), "{name}"),
        }
    }
}

#[test]
fn another_version_is_refused_by_name() {
    for (name, mut bytes) in vectors() {
        bytes[0] = 2;
        for error in [decode_record(&bytes).err(), decode_checkpoint(&bytes).err()] {
            let text = error.expect("another version").to_string();
            assert!(text.contains("version 2") && text.contains("version 1"), "{name}: {text}");
        }
    }
}

#[test]
fn truncated_and_longer_bytes_are_refused() {
    for (name, bytes) in vectors() {
        let decode = |bytes: &[u8]| match name {
            "checkpoint" => decode_checkpoint(bytes).err(),
            _ => decode_record(bytes).err(),
        };
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_some(), "{name}, {length} bytes");
        }
        let trailing = decode(&[&bytes[..], b"xyz"].concat());
        assert!(matches!(trailing, Some(CodecError::Trailing { trailing: 3, .. })), "{name}");
    }
}

/// Marsaglia, Xorshift RNGs (2003), section 3.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn mutated_records_and_checkpoints_are_decoded_or_refused() {
    let mut state = 0x5eed;
    for (_, seed) in vectors() {
        fuzzing::decode(&seed);
        for _ in 0..20_000 {
            let mut bytes = seed.clone();
            for _ in 0..=next(&mut state) % 4 {
                let at = usize::try_from(next(&mut state) % bytes.len() as u64).expect("an index");
                bytes[at] = next(&mut state).to_le_bytes()[0];
            }
            bytes[0] = 1;
            fuzzing::decode(&bytes);
        }
    }
}
