//! The decoders on any bytes: `cargo +nightly fuzz run decode` in the folder of the crate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use steadfast_store::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::decode(bytes));
