//! The files that scenarios are told with.

use std::io::{self, Write};

use crate::{Bytes, Random};

/// A file.
#[derive(Clone, Debug)]
pub struct Source {
    /// What it is called.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// Keeps what is written, be it long.
pub trait Scratch {
    /// Keeps what a function writes.
    ///
    /// # Errors
    /// There is no room for it.
    fn keep(&self, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<Bytes>;
}

/// Keeps everything in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct InMemory;

impl Scratch for InMemory {
    fn keep(&self, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        Ok(Bytes::new(bytes))
    }
}

/// A small set of files, the same for every seed on every machine: a note, a table, a picture, and
/// an image of 8 MiB.
#[must_use]
pub fn default_sources(seed: u64) -> Vec<Source> {
    let random = &mut Random::new(seed);
    let source = |name: &str, bytes: Vec<u8>| Source { name: name.to_owned(), bytes: bytes.into() };
    vec![
        source("note.txt", prose(random, 1_800)),
        source("table.csv", table(random, 600)),
        source("picture.raw", noise(random, 60_000)),
        source("image.img", image(random, 8 << 20)),
    ]
}

fn prose(random: &mut Random, length: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "log", "leader", "follower", "epoch", "promise", "sync", "crash", "replay", "stamp",
        "conflict", "heal", "delta",
    ];
    let mut text = String::new();
    while text.len() < length {
        text += random.pick(&WORDS).copied().unwrap_or_default();
        text += if random.chance(100) { ".\n" } else { " " };
    }
    text.into_bytes()
}

fn table(random: &mut Random, rows: u64) -> Vec<u8> {
    let row = |row| format!("{row},{},{}\n", random.within(0..=9_999), random.within(0..=1));
    (0..rows).map(row).collect::<String>().into_bytes()
}

fn noise(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..length.div_ceil(8)).flat_map(|_| random.bits().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// Half of it noise, half of it zeros, in pages.
fn image(random: &mut Random, length: usize) -> Vec<u8> {
    let pages = (0..length / 4_096).flat_map(|_| match random.chance(500) {
        true => noise(random, 4_096),
        false => vec![0; 4_096],
    });
    pages.collect()
}
