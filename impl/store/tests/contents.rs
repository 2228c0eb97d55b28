//! One body of tests for the contents, on the real disk and on the simulated one.

mod common;

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use common::{content_of, noise};
use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_delta::{Options, Sink, Source, apply_stream, diff};
use steadfast_node::ContentCopy;
use steadfast_protocol::ContentId;
use steadfast_simulated_disk::{DiskModel, EIO, Fault, SimulatedDisk};
use steadfast_store::{ContentError, Contents, HeldContent, Totals};
use steadfast_wal::RealDisk;
use steadfast_wal::disk::{Access, Disk, DiskFile};

/// Lengths around those of chunks, and one of several sections.
const LENGTHS: [usize; 7] = [0, 1, 16 << 10, (64 << 10) - 1, 64 << 10, 200_000, 3 << 20];

fn open<D: Disk>(disk: &Arc<D>) -> Arc<Contents<D>> {
    Arc::new(Contents::open(Arc::clone(disk)).expect("a directory of contents"))
}

fn put<D: Disk>(contents: &Arc<Contents<D>>, bytes: &[u8]) -> ContentId {
    let mut writer = contents.writer().expect("a writer");
    bytes.chunks(50_000).for_each(|piece| writer.update(piece).expect("room"));
    let (content, length) = writer.finish().expect("a content");
    assert_eq!((content, length), (content_of(bytes), bytes.len() as u64));
    content
}

fn read<D: Disk>(contents: &Arc<Contents<D>>, content: ContentId) -> Result<Vec<u8>, ContentError> {
    let mut reader = contents.reader(content)?;
    let mut bytes = vec![0; usize::try_from(reader.length()).expect("a short content")];
    reader.read_at(0, &mut bytes)?;
    Ok(bytes)
}

fn hex(content: ContentId) -> String {
    content.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rot<D: Disk>(disk: &D, name: &str, offset: u64) {
    let file = disk.open(name, Access::Write).expect("the file");
    let mut byte = [0];
    assert_eq!(file.read_at(&mut byte, offset).expect("a byte"), 1);
    file.write_at(&[byte[0] ^ 4], offset).expect("a write");
}

fn written_contents_are_read_now_and_after_opening_again<D: Disk>(disk: &Arc<D>) {
    let all: Vec<Vec<u8>> = LENGTHS.iter().map(|it| noise(*it, 1)).collect();
    let mut contents = open(disk);
    let ids: Vec<ContentId> = all.iter().map(|it| put(&contents, it)).collect();
    for _ in 0..2 {
        for (id, bytes) in ids.iter().zip(&all) {
            assert_eq!(read(&contents, *id).expect("a good copy"), *bytes);
            assert_eq!(contents.length(*id), Some(bytes.len() as u64));
            assert_eq!(contents.copy(*id), ContentCopy::Exact);
        }
        let sum = LENGTHS.iter().sum::<usize>() as u64;
        assert_eq!(contents.totals(), Totals { count: ids.len(), bytes: sum, bad: 0 });
        let mut sorted = ids.clone();
        sorted.sort();
        assert_eq!(contents.ids(), sorted);
        drop(contents);
        contents = open(disk);
    }
}

/// Contents that are made of `old`: some of its bytes stay in place, some move, some are new.
fn relatives(old: &[u8]) -> Vec<Vec<u8>> {
    let with =
        |from: usize, count: usize, by: &[u8]| [&old[..from], by, &old[from + count..]].concat();
    let length = old.len();
    let new = noise(100_000, 9);
    // A delta adds to these bytes where they are, so that it copies them with changes.
    let mut scattered = old.to_vec();
    scattered[length / 4..length / 2]
        .iter_mut()
        .step_by(50)
        .for_each(|it| *it = it.wrapping_add(1));
    vec![
        scattered,
        old.to_vec(),
        with(length / 2, 1, &[!old[length / 2]]),
        with(0, 1, &[!old[0]]),
        with(length - 1, 1, &[!old[length - 1]]),
        with(length / 3, 0, b"inserted"),
        with(length / 3, 100_000, &new),
        with(length, 0, &new),
        old[..length / 2].to_vec(),
        old[..length - 1].to_vec(),
        [&old[length / 2..], &old[..length / 2]].concat(),
        new,
    ]
}

fn a_content_is_made_of_another_by_a_delta<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    for length in [700_000, 5 << 20] {
        let old = noise(length, 3);
        let held = HeldContent::open(&contents, put(&contents, &old)).expect("a good copy");
        for new in relatives(&old) {
            let mut patch = Vec::new();
            diff(&old, &new, Options::default(), &mut patch).expect("room");
            let mut writer = contents.writer_like(&held).expect("a writer");
            apply_stream(&held, &patch[..], &mut writer, u64::MAX).expect("a patch of ours");
            let (content, _) = writer.finish().expect("a content");
            assert_eq!(content, content_of(&new));
            assert!(read(&contents, content).expect("a good copy") == new, "{} bytes", new.len());
        }
    }
}

fn a_content_is_copied_from_another_in_any_order<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let old = noise(2 << 20, 3);
    let held = HeldContent::open(&contents, put(&contents, &old)).expect("a good copy");
    for new in relatives(&old) {
        let manifest = Manifest::of(&new, Depth::Chunks);
        let mut place = contents.place().expect("a place");
        place.begin(new.len() as u64, Some(&held)).expect("room");
        let mut chunks: Vec<(u64, usize)> =
            manifest.chunks().map(|(at, chunk)| (at, chunk.length() as usize)).collect();
        chunks.reverse();
        for (at, length) in chunks {
            let from = usize::try_from(at).expect("a short content");
            let bytes = &new[from..from + length];
            let found = Manifest::of(&old, Depth::Chunks);
            let found = found.chunks().find(|(_, chunk)| chunk.is_of(bytes)).map(|it| it.0);
            match found {
                Some(old_offset) => place.copy_at(bytes, at, &held, old_offset).expect("room"),
                None => place.write_at(bytes, at).expect("room"),
            }
        }
        let content = place.finish(&manifest).expect("a content");
        assert!(read(&contents, content).expect("a good copy") == new, "{} bytes", new.len());
    }
}

fn bytes_behind_an_old_content_do_not_stay<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let old = noise(200_000, 3);
    let id = put(&contents, &old);
    let file = disk.open(&hex(id), Access::Write).expect("the file");
    file.write_at(&[7; 5_000], old.len() as u64).expect("a write");
    let held = HeldContent::open(&contents, id).expect("its own bytes are good");
    let new = [&old[..100_000], b"new", &old[100_003..]].concat();
    let mut patch = Vec::new();
    diff(&old, &new, Options::default(), &mut patch).expect("room");
    let mut writer = contents.writer_like(&held).expect("a writer");
    apply_stream(&held, &patch[..], &mut writer, u64::MAX).expect("a patch of ours");
    let (content, length) = writer.finish().expect("a content");
    let file = disk.open(&hex(content), Access::Read).expect("the file");
    assert_eq!(file.length().expect("a length"), length);
}

/// A copy that goes bad and is replaced while a content is made of it: the new content began with the bad bytes.
fn bytes_of_a_replaced_copy_are_written<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let old = noise(200_000, 3);
    let id = put(&contents, &old);
    rot(&**disk, &hex(id), 100_000);
    let held = HeldContent::open(&contents, id).expect("nobody has noticed");
    let mut place = contents.place().expect("a place");
    place.begin(old.len() as u64, Some(&held)).expect("room");
    put(&contents, &old);
    let mut bytes = vec![0; old.len()];
    Source::read_exact_at(&held, &mut bytes, 0).expect("the new copy is good");
    place.copy_at(&bytes, 0, &held, 0).expect("room");
    let content = place.finish(&Manifest::of(&old, Depth::Chunks)).expect("a content");
    assert!(read(&contents, content).expect("a good copy") == old);
}

fn any_range_can_be_read<D: Disk>(disk: &Arc<D>) {
    let bytes = noise(3 << 20, 2);
    let contents = open(disk);
    let mut reader = contents.reader(put(&contents, &bytes)).expect("a reader");
    for (from, count) in
        [(0, 1), (65_000, 70_000), (1 << 20, 1 << 20), ((3 << 20) - 1, 1), (3 << 20, 0)]
    {
        let mut piece = vec![0; count];
        reader.read_at(from as u64, &mut piece).expect("a range inside");
        assert!(piece == bytes[from..from + count], "{from}+{count}");
    }
    for (from, count) in [(3_u64 << 20, 1), (u64::MAX, 1), (0, (3 << 20) + 1)] {
        let error = reader.read_at(from, &mut vec![0; count]).expect_err("a range outside");
        assert!(matches!(error, ContentError::OutOfRange { .. }), "{error}");
    }
}

fn a_writer_that_is_dropped_leaves_nothing<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let before = disk.list().expect("names");
    let mut writer = contents.writer().expect("a writer");
    writer.update(b"half").expect("room");
    assert_ne!(disk.list().expect("names"), before);
    drop(writer);
    assert_eq!(disk.list().expect("names"), before);
}

fn another_content_than_the_expected_one_is_refused<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let before = disk.list().expect("names");
    let expected = content_of(b"this");
    let mut writer = contents.writer().expect("a writer");
    writer.update(b"that").expect("room");
    let error = writer.finish_as(expected).expect_err("another content");
    assert!(error.to_string().contains(&hex(expected)), "{error}");
    assert!(error.to_string().contains(&hex(content_of(b"that"))), "{error}");
    assert_eq!(disk.list().expect("names"), before);

    let mut writer = contents.writer().expect("a writer");
    writer.update(b"this").expect("room");
    assert_eq!(writer.finish_as(expected).expect("the content"), 4);
}

fn two_writers_of_one_content_store_it_once<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let bytes = noise(500_000, 3);
    thread::scope(|scope| {
        (0..4).for_each(|_| {
            scope.spawn(|| put(&contents, &bytes));
        });
    });
    assert_eq!(contents.totals(), Totals { count: 1, bytes: 500_000, bad: 0 });
    // The lock, the content and its manifest.
    assert_eq!(disk.list().expect("names").len(), 3);
    assert!(read(&contents, content_of(&bytes)).expect("a good copy") == bytes);
}

fn a_reader_goes_on_when_its_content_is_removed<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let bytes = noise(300_000, 4);
    let content = put(&contents, &bytes);
    let mut reader = contents.reader(content).expect("a reader");
    assert!(contents.remove(content).expect("removed"));
    assert!(!contents.remove(content).expect("gone already"));
    let mut read = vec![0; bytes.len()];
    reader.read_at(0, &mut read).expect("the bytes it opened");
    assert!(read == bytes);
    assert!(matches!(contents.reader(content), Err(ContentError::Missing(_))));
    assert_eq!(contents.totals(), Totals::default());
    assert_eq!(open_names(&**disk), 0);
}

/// On a thread of its own, because an earlier version waited for itself for good.
fn a_discard_spares_a_content_until_its_report_and_removes_it_then<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let content = put(&contents, &noise(100_000, 12));
    let discard = || {
        let (contents, (said, heard)) = (Arc::clone(&contents), mpsc::channel());
        thread::spawn(move || said.send(contents.discard(content).expect("a disk that works")));
        heard.recv_timeout(Duration::from_secs(30)).expect("an end of the discard")
    };
    assert!(!discard(), "the node does not know of it yet");
    assert_eq!(contents.copy(content), ContentCopy::Exact);
    contents.note_reported(content);
    assert!(discard());
    assert_eq!(contents.copy(content), ContentCopy::Missing);
    assert!(!discard(), "it is gone already");
    assert_eq!(open_names(&**disk), 0);
}

/// The files beside the lock.
fn open_names<D: Disk>(disk: &D) -> usize {
    disk.list().expect("names").len() - 1
}

fn rot_is_reported_and_a_new_copy_replaces_the_bad_one<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let bytes = noise(300_000, 5);
    let content = put(&contents, &bytes);
    rot(&**disk, &hex(content), 250_000);
    let mut reader = contents.reader(content).expect("a reader");
    let mut piece = vec![0; 1000];
    reader.read_at(0, &mut piece).expect("the good part");
    let error = reader.read_at(249_900, &mut piece).expect_err("rot");
    assert!(matches!(error, ContentError::Rotten { offset: Some(_), .. }), "{error}");
    assert_eq!(contents.copy(content), ContentCopy::Wrong);
    assert_eq!(contents.bad(), [content]);
    assert!(matches!(contents.reader(content), Err(ContentError::Rotten { .. })));
    put(&contents, &bytes);
    assert_eq!(contents.copy(content), ContentCopy::Exact);
    assert!(read(&contents, content).expect("a good copy") == bytes);
}

fn a_scrub_finds_every_bad_copy_and_spares_the_good_ones<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let ids: Vec<ContentId> = (0..20).map(|at| put(&contents, &noise(90_000, 10 + at))).collect();
    let bad = [ids[3], ids[11]];
    bad.iter().for_each(|it| rot(&**disk, &hex(*it), 89_999));
    for round in 0..2 {
        let (mut found, mut bytes, mut calls) = (Vec::new(), 0, 0);
        loop {
            let scrubbed = contents.scrub(100_000).expect("a disk that works");
            assert!(scrubbed.bytes < 100_000 + (64 << 10));
            bytes += scrubbed.bytes;
            calls += 1;
            found.extend(scrubbed.verdicts);
            if scrubbed.is_complete {
                break;
            }
        }
        assert_eq!(found.len(), 20, "round {round}");
        for verdict in found {
            assert_eq!(verdict.is_good, !bad.contains(&verdict.content));
        }
        assert!(calls > 10 && bytes >= 18 * 90_000, "{calls} calls, {bytes} bytes");
    }
    assert_eq!(contents.totals().bad, 2);
}

fn a_verification_reads_a_content_to_its_end<D: Disk>(disk: &Arc<D>) {
    let contents = open(disk);
    let content = put(&contents, &noise(300_000, 7));
    assert_eq!(contents.verify(content).expect("a good copy"), 300_000);
    rot(&**disk, &hex(content), 299_999);
    assert_eq!(contents.copy(content), ContentCopy::Exact, "no read has met the damage");
    assert!(matches!(contents.verify(content), Err(ContentError::Rotten { .. })));
    assert_eq!(contents.copy(content), ContentCopy::Wrong);
    assert!(matches!(contents.verify(content), Err(ContentError::Rotten { .. })));
    let missing = contents.verify(ContentId([1; 32]));
    assert!(matches!(missing, Err(ContentError::Missing(_))), "{missing:?}");
}

fn a_manifest_that_is_lost_or_damaged_is_made_again<D: Disk>(disk: &Arc<D>) {
    let bytes = noise(300_000, 6);
    let content = put(&open(disk), &bytes);
    let manifest = format!("{}-300000", hex(content));
    rot(&**disk, &manifest, 100);
    assert!(read(&open(disk), content).expect("a good copy") == bytes);
    disk.remove(&manifest).expect("the manifest");
    assert!(read(&open(disk), content).expect("a good copy") == bytes);
    disk.rename(&manifest, &format!("{}-7", hex(content))).expect("the manifest");
    let contents = open(disk);
    assert!(read(&contents, content).expect("a good copy") == bytes);
    assert_eq!(contents.totals(), Totals { count: 1, bytes: 300_000, bad: 0 });
    assert!(disk.list().expect("names").contains(&manifest));
}

fn a_manifest_alone_and_temporary_files_are_removed_and_other_files_stay<D: Disk>(disk: &Arc<D>) {
    drop(open(disk));
    let stranger = format!("{}-0300", "ab".repeat(32));
    for name in ["notes", &stranger, "0000000000000007.tmp", &format!("{}-300", "ab".repeat(32))] {
        disk.create(name, Access::Write).expect("a file");
    }
    drop(open(disk));
    assert_eq!(disk.list().expect("names"), [&stranger, "lock", "notes"]);
}

fn a_file_with_other_bytes_than_its_name_says_is_a_bad_copy<D: Disk>(disk: &Arc<D>) {
    drop(open(disk));
    let content = content_of(b"expected");
    let file = disk.create(&hex(content), Access::Write).expect("a file");
    file.write_at(b"other", 0).expect("room");
    let contents = open(disk);
    assert_eq!(contents.copy(content), ContentCopy::Wrong);
    assert_eq!(put(&contents, b"expected"), content);
    assert_eq!(read(&contents, content).expect("a good copy"), b"expected");
}

fn a_directory_is_opened_once_at_a_time<D: Disk>(disk: &Arc<D>) {
    let first = open(disk);
    let error = Contents::open(Arc::clone(disk)).expect_err("a second opening");
    assert!(error.to_string().contains("in use by this process"), "{error}");
    drop(first);
    drop(open(disk));
}

#[test]
fn a_sync_that_fails_while_more_bytes_come_fails_the_content() {
    let disk = Arc::new(SimulatedDisk::new(DiskModel::default()));
    disk.allow_concurrency();
    let contents = open(&disk);
    let mut writer = contents.writer().expect("a writer");
    // The write is the next call, and the sync of its bytes in another thread the one behind it.
    disk.fail_at(disk.calls() + 1, Fault::Error(EIO));
    writer.update(&noise(16 << 20, 5)).expect("the sync goes on");
    let error = writer.finish().expect_err("the sync has failed");
    assert!(error.to_string().contains("cannot sync"), "{error}");
    assert_eq!(contents.totals(), Totals::default());
    assert_eq!(disk.list().expect("names"), ["lock"]);
}

macro_rules! on_both_disks {
    ($($name:ident)*) => {
        mod on_the_real_disk {
            $(#[test]
            fn $name() {
                let directory = tempfile::tempdir().expect("a directory");
                super::$name(&std::sync::Arc::new(super::RealDisk::new(directory.path().join("contents"))));
            })*
        }

        mod on_the_simulated_disk {
            $(#[test]
            fn $name() {
                super::$name(&std::sync::Arc::new(super::SimulatedDisk::new(super::DiskModel::default())));
            })*
        }
    };
}

on_both_disks! {
    written_contents_are_read_now_and_after_opening_again
    any_range_can_be_read
    a_content_is_made_of_another_by_a_delta
    a_content_is_copied_from_another_in_any_order
    bytes_behind_an_old_content_do_not_stay
    bytes_of_a_replaced_copy_are_written
    a_writer_that_is_dropped_leaves_nothing
    another_content_than_the_expected_one_is_refused
    two_writers_of_one_content_store_it_once
    a_reader_goes_on_when_its_content_is_removed
    a_discard_spares_a_content_until_its_report_and_removes_it_then
    rot_is_reported_and_a_new_copy_replaces_the_bad_one
    a_scrub_finds_every_bad_copy_and_spares_the_good_ones
    a_verification_reads_a_content_to_its_end
    a_manifest_that_is_lost_or_damaged_is_made_again
    a_manifest_alone_and_temporary_files_are_removed_and_other_files_stay
    a_file_with_other_bytes_than_its_name_says_is_a_bad_copy
    a_directory_is_opened_once_at_a_time
}
