//! The inputs: pairs of an old and a new version, from seeds.

use std::fs;
use std::path::Path;

use super::random::Random;
use super::{sqlite, text};

pub use super::input_error::InputError;

/// A pair of versions that a seed makes. The letters are those of the issue that asked for them.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// Its name.
    pub name: &'static str,
    /// The difference between its versions.
    pub what: &'static str,
    make: fn(&Path, usize) -> Result<(), InputError>,
}

/// All inputs that a seed makes.
pub const INPUTS: [Input; 12] = [
    Input { name: "A", what: "one byte changed in the middle", make: one_byte },
    Input { name: "B", what: "100 scattered overwrites of 16 bytes", make: overwrites },
    Input { name: "C", what: "1 KiB inserted in front", make: insert_in_front },
    Input { name: "D", what: "ten inserts and ten deletes of 4 KiB", make: inserts_and_deletes },
    Input { name: "E", what: "halves swapped", make: halves_swapped },
    Input { name: "F", what: "1 MiB appended", make: appended },
    Input { name: "G", what: "identical", make: identical },
    Input { name: "H", what: "unrelated", make: unrelated },
    Input { name: "J", what: "an SQLite database with 1,000 row updates", make: sqlite::make },
    Input { name: "K", what: "a disk image with 1% of its pages rewritten", make: disk_image },
    Input { name: "L", what: "a rotated log", make: rotated_log },
    Input { name: "M", what: "unrelated but for one moved run of 4 MiB", make: moved_run },
];

const SEED: u64 = 0x5EED;

impl Input {
    /// The input of this name.
    pub fn named(name: &str) -> Option<Input> {
        INPUTS.into_iter().find(|input| input.name == name)
    }

    /// Makes the files `old` and `new` of about `length` bytes in a folder of its own below
    /// `inputs`, unless they are there, and answers the folder.
    pub fn make_in(&self, inputs: &Path, length: usize) -> Result<std::path::PathBuf, InputError> {
        let folder = inputs.join(self.name);
        if !folder.exists() {
            let part = inputs.join(format!("{}.part", self.name));
            if part.exists() {
                fs::remove_dir_all(&part)?;
            }
            fs::create_dir_all(&part)?;
            (self.make)(&part, length)?;
            fs::rename(part, &folder)?;
        }
        Ok(folder)
    }
}

fn base(length: usize) -> Vec<u8> {
    Random::new(SEED).noise(length)
}

/// Random numbers that have nothing to do with the base.
fn edits() -> Random {
    Random::new(SEED + 1)
}

fn write(folder: &Path, old: &[u8], new: &[u8]) -> Result<(), InputError> {
    fs::write(folder.join("old"), old)?;
    fs::write(folder.join("new"), new)?;
    Ok(())
}

fn one_byte(folder: &Path, length: usize) -> Result<(), InputError> {
    let old = base(length);
    let mut new = old.clone();
    new[length / 2] ^= 0x55;
    write(folder, &old, &new)
}

fn overwrites(folder: &Path, length: usize) -> Result<(), InputError> {
    let old = base(length);
    let mut new = old.clone();
    let mut random = edits();
    for _ in 0..100 {
        let at = random.below(length - 16);
        random.fill(&mut new[at..at + 16]);
    }
    write(folder, &old, &new)
}

fn insert_in_front(folder: &Path, length: usize) -> Result<(), InputError> {
    let old = base(length);
    let new = [&edits().noise(1 << 10)[..], &old].concat();
    write(folder, &old, &new)
}

fn inserts_and_deletes(folder: &Path, length: usize) -> Result<(), InputError> {
    const EDIT: usize = 4 << 10;
    let old = base(length);
    let mut random = edits();
    let mut new = Vec::with_capacity(length + 10 * EDIT);
    // Twenty parts of the old content, each cut at a random place of its own.
    let part = length / 20;
    for index in 0..20 {
        let old = &old[index * part..if index == 19 { length } else { (index + 1) * part }];
        let at = random.below(old.len() - EDIT);
        new.extend_from_slice(&old[..at]);
        if index % 2 == 0 {
            new.extend(random.noise(EDIT));
            new.extend_from_slice(&old[at..]);
        } else {
            new.extend_from_slice(&old[at + EDIT..]);
        }
    }
    write(folder, &old, &new)
}

fn halves_swapped(folder: &Path, length: usize) -> Result<(), InputError> {
    let old = base(length);
    let (first, second) = old.split_at(length / 2);
    write(folder, &old, &[second, first].concat())
}

fn appended(folder: &Path, length: usize) -> Result<(), InputError> {
    let old = base(length);
    let new = [&old[..], &edits().noise(1 << 20)].concat();
    write(folder, &old, &new)
}

fn identical(folder: &Path, length: usize) -> Result<(), InputError> {
    let old = base(length);
    write(folder, &old, &old)
}

fn unrelated(folder: &Path, length: usize) -> Result<(), InputError> {
    write(folder, &base(length), &edits().noise(length))
}

/// Pages as a disk has them: empty, of text, of noise.
fn disk_image(folder: &Path, length: usize) -> Result<(), InputError> {
    const PAGE: usize = 4 << 10;
    let mut random = Random::new(SEED);
    let mut old = vec![0; length];
    for extent in old.chunks_mut(16 * PAGE) {
        match random.below(3) {
            0 => {}
            1 => extent.copy_from_slice(&text::log_lines(&mut random, extent.len())),
            _ => random.fill(extent),
        }
    }
    let mut new = old.clone();
    let pages = length / PAGE;
    for _ in 0..pages / 100 {
        let at = random.below(pages) * PAGE;
        let page = &mut new[at..at + PAGE];
        if random.below(2) == 0 {
            page.copy_from_slice(&text::log_lines(&mut random, PAGE));
        } else {
            random.fill(page);
        }
    }
    write(folder, &old, &new)
}

/// The older third was dropped and as much was written since.
fn rotated_log(folder: &Path, length: usize) -> Result<(), InputError> {
    let third = length / 3;
    let log = text::log_lines(&mut Random::new(SEED), length + third);
    write(folder, &log[..length], &log[third..])
}

fn moved_run(folder: &Path, length: usize) -> Result<(), InputError> {
    let old = base(length);
    let mut new = edits().noise(length);
    let run = (4 << 20).min(length / 8);
    let (from, to) = (length / 7, length / 2 + 12_345);
    new[to..to + run].copy_from_slice(&old[from..from + run]);
    write(folder, &old, &new)
}
