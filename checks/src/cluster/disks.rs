//! The disks of nodes: file systems of bounded size in memory that can be filled, and bits that flip.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use steadfast_wal::format::names::segment_name;

use super::logs;
use super::network::run;

/// The size of a node's file system. Only what is used takes memory.
const SIZE: &str = "1g";

/// The file that fills a file system.
const BALLAST: &str = "chamber-ballast";

/// How many contents lose a bit at a time.
const ROTTEN_AT_ONCE: usize = 3;

/// The file systems of nodes. They go when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Disks(Vec<PathBuf>);

impl Disks {
    /// Puts the `data` of a node, which does not run, onto a file system of its own. The process must be in a mount namespace of
    /// its own.
    pub(crate) fn mount(&mut self, node: &Path) -> Result<(), String> {
        let (data, made) = (node.join("data"), node.join("data-made"));
        let moved = fs::rename(&data, &made).and_then(|()| fs::create_dir(&data));
        moved.map_err(|error| format!("{}: {error}", data.display()))?;
        run(&format!("mount -t tmpfs -o size={SIZE} none {}", data.display()))?;
        self.0.push(data.clone());
        run(&format!("cp -a {}/. {}", made.display(), data.display()))?;
        fs::remove_dir_all(&made).map_err(|error| format!("{}: {error}", made.display()))
    }

    /// Copies all data back to where they stay after the end of this process. No node runs any more.
    pub(crate) fn keep(&mut self) -> Result<(), String> {
        for data in std::mem::take(&mut self.0) {
            let kept = data.with_file_name("data-kept");
            make_room(&data);
            run(&format!("cp -a {} {}", data.display(), kept.display()))?;
            run(&format!("umount {}", data.display()))?;
            let moved = fs::remove_dir(&data).and_then(|()| fs::rename(&kept, &data));
            moved.map_err(|error| format!("{}: {error}", data.display()))?;
        }
        Ok(())
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        // What cannot be unmounted goes with the namespace.
        self.0.iter().for_each(|it| drop(run(&format!("umount -l {}", it.display()))));
    }
}

/// Fills the file system of a node.
pub(crate) fn fill(data: &Path) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot fill {}: {error}", data.display());
    let file = File::create(data.join(BALLAST)).map_err(failed)?;
    let mut at = 0;
    // The node writes meanwhile, so that the free room is asked for again.
    for _ in 0..3 {
        let free = statvfs(data).map_err(|error| failed(error.into()))?;
        let bytes = (free.blocks_available() * free.fragment_size()).cast_signed();
        if bytes == 0 || posix_fallocate(&file, at, bytes).is_err() {
            continue;
        }
        at += bytes;
    }
    Ok(())
}

/// Makes room again.
pub(crate) fn make_room(data: &Path) {
    // It may not have been filled.
    let _ = fs::remove_file(data.join(BALLAST));
}

/// The contents that have lost a bit, each with its only node.
#[derive(Debug, Default)]
pub(crate) struct Rot(BTreeMap<String, PathBuf>);

impl Rot {
    /// Flips a bit in some contents of a node that another node shows. No content loses one on two nodes, because a node
    /// gets a good copy only from a node that has one. A copy of a node that does not show it is not enough: the entry that names it
    /// may never come, and then the node deletes it.
    pub(crate) fn contents(
        &mut self,
        data: &Path,
        shown_elsewhere: &BTreeSet<String>,
        random: &mut StdRng,
    ) -> io::Result<usize> {
        let directory = data.join("contents");
        let mut names: Vec<String> = fs::read_dir(&directory)?
            .filter_map(|it| it.ok()?.file_name().into_string().ok())
            .filter(|it| shown_elsewhere.contains(it))
            .collect();
        names.sort();
        names.shuffle(random);
        let mut flipped = 0;
        for name in names {
            if self.0.get(&name).is_some_and(|it| it != data) {
                continue;
            }
            // The node may have deleted it meanwhile.
            if flip(&directory.join(&name), None, random).is_ok() {
                self.0.insert(name, data.to_owned());
                flipped += 1;
            }
            if flipped == ROTTEN_AT_ONCE {
                break;
            }
        }
        Ok(flipped)
    }
}

/// A bit that was flipped in a log.
#[derive(Debug)]
pub(crate) struct Flipped {
    file: PathBuf,
    at: u64,
    bit: u8,
}

impl Flipped {
    /// Flips it back.
    pub(crate) fn repair(&self) -> io::Result<()> {
        flip_at(&self.file, self.at, self.bit)
    }
}

/// Flips a bit of a record in the log of a node that does not run. The last batch is spared, because a crash may leave that one damaged.
/// `None` if the log has no other.
pub(crate) fn rot_log(data: &Path, random: &mut StdRng) -> Result<Option<Flipped>, String> {
    let batches = logs::batches(data)?;
    let Some((_, others)) = batches.split_last().filter(|it| !it.1.is_empty()) else {
        return Ok(None);
    };
    let (segment, offset, length) = others[random.random_range(0..others.len())];
    let file = data.join("log").join(segment_name(segment));
    let body = offset + steadfast_wal::format::header::HEADER_BYTES as u64;
    let range = body..body + length.max(1);
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    flip(&file, Some(range), random).map(Some).map_err(failed)
}

fn flip(
    file: &Path,
    range: Option<std::ops::Range<u64>>,
    random: &mut StdRng,
) -> io::Result<Flipped> {
    let range = match range {
        Some(range) => range,
        None => 0..fs::metadata(file)?.len(),
    };
    if range.is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    let (at, bit) = (random.random_range(range), random.random_range(0..8));
    flip_at(file, at, bit)?;
    Ok(Flipped { file: file.to_owned(), at, bit })
}

fn flip_at(file: &Path, at: u64, bit: u8) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 1 << bit], at)
}
