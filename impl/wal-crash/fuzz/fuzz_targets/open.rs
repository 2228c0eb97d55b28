//! A log with some bytes replaced: `cargo +nightly fuzz run open` in the folder of the crate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use steadfast_wal_crash::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::open(bytes));
