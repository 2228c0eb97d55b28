//! The bytes of records and checkpoints: frozen, bounded, and refused when they are not as they were written.
//!
//! `snapshots/store` holds them in hexadecimal digits, a file for each version. They stay readable.

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{Form, NEWEST};
use steadfast_store::codec::{
    CodecError, decode_checkpoint, decode_record, encode_checkpoint, encode_record,
};
use steadfast_store::fuzzing;

const GOLDEN: &str = "../../snapshots/store/v3.txt";
const GOLDEN_2: &str = "../../snapshots/store/v2.txt";
const GOLDEN_1: &str = "../../snapshots/store/v1.txt";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn vectors() -> Vec<(&'static str, Vec<u8>)> {
    let records = NEWEST.records().into_iter();
    let records = records.map(|(name, record)| (name, encode_record(&record)));
    records.chain([("checkpoint", encode_checkpoint(&NEWEST.checkpoint()))]).collect()
}

fn golden(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(path).expect("the golden vectors")
}

/// The golden vectors of a version, each with its name.
fn frozen(path: &str) -> Vec<(String, Vec<u8>)> {
    let vector = |line: &str| {
        let (name, digits) = line.split_once(' ').expect("a name and digits");
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        (name.to_owned(), (0..digits.len()).step_by(2).map(byte).collect())
    };
    golden(path).lines().map(vector).collect()
}

/// Those of all versions.
fn all_frozen() -> Vec<(String, Vec<u8>)> {
    [frozen(GOLDEN_1), frozen(GOLDEN_2), frozen(GOLDEN)].concat()
}

/// Reads the golden vectors of a version, which must be the records and the checkpoint of this form.
fn expect(path: &str, form: Form) {
    let mut records = form.records().into_iter();
    for (name, bytes) in frozen(path) {
        match records.next() {
            Some((expected, record)) => {
                assert_eq!((&name[..], decode_record(&bytes)), (expected, Ok(record)));
            }
            None => assert_eq!(decode_checkpoint(&bytes), Ok(form.checkpoint()), "{name}"),
        }
    }
    assert!(records.next().is_none());
}

#[test]
fn the_bytes_of_every_record_and_of_a_checkpoint_are_frozen() {
    let mut text = String::new();
    for (name, bytes) in vectors() {
        writeln!(text, "{name} {}", hex(&bytes)).expect("text");
    }
    assert_eq!(golden(GOLDEN), text);
}

#[test]
fn frozen_bytes_are_read() {
    expect(GOLDEN, NEWEST);
}

#[test]
fn version_2_is_read_as_if_all_entries_were_of_one_incarnation() {
    expect(GOLDEN_2, Form { has_lineages: false, ..NEWEST });
}

#[test]
fn version_1_is_read_as_if_no_delete_had_been_forgotten() {
    expect(GOLDEN_1, Form { has_lineages: false, has_forgotten: false });
}

#[test]
fn another_version_is_refused_by_name() {
    for (name, mut bytes) in vectors() {
        bytes[0] = 4;
        for error in [decode_record(&bytes).err(), decode_checkpoint(&bytes).err()] {
            let text = error.expect("another version").to_string();
            assert!(
                text.contains("version 4") && text.contains("versions 1 to 3"),
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn truncated_and_longer_bytes_are_refused() {
    for (name, bytes) in all_frozen() {
        let decode = |bytes: &[u8]| match &name[..] {
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
    for (_, seed) in all_frozen() {
        fuzzing::decode(&seed);
        for _ in 0..10_000 {
            let mut bytes = seed.clone();
            for _ in 0..=next(&mut state) % 4 {
                let at = usize::try_from(next(&mut state) % bytes.len() as u64).expect("an index");
                bytes[at] = next(&mut state).to_le_bytes()[0];
            }
            bytes[0] = seed[0];
            fuzzing::decode(&bytes);
        }
    }
}
