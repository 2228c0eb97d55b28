//! The files that scenarios run with.

use std::io::{self, Write};

use crate::{Bytes, Random};

/// A file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its content.
    pub bytes: Bytes,
}

/// A place where a version differs from the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    /// The offset in the version before.
    pub at: usize,
    /// The number of bytes that are removed there.
    pub removed: usize,
    /// The bytes that are inserted there.
    pub fresh: Vec<u8>,
}

/// Keeps changed versions, of any length.
pub trait Scratch {
    /// Keeps the version that differs from an old one in these places, which are in order and do
    /// not overlap.
    ///
    /// # Errors
    /// There is no room for it.
    fn keep(&self, old: &Bytes, splices: &[Splice]) -> io::Result<Bytes>;
}

/// Keeps everything in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct InMemory;

impl Scratch for InMemory {
    fn keep(&self, old: &Bytes, splices: &[Splice]) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        write_spliced(old, splices, &mut bytes)?;
        Ok(Bytes::new(bytes))
    }
}

/// Writes the version that differs from an old one in these places.
///
/// # Errors
/// It cannot be written.
pub fn write_spliced(old: &[u8], splices: &[Splice], out: &mut dyn Write) -> io::Result<()> {
    let mut done = 0;
    for splice in splices {
        out.write_all(&old[done..splice.at])?;
        out.write_all(&splice.fresh)?;
        done = splice.at + splice.removed;
    }
    out.write_all(&old[done..])
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
