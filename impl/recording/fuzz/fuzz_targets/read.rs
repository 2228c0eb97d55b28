//! The reader on any bytes: `cargo +nightly fuzz run read` in the folder of the crate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use steadfast_recording::testing;

fuzz_target!(|bytes: &[u8]| testing::fuzz(bytes));
