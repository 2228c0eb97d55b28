//! The pairs that constants are measured on: from seeds, and the beginnings of real releases where
//! `benches/fetch-pairs` fetched some.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::TuningError;
use crate::delta::inputs::Input;
use crate::delta::random::Random;
use crate::delta::text::log_lines;

const MIB: usize = 1 << 20;
const SEED: u64 = 0x7011;
/// The bytes of a real release that are taken.
const RELEASE: u64 = 4 << 20;

type Versions = [Vec<u8>; 2];

/// A pair, and how it is made.
type Made = (&'static str, fn() -> Versions);

const MADE: [Made; 14] = [
    ("rows-sorted-otherwise", rows_sorted_otherwise),
    ("rows-with-a-column-more", rows_with_a_column_more),
    ("lines-with-other-ends", || lines(|it, out| out.extend([it, b"\r\n"].concat()))),
    ("lines-indented", || lines(|it, out| out.extend([b"    ", it, b"\n"].concat()))),
    ("lines-renamed", || lines(renamed)),
    ("lines-sorted", lines_sorted),
    ("records-shuffled", records_shuffled),
    ("byte-inserted-every-100", byte_inserted),
    ("every-other-24-changed", every_other_changed),
    ("new-piece-eight-times", new_piece_eight_times),
    ("numbers-moved-on", numbers_moved_on),
    ("page-holes-shifted", page_holes_shifted),
    ("text-amid-noise", text_amid_noise),
    ("long-unrelated-tables", long_unrelated_tables),
];

/// Inputs of `versus delta` at these lengths in MiB.
const INPUTS: [(&str, usize); 7] =
    [("B", 4), ("D", 8), ("J", 8), ("K", 8), ("L", 3), ("M", 20), ("H", 40)];

/// Makes the pairs that are not there yet, each in a folder with the files `old` and `new`.
pub(super) fn make(folder: &Path, releases: &Path) -> Result<(), TuningError> {
    for (name, make) in MADE {
        make_once(&folder.join(name), |to| {
            let [old, new] = make();
            fs::write(to.join("old"), old)?;
            Ok(fs::write(to.join("new"), new)?)
        })?;
    }
    for (name, mib) in INPUTS {
        let input = Input::named(name).ok_or(io::Error::from(io::ErrorKind::NotFound))?;
        make_once(&folder.join(format!("input-{name}-{mib}")), |to| {
            let made = input.make_in(&to.join("made"), mib * MIB).map_err(io::Error::other)?;
            for version in ["old", "new"] {
                fs::rename(made.join(version), to.join(version))?;
            }
            Ok(fs::remove_dir_all(to.join("made"))?)
        })?;
    }
    if !releases.exists() {
        return Ok(());
    }
    for release in fs::read_dir(releases)? {
        let release = release?;
        let name = release.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".part") {
            make_once(&folder.join(format!("release-{name}")), |to| begin(&release.path(), to))?;
        }
    }
    Ok(())
}

fn make_once(
    folder: &Path,
    make: impl FnOnce(&Path) -> Result<(), TuningError>,
) -> Result<(), TuningError> {
    if folder.exists() {
        return Ok(());
    }
    let part: PathBuf = folder.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    make(&part)?;
    Ok(fs::rename(part, folder)?)
}

/// Copies the beginnings of two versions.
fn begin(from: &Path, to: &Path) -> Result<(), TuningError> {
    for version in ["old", "new"] {
        let mut beginning = File::open(from.join(version))?.take(RELEASE);
        io::copy(&mut beginning, &mut File::create(to.join(version))?)?;
    }
    Ok(())
}

struct Row {
    number: usize,
    name: String,
    section: &'static str,
    size: usize,
    sum: String,
}

fn rows(count: usize) -> Vec<Row> {
    const SECTIONS: [&str; 6] = ["admin", "devel", "doc", "libs", "net", "python"];
    let mut random = Random::new(SEED);
    let row = |number| Row {
        number,
        name: format!(
            "lib{}-{}",
            ["audio", "mesh", "page", "query"][random.below(4)],
            random.below(999)
        ),
        section: SECTIONS[random.below(SECTIONS.len())],
        size: random.below(1 << 20),
        sum: format!("{:016x}{:016x}", random.number(), random.number()),
    };
    (0..count).map(row).collect()
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>, has_more: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for Row { number, name, section, size, sum } in rows {
        let more = if has_more { "foreign," } else { "" };
        let line = writeln!(
            out,
            "{number},{name},{more}{section},{size},\"Depends on {name} (>= {size})\",{sum}"
        );
        debug_assert!(line.is_ok(), "a vector takes every write");
    }
    out
}

fn rows_sorted_otherwise() -> Versions {
    let rows = rows(24_000);
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|it| (it.section, it.size));
    [table(rows.iter(), false), table(sorted.into_iter(), false)]
}

fn rows_with_a_column_more() -> Versions {
    let rows = rows(24_000);
    [table(rows.iter(), false), table(rows.iter(), true)]
}

fn text() -> Vec<u8> {
    log_lines(&mut Random::new(SEED), 2 * MIB)
}

/// A text, and the same with each line written in another way.
fn lines(write: impl Fn(&[u8], &mut Vec<u8>)) -> Versions {
    let old = text();
    let mut new = Vec::new();
    old.split(|it| *it == b'\n').for_each(|it| write(it, &mut new));
    [old, new]
}

fn renamed(line: &[u8], out: &mut Vec<u8>) {
    let line = String::from_utf8_lossy(line).replace("billing[", "accounts[");
    out.extend(line.bytes().chain([b'\n']));
}

fn lines_sorted() -> Versions {
    let old = text();
    let mut lines: Vec<_> = old.split(|it| *it == b'\n').collect();
    lines.sort_by_key(|it| it.get(30..));
    let new = lines.join(&b'\n');
    [old, new]
}

fn noise(length: usize) -> Vec<u8> {
    Random::new(SEED).noise(length)
}

fn records_shuffled() -> Versions {
    let old = noise(2 * MIB);
    let mut records: Vec<_> = old.chunks(64).collect();
    let mut random = Random::new(SEED + 1);
    for at in (1..records.len()).rev() {
        records.swap(at, random.below(at + 1));
    }
    let new = records.concat();
    [old, new]
}

fn byte_inserted() -> Versions {
    let old = noise(2 * MIB);
    let new = old.chunks(100).flat_map(|it| [it, b"!"].concat()).collect();
    [old, new]
}

fn every_other_changed() -> Versions {
    let old = noise(2 * MIB);
    let mut new = old.clone();
    let mut random = Random::new(SEED + 1);
    new.chunks_mut(48).filter(|it| it.len() == 48).for_each(|it| random.fill(&mut it[24..]));
    [old, new]
}

fn new_piece_eight_times() -> Versions {
    let old = noise(4 * MIB);
    let piece = Random::new(SEED + 1).noise(MIB / 4);
    let new = old.chunks(MIB / 2).flat_map(|it| [it, &piece].concat()).collect();
    [old, new]
}

/// An index whose offsets all grew by the same number, and a table of other numbers.
fn numbers_moved_on() -> Versions {
    let mut random = Random::new(SEED);
    let (mut old, mut new, mut offset) = (Vec::new(), Vec::new(), 0u32);
    for at in 0..300_000 {
        offset += 4 + u32::try_from(random.below(900)).unwrap_or_default();
        old.extend(offset.to_le_bytes());
        new.extend((offset + 4096 * (1 + at / 100_000)).to_le_bytes());
        let flags = u8::try_from(random.below(7)).unwrap_or_default();
        old.extend([0, flags]);
        new.extend([0, if random.below(50) == 0 { flags + 1 } else { flags }]);
    }
    [old, new]
}

/// A sparse image whose content moved by less than a page, with rewritten pages.
fn page_holes_shifted() -> Versions {
    const PAGE: usize = 4 << 10;
    let mut random = Random::new(SEED);
    let mut old = vec![0; 8 * MIB];
    for extent in old.chunks_mut(16 * PAGE) {
        random.fill(&mut extent[..9 * PAGE]);
    }
    let mut new = [&old[..MIB], &old[MIB + 100..]].concat();
    for _ in 0..60 {
        let at = random.below(new.len() / PAGE - 1) * PAGE;
        new[at..at + PAGE].copy_from_slice(&log_lines(&mut random, PAGE));
    }
    [old, new]
}

/// Texts in few places amid noise, most of it new.
fn text_amid_noise() -> Versions {
    let (old, mut new) = (noise(MIB), Random::new(SEED + 1).noise(MIB));
    let mut random = Random::new(SEED + 2);
    for at in (0..16).map(|it| it * 64_000 + 5000) {
        let text = log_lines(&mut random, 20_000);
        new[at..at + text.len()].copy_from_slice(&text);
        new[at + 30_000..at + 40_000].copy_from_slice(&old[at + 7_000..at + 17_000]);
    }
    [old, new]
}

/// Tables of 17 MiB with words in common, and no rows.
fn long_unrelated_tables() -> Versions {
    let rows = rows(310_000);
    let (old, new) = rows.split_at(rows.len() / 2);
    [table(old.iter(), false), table(new.iter(), true)]
}
