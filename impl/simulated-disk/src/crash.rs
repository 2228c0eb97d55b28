//! The disks that a crash may leave.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::model::{DiskModel, FileModel, Inode, Pending, Write};

/// The byte that stands for garbage.
const GARBAGE: u8 = 0xa5;

/// How a crash may change bytes that were not synced. A crash makes choices; its driver makes them at
/// random, or goes through all of them.
#[derive(Clone, Copy, Debug)]
pub struct CrashModel {
    /// The unit that a disk writes as one, in bytes.
    pub sector_bytes: usize,
    /// Whether a sector that was being written may hold garbage, instead of old or new bytes.
    pub tears_sectors: bool,
    /// Whether space that a file was given and that was never written may hold garbage, instead of
    /// zeros.
    pub has_garbage_in_fresh_space: bool,
    /// Up to this many unsynced sectors of a file survive in every combination. Of more, these do:
    /// all up to one, all from one on, all but one, one only.
    pub combined_sectors_max: usize,
}

impl CrashModel {
    /// The disk after a crash: everything on it is durable. `choose` is called with the number of
    /// possibilities and returns one of them, counted from 0; possibility 0 is "nothing survived".
    pub fn crash(&self, model: &DiskModel, choose: &mut dyn FnMut(usize) -> usize) -> DiskModel {
        let mut names = Arc::clone(&model.durable_names);
        for change in &model.changes {
            if choose(2) == 1 {
                change.apply(Arc::make_mut(&mut names));
            }
        }
        let inodes: BTreeSet<Inode> = names.values().copied().collect();
        let files: BTreeMap<Inode, Arc<FileModel>> =
            inodes.iter().map(|it| (*it, self.crash_file(&model.files[it], choose))).collect();
        model.with(names, files)
    }

    /// Shows every disk that a crash may leave, some more than once, until `show` returns `false`. Goes
    /// through the choices of the crash like an odometer.
    pub fn each(&self, model: &DiskModel, show: &mut dyn FnMut(DiskModel) -> bool) {
        // For each choice: the chosen possibility, and how many there are.
        let mut choices: Vec<(usize, usize)> = Vec::new();
        loop {
            let mut at = 0;
            let image = self.crash(model, &mut |count| {
                if at == choices.len() {
                    choices.push((0, count));
                }
                let chosen = choices[at].0;
                at += 1;
                chosen
            });
            choices.truncate(at);
            if !show(image) {
                return;
            }
            while choices.last().is_some_and(|it| it.0 + 1 >= it.1) {
                choices.pop();
            }
            match choices.last_mut() {
                Some(last) => last.0 += 1,
                None => return,
            }
        }
    }

    fn crash_file(
        &self,
        file: &Arc<FileModel>,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Arc<FileModel> {
        if file.pending.is_empty() {
            return Arc::clone(file);
        }
        let bytes = Arc::new(self.survivors(file, choose));
        Arc::new(FileModel { seen: Arc::clone(&bytes), durable: bytes, pending: Vec::new() })
    }

    fn survivors(&self, file: &FileModel, choose: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let lengths = lengths(file);
        let length = lengths[choose(lengths.len())];
        let mut bytes = (*file.durable).clone();
        if self.has_garbage_in_fresh_space && length > bytes.len() && choose(2) == 1 {
            bytes.resize(length, GARBAGE);
        }
        bytes.resize(length, 0);
        let dirty: Vec<usize> = dirty_sectors(file, self.sector_bytes)
            .range(..length.div_ceil(self.sector_bytes))
            .copied()
            .collect();
        let survives = self.pattern(dirty.len(), choose);
        for (at, &sector) in dirty.iter().enumerate() {
            let range = sector * self.sector_bytes..((sector + 1) * self.sector_bytes).min(length);
            let mut contents: Vec<Vec<u8>> = vec![bytes[range.clone()].to_vec()];
            for version in versions(file, &range) {
                let mut new = contents[0].clone();
                new[..version.len()].copy_from_slice(&version);
                if !contents.contains(&new) {
                    contents.push(new);
                }
            }
            if self.tears_sectors {
                contents.push(vec![GARBAGE; range.len()]);
            }
            let chosen = match &survives {
                None => choose(contents.len()),
                Some(survives) => usize::from(survives(at)).min(contents.len() - 1),
            };
            bytes[range].copy_from_slice(&contents[chosen]);
        }
        bytes
    }

    /// Which of many sectors survive; `None` if each is chosen for itself.
    fn pattern(
        &self,
        count: usize,
        choose: &mut dyn FnMut(usize) -> usize,
    ) -> Option<Box<dyn Fn(usize) -> bool>> {
        if count <= self.combined_sectors_max {
            return None;
        }
        let chosen = choose(4 * count);
        let (kind, one) = (chosen / count, chosen % count);
        Some(match kind {
            0 => Box::new(move |at| at < one),
            1 => Box::new(move |at| at >= one),
            2 => Box::new(move |at| at != one),
            _ => Box::new(move |at| at == one),
        })
    }
}

/// The lengths of the file as it was durable, and after each change since.
fn lengths(file: &FileModel) -> Vec<usize> {
    let mut length = file.durable.len();
    let mut lengths = vec![length];
    for pending in &file.pending {
        length = pending.write.length_after(length);
        lengths.push(length);
    }
    lengths.dedup();
    lengths
}

/// A part of the file after each change that concerns it; shorter where the file ends within it. Only this part is
/// made: of a long file that was written in many pieces, all versions take the square of its length.
fn versions(file: &FileModel, part: &Range<usize>) -> Vec<Vec<u8>> {
    let clipped = |length: usize| length.clamp(part.start, part.end);
    let mut length = file.durable.len();
    let mut now = file.durable.get(part.start..clipped(length)).unwrap_or_default().to_vec();
    let mut versions = Vec::new();
    for Pending { write, .. } in &file.pending {
        let before = now.len();
        length = write.length_after(length);
        now.resize(clipped(length) - part.start, 0);
        let mut is_changed = now.len() != before;
        if let Write::Bytes(offset, bytes) = write {
            let from = usize::try_from(*offset).unwrap_or(usize::MAX);
            let both = from.max(part.start)..(from + bytes.len()).min(part.end);
            if !both.is_empty() {
                let place = both.start - part.start..both.end - part.start;
                now[place].copy_from_slice(&bytes[both.start - from..both.end - from]);
                is_changed = true;
            }
        }
        if is_changed {
            versions.push(now.clone());
        }
    }
    versions
}

fn dirty_sectors(file: &FileModel, sector_bytes: usize) -> BTreeSet<usize> {
    let mut sectors = BTreeSet::new();
    for pending in &file.pending {
        if let Write::Bytes(offset, bytes) = &pending.write {
            let from = usize::try_from(*offset).unwrap_or(usize::MAX);
            sectors.extend(from / sector_bytes..(from + bytes.len()).div_ceil(sector_bytes));
        }
    }
    sectors
}
