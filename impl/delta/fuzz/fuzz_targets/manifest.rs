#![no_main]

#[path = "../../tests/common/remote_targets.rs"]
mod remote_targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| remote_targets::read_manifest(input));
