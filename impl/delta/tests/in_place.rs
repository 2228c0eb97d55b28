//! A file that is changed in place is, after a crash at any moment, the old one or the new one.

mod common;

use std::io;

use common::{noise, patch};
use steadfast_delta::{
    Effort, InPlacePlan, JournalError, OldContent, PatchError, PatchedFile, Verify, apply_stream,
    stats,
};

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
        self.seen().read_exact_at(bytes, offset)
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
        .map(|verify| InPlacePlan::new(old, &patch[..], verify).expect("nothing moved"));
    let [touched, whole] = plans;
    assert!(touched.places().eq(whole.places()));
    touched
}

fn journal(plan: &InPlacePlan) -> Vec<u8> {
    let mut journal = Vec::new();
    plan.write_journal(&mut journal).expect("memory");
    journal
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
        let journal = journal(&plan);
        for left in 0..6 {
            let mut disk = Disk::new(&old, left);
            let crashed = plan.apply(&mut disk).is_err();
            for remains in disk.remains() {
                let mut disk = Disk::new(&remains, usize::MAX);
                let replayed = InPlacePlan::read_journal(&journal[..]).expect("a whole journal");
                assert!(replayed.recognises(&disk).expect("the power is on"));
                replayed.apply(&mut disk).expect("the power is on");
                assert!(disk.durable == new, "after {left} operations, crashed: {crashed}");
            }
        }
    }
}

#[test]
fn a_journal_that_is_not_whole_is_damaged() {
    let (old, new) = pairs().remove(0);
    let journal = journal(&plan(&old, &new));
    let read = |bytes: &[u8]| InPlacePlan::read_journal(bytes);
    assert_eq!(read(&journal).expect("a whole journal"), plan(&old, &new));
    for end in 0..journal.len() {
        let error = read(&journal[..end]).expect_err("it is cut short");
        assert!(matches!(error, JournalError::Damaged | JournalError::NotAJournal), "{end}");
    }
    for at in 0..journal.len() {
        let mut flipped = journal.clone();
        flipped[at] ^= 16;
        let error = read(&flipped).expect_err("a bit was flipped");
        let is_right = match at {
            0..3 => matches!(error, JournalError::NotAJournal),
            3 => matches!(error, JournalError::OtherVersion { found: 18 }),
            _ => matches!(error, JournalError::Damaged),
        };
        assert!(is_right, "{at}: {error}");
    }
    let longer = [&journal[..], b"x"].concat();
    assert!(matches!(read(&longer), Err(JournalError::Damaged)));
    assert!(matches!(read(b"SfJ\x01and more"), Err(JournalError::OtherVersion { found: 1 })));
}

#[test]
fn a_journal_that_writes_elsewhere_than_a_plan_is_damaged() {
    let journal = |writes: &[(u8, &[u8])]| {
        let mut bytes = [&b"SfJ\x02"[..], &[0; 8 + 16 + 16 + 1], &[9, 9]].concat();
        bytes.push(writes.len() as u8);
        for (offset, written) in writes {
            bytes.extend([*offset, written.len() as u8]);
            bytes.extend([*written, *written].concat());
        }
        bytes.extend(twox_hash::XxHash3_128::oneshot(&bytes).to_le_bytes());
        InPlacePlan::read_journal(&bytes[..])
    };
    assert!(journal(&[(0, b"abc"), (3, b"d"), (8, b"e")]).is_ok());
    assert!(matches!(journal(&[(3, b"abc"), (5, b"d")]), Err(JournalError::Damaged)));
    assert!(matches!(journal(&[(7, b"abc")]), Err(JournalError::Damaged)));
}

/// The mixtures of old and new that an interrupted change leaves were recognised above.
#[test]
fn another_file_is_not_recognised() {
    for (old, new) in pairs() {
        let plan = plan(&old, &new);
        let recognises = |file: &[u8]| plan.recognises(file).expect("memory");
        assert!(recognises(&old) && recognises(&new));
        // In a block that is changed, beside the change; under a change, neither old nor new.
        for at in [499, 520, 39_999, 40_001, 510, 40_000, 70_000, 70_399] {
            for content in [&old, &new] {
                let mut other = content.clone();
                other[at] = !old[at] ^ u8::from(new[at] == !old[at]);
                assert!(!recognises(&other), "byte {at}");
            }
        }
        assert!(!recognises(&old[..old.len().min(new.len()) - 1]));
        assert!(!recognises(&[&old[..], &new[..]].concat()));
        assert!(!recognises(&noise(9, old.len())));
        assert!(!recognises(&[]));
    }
}

#[test]
fn all_of_the_file_is_looked_at_where_all_of_the_result_was_verified() {
    let (old, new) = pairs().remove(0);
    let patch = patch(&old, &new, Effort::Default);
    let mut other = old.clone();
    other[30_000] ^= 1;
    for (verify, expected) in [(Verify::Touched, true), (Verify::Whole, false)] {
        let plan = InPlacePlan::new(&old, &patch[..], verify).expect("nothing moved");
        assert_eq!(plan.recognises(&other).expect("memory"), expected);
    }
}

#[test]
fn a_file_that_went_on_growing_is_not_recognised() {
    let (old, new) = pairs().remove(1);
    let plan = plan(&old, &new);
    let grown = |appended: &[u8]| {
        let file = [&old[..], appended].concat();
        plan.recognises(&file).expect("memory")
    };
    assert!(grown(&[0; 500]) && grown(&new[old.len()..][..500]));
    assert!(!grown(&noise(5, 500)));
}

#[test]
fn a_file_whose_cut_off_end_is_another_is_not_recognised() {
    let (old, new) = pairs().remove(2);
    let plan = plan(&old, &new);
    let mut other = old.clone();
    *other.last_mut().expect("a byte") ^= 1;
    assert!(!plan.recognises(&other).expect("memory"));
}

#[test]
fn many_scattered_changes_are_made_in_place() {
    // 4,000 blocks of 16 KiB, more than were once allowed.
    let old = noise(6, 64 << 20);
    let mut new = old.clone();
    for at in (0..new.len()).step_by(16 << 10) {
        new[at] ^= 1;
    }
    let patch = patch(&old, &new, Effort::Default);
    let plan = InPlacePlan::new(&old, &patch[..], Verify::Touched);
    assert_eq!(plan.expect("nothing moved").written(), 4096);
}

#[test]
fn a_patch_tells_whether_a_content_is_the_new_one_already() {
    for (old, new) in pairs() {
        let stats = stats(&patch(&old, &new, Effort::Default)[..]).expect("a patch of ours");
        assert!(stats.is_new(&new).expect("memory"));
        assert!(!stats.is_new(&old).expect("memory"));
        assert!(!stats.is_new(&new[1..]).expect("memory"));
    }
}

#[test]
fn another_content_where_it_would_change_is_refused() {
    let (old, new) = pairs().remove(0);
    let patch = patch(&old, &new, Effort::Default);
    for (at, verify) in [(510, Verify::Touched), (40_100, Verify::Touched), (30_000, Verify::Whole)]
    {
        let mut other = old.clone();
        other[at] ^= 1;
        let error = InPlacePlan::new(&other, &patch[..], verify).expect_err("it differs");
        assert!(matches!(error, PatchError::OtherOld), "{error}");
    }
}

#[test]
fn what_is_not_looked_at_is_not_noticed() {
    let (old, new) = pairs().remove(0);
    let patch = patch(&old, &new, Effort::Default);
    let mut other = old.clone();
    other[30_000] ^= 1;
    InPlacePlan::new(&other, &patch[..], Verify::Touched).expect("as documented");
}

#[test]
fn a_patch_that_moves_bytes_is_refused() {
    let old = noise(1, 100_000);
    let new = [b"in front", &old[..]].concat();
    let patch = patch(&old, &new, Effort::Default);
    let error = InPlacePlan::new(&old, &patch[..], Verify::Touched).expect_err("moved");
    assert!(matches!(error, PatchError::NotInPlace), "{error}");
}

/// Changes a file on the disk, a vector and a slice, and reads old contents from all three.
#[test]
fn files_and_bytes_in_memory_are_patched_without_an_adapter() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (old, new) in pairs() {
        let patch = patch(&old, &new, Effort::Default);
        let path = directory.path().join("content");
        std::fs::write(&path, &old).expect("a temporary file");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.read(true).write(true).open(&path).expect("a temporary file");

        let mut streamed = Vec::new();
        apply_stream(&file, &patch[..], &mut streamed, u64::MAX).expect("a patch of ours");
        assert!(streamed == new);
        let from_vector = apply_stream(&old, &patch[..], io::sink(), u64::MAX);
        let from_slice = apply_stream(&old[..], &patch[..], io::sink(), u64::MAX);
        assert_eq!(from_vector.expect("ours"), from_slice.expect("ours"));

        let plan = InPlacePlan::new(&file, &patch[..], Verify::Whole).expect("nothing moved");
        plan.apply(&mut file).expect("a temporary file");
        assert!(std::fs::read(&path).expect("a temporary file") == new);
        assert!(stats(&patch[..]).expect("a patch of ours").is_new(&file).expect("it is read"));
        assert!(plan.recognises(&file).expect("it is read"));

        let mut vector = old.clone();
        plan.apply(&mut vector).expect("memory");
        assert!(vector == new);

        let mut slice = old.clone();
        let changed = plan.apply(&mut slice[..]);
        assert_eq!(changed.is_ok(), new.len() == old.len(), "{changed:?}");
        assert!(changed.is_err() || slice == new);
    }
}

#[test]
fn no_content_is_read_or_written_behind_its_end() {
    let (mut vector, mut piece) = (vec![1; 10], [0; 4]);
    for offset in [7, 10, 11, u64::MAX] {
        let error = vector.read_exact_at(&mut piece, offset).expect_err("it ends before");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "at {offset}");
        let error = vector[..].write_all_at(&piece, offset).expect_err("it ends before");
        assert!(error.to_string().contains("a slice keeps its length"), "{error}");
    }
    assert_eq!(vector, [1; 10]);
    vector.write_all_at(&[2; 3], 12).expect("it grows");
    assert_eq!(vector, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 2, 2, 2]);
    assert!(vector.write_all_at(&[1], u64::MAX).is_err());
    assert!(vector.set_length(u64::MAX).is_err(), "no memory for it, and no abort");
    assert_eq!(vector.len(), 15);
    let device = std::fs::File::open("/dev/null").expect("every system has it");
    assert!(device.length().expect_err("no file").to_string().contains("it is no file"));
}
