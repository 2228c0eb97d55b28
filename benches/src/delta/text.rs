//! Text as servers write it.

use std::io::Write;

use super::random::Random;

const LEVELS: [&str; 5] = ["INFO", "INFO", "INFO", "DEBUG", "WARN"];
const SERVICES: [&str; 6] = ["gateway", "auth", "billing", "search", "storage", "mailer"];
const EVENTS: [&str; 6] = [
    "request served",
    "cache miss, asking the origin",
    "token renewed",
    "retrying after timeout",
    "row updated",
    "connection closed by peer",
];

/// Exactly `length` bytes of log lines, the last one cut off.
pub fn log_lines(random: &mut Random, length: usize) -> Vec<u8> {
    let mut log = Vec::with_capacity(length + 256);
    let mut milliseconds = random.below(86_400_000);
    while log.len() < length {
        milliseconds += random.below(40);
        let (second, thousandth) = (milliseconds / 1000, milliseconds % 1000);
        let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
        let bits = random.number();
        let pick = |names: &[&'static str], shift: u32| {
            names[(bits >> shift & 0xFFFF) as usize % names.len()]
        };
        let line = writeln!(
            log,
            "2026-11-23T{hour:02}:{minute:02}:{second:02}.{thousandth:03}Z {} {}[{}] {} id={:012x} took={}us",
            pick(&LEVELS, 0),
            pick(&SERVICES, 8),
            1000 + bits % 40,
            pick(&EVENTS, 16),
            random.number() >> 16,
            random.below(90_000),
        );
        debug_assert!(line.is_ok(), "a vector takes every write");
    }
    log.truncate(length);
    log
}
