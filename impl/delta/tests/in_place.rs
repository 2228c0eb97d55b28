//! A file that is changed in place is, after a crash at any moment, the old one or the new one.

mod common;

use std::io;

use common::{InMemory, noise, patch};
use steadfast_delta::{Effort, InPlacePlan, OldContent, PatchError, PatchedFile, Verify};

/// A disk that loses power: what was written since the last sync may be there or not, in any
/// combination, and a write may be torn.
#[derive(Clone)]
struct Disk {
    durable: Vec<u8>,
    pending: Vec<Pending>,
    /// The operations until the power fails.
    left: usize,
}

#[derive(Clone)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Pending {
    fn perform(&self, file: &mut Vec<u8>) {
        match self {
            Pending::Length(length) => file.resize(*length, 0),
            Pending::Write { offset, bytes } => {
                file.resize(file.len().max(offset + bytes.len()), 0);
                file[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
    }
}

impl Disk {
    fn new(content: &[u8], left: usize) -> Disk {
        Disk { durable: content.to_vec(), pending: Vec::new(), left }
    }

    fn seen(&self) -> Vec<u8> {
        let mut file = self.durable.clone();
        self.pending.iter().for_each(|it| it.perform(&mut file));
        file
    }

    fn step(&mut self) -> io::Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("the power failed"))?;
        Ok(())
    }

    /// What may be on the disk after the power failed: every choice among the pending writes.
    fn remains(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let torn = self.pending.iter().map(|it| match it {
            Pending::Write { offset, bytes } => {
                Pending::Write { offset: *offset, bytes: bytes[..bytes.len() / 2].to_vec() }
            }
            Pending::Length(length) => Pending::Length(*length),
        });
        let torn: Vec<Pending> = torn.collect();
        (0..3usize.pow(self.pending.len() as u32)).map(move |mut choice| {
            let mut file = self.durable.clone();
            for (whole, torn) in self.pending.iter().zip(&torn) {
                match choice % 3 {
                    0 => {}
                    1 => torn.perform(&mut file),
                    _ => whole.perform(&mut file),
                }
                choice /= 3;
            }
            file
        })
    }
}

impl OldContent for Disk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.seen().len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        InMemory(&self.seen()).read_exact_at(bytes, offset)
    }
}

impl PatchedFile for Disk {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.step()?;
        self.pending.push(Pending::Write { offset: offset as usize, bytes: bytes.to_vec() });
        Ok(())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.step()?;
        self.pending.push(Pending::Length(length as usize));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.step()?;
        self.durable = self.seen();
        self.pending.clear();
        Ok(())
    }
}

/// An old content, and new ones of the same length, longer and shorter.
fn pairs() -> Vec<(Vec<u8>, Vec<u8>)> {
    let old = noise(1, 100_000);
    let mut new = old.clone();
    new[500..520].copy_from_slice(&noise(2, 20));
    new[40_000] ^= 1;
    new[70_000..70_400].copy_from_slice(&noise(3, 400));
    let longer = [&new[..], &noise(4, 30_000)].concat();
    let shorter = new[..80_000].to_vec();
    [new, longer, shorter].into_iter().map(|new| (old.clone(), new)).collect()
}

fn plan(old: &[u8], new: &[u8]) -> InPlacePlan {
    let patch = patch(old, new, Effort::Default);
    let plans = [Verify::Touched, Verify::Whole]
        .map(|verify| InPlacePlan::new(&InMemory(old), &patch[..], verify).expect("nothing moved"));
    assert_eq!(plans[0], plans[1]);
    plans[0].clone()
}

#[test]
fn a_file_becomes_the_new_content_at_the_cost_of_the_change() {
    for (old, new) in pairs() {
        let plan = plan(&old, &new);
        assert!(plan.written() < 31_000, "{}", plan.written());
        let mut disk = Disk::new(&old, usize::MAX);
        plan.apply(&mut disk).expect("the power is on");
        assert!(disk.durable == new);
    }
}

#[test]
fn a_crash_amid_the_writes_is_healed_by_the_journal() {
    for (old, new) in pairs() {
        let plan = plan(&old, &new);
        let journal = plan.to_journal();
        for left in 0..6 {
            let mut disk = Disk::new(&old, left);
            let crashed = plan.apply(&mut disk).is_err();
            for remains in disk.remains() {
                let mut disk = Disk::new(&remains, usize::MAX);
                let replayed = InPlacePlan::from_journal(&journal).expect("a whole journal");
                assert!(replayed.fits(remains.len() as u64));
                replayed.apply(&mut disk).expect("the power is on");
                assert!(disk.durable == new, "after {left} operations, crashed: {crashed}");
            }
        }
    }
}

#[test]
fn a_torn_journal_is_none() {
    let (old, new) = pairs().remove(0);
    let journal = plan(&old, &new).to_journal();
    assert!(InPlacePlan::from_journal(&journal).is_some());
    for end in 0..journal.len() {
        assert!(InPlacePlan::from_journal(&journal[..end]).is_none(), "{end}");
    }
    for at in 0..journal.len() {
        let mut flipped = journal.clone();
        flipped[at] ^= 16;
        assert!(InPlacePlan::from_journal(&flipped).is_none(), "{at}");
    }
}

#[test]
fn a_journal_that_writes_elsewhere_than_a_plan_is_none() {
    let journal = |writes: &[(u8, &[u8])]| {
        let mut bytes = [&b"SfJ\x01"[..], &[9, 9, writes.len() as u8]].concat();
        for (offset, written) in writes {
            bytes.extend([*offset, written.len() as u8]);
            bytes.extend_from_slice(written);
        }
        bytes.extend(twox_hash::XxHash3_128::oneshot(&bytes).to_le_bytes());
        InPlacePlan::from_journal(&bytes)
    };
    assert!(journal(&[(0, b"abc"), (3, b"d"), (8, b"e")]).is_some());
    assert!(journal(&[(3, b"abc"), (5, b"d")]).is_none());
    assert!(journal(&[(7, b"abc")]).is_none());
}

#[test]
fn another_content_where_it_would_change_is_refused() {
    let (old, new) = pairs().remove(0);
    let patch = patch(&old, &new, Effort::Default);
    for (at, verify) in [(510, Verify::Touched), (40_100, Verify::Touched), (30_000, Verify::Whole)]
    {
        let mut other = old.clone();
        other[at] ^= 1;
        let error =
            InPlacePlan::new(&InMemory(&other), &patch[..], verify).expect_err("it differs");
        assert!(matches!(error, PatchError::OtherOld), "{error}");
    }
}

#[test]
fn what_is_not_looked_at_is_not_noticed() {
    let (old, new) = pairs().remove(0);
    let patch = patch(&old, &new, Effort::Default);
    let mut other = old.clone();
    other[30_000] ^= 1;
    InPlacePlan::new(&InMemory(&other), &patch[..], Verify::Touched).expect("as documented");
}

#[test]
fn a_patch_that_moves_bytes_is_refused() {
    let old = noise(1, 100_000);
    let new = [b"in front", &old[..]].concat();
    let patch = patch(&old, &new, Effort::Default);
    let error = InPlacePlan::new(&InMemory(&old), &patch[..], Verify::Touched).expect_err("moved");
    assert!(matches!(error, PatchError::NotInPlace), "{error}");
}
