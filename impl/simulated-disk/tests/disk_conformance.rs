//! One body of tests for both disks: a fake that differs from the real thing proves nothing.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;

use steadfast_simulated_disk::{DiskModel, SimulatedDisk};
use steadfast_wal::RealDisk;
use steadfast_wal::disk::{Access, AlignedBuffer, Disk, DiskFile};

fn conforms<D: Disk>(disk: &D) {
    a_directory_begins_absent_and_then_empty(disk);
    a_file_is_made_once_and_read_back(disk);
    a_write_behind_the_end_leaves_zeros_between(disk);
    a_length_cuts_and_extends(disk);
    a_rename_replaces(disk);
    a_removed_file_is_gone(disk);
    blocks_are_written_from_aligned_memory(disk);
    one_lock_at_a_time(disk);
}

fn a_directory_begins_absent_and_then_empty<D: Disk>(disk: &D) {
    assert_eq!(disk.list().unwrap_err().kind(), ErrorKind::NotFound);
    disk.create_directory().unwrap();
    assert_eq!(disk.list().unwrap(), [""; 0]);
    disk.create_directory().unwrap();
    disk.sync_directory().unwrap();
}

fn read<D: Disk>(disk: &D, name: &str) -> Vec<u8> {
    let file = disk.open(name, Access::Read).unwrap();
    let mut bytes = vec![0xff; usize::try_from(file.length().unwrap()).unwrap() + 10];
    let count = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(count);
    bytes
}

fn a_file_is_made_once_and_read_back<D: Disk>(disk: &D) {
    let file = disk.create("a", Access::Write).unwrap();
    assert_eq!(disk.create("a", Access::Write).err().unwrap().kind(), ErrorKind::AlreadyExists);
    assert_eq!(file.write_at(b"hello", 0).unwrap(), 5);
    assert_eq!(file.write_at(b"J", 0).unwrap(), 1);
    file.sync().unwrap();
    assert_eq!(read(disk, "a"), b"Jello");
    assert_eq!(file.length().unwrap(), 5);
    assert_eq!(file.read_at(&mut [0; 4], 5).unwrap(), 0);
    assert_eq!(file.read_at(&mut [0; 4], 50).unwrap(), 0);
    let reader = disk.open("a", Access::Read).unwrap();
    assert!(reader.write_at(b"x", 0).is_err(), "opened for reading only");
    assert_eq!(disk.open("b", Access::Read).err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(disk.list().unwrap(), ["a"]);
}

fn a_write_behind_the_end_leaves_zeros_between<D: Disk>(disk: &D) {
    let file = disk.open("a", Access::Write).unwrap();
    file.write_at(b"!", 8).unwrap();
    assert_eq!(read(disk, "a"), b"Jello\0\0\0!");
}

fn a_length_cuts_and_extends<D: Disk>(disk: &D) {
    let file = disk.open("a", Access::Write).unwrap();
    file.set_length(2).unwrap();
    file.set_length(4).unwrap();
    assert_eq!(read(disk, "a"), b"Je\0\0");
}

fn a_rename_replaces<D: Disk>(disk: &D) {
    disk.create("b", Access::Write).unwrap().write_at(b"b", 0).unwrap();
    disk.rename("b", "a").unwrap();
    assert_eq!(read(disk, "a"), b"b");
    assert_eq!(disk.list().unwrap(), ["a"]);
    assert_eq!(disk.rename("b", "c").unwrap_err().kind(), ErrorKind::NotFound);
}

fn a_removed_file_is_gone<D: Disk>(disk: &D) {
    disk.remove("a").unwrap();
    assert_eq!(disk.remove("a").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.list().unwrap(), [""; 0]);
}

fn blocks_are_written_from_aligned_memory<D: Disk>(disk: &D) {
    let file = disk.create("blocks", Access::WriteBlocks).unwrap();
    let mut block = AlignedBuffer::zeroed(8192);
    block.fill(7);
    assert_eq!(file.write_at(&block, 0).unwrap(), 8192);
    assert_eq!(file.write_at(&block[..4096], 8192).unwrap(), 4096);
    file.sync().unwrap();
    assert_eq!(read(disk, "blocks"), vec![7; 12_288]);
    let again = disk.open("blocks", Access::WriteBlocks).unwrap();
    block.fill(8);
    again.write_at(&block[..4096], 4096).unwrap();
    assert_eq!(read(disk, "blocks")[4095..4097], [7, 8]);
    assert!(disk.create("blocks", Access::WriteBlocks).is_err());
}

fn one_lock_at_a_time<D: Disk>(disk: &D) {
    let absent = disk.lock("LOCK", Access::Read).err().unwrap();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    assert_eq!(disk.list().unwrap(), ["blocks"]);
    let lock = disk.lock("LOCK", Access::Write).unwrap();
    assert!(lock.is_some());
    for access in [Access::Read, Access::Write] {
        assert!(disk.lock("LOCK", access).unwrap().is_none());
    }
    drop(lock);
    let reader = disk.lock("LOCK", Access::Read).unwrap();
    assert!(reader.is_some());
    assert!(disk.lock("LOCK", Access::Write).unwrap().is_none());
    drop(reader);
    assert!(disk.lock("LOCK", Access::Write).unwrap().is_some());
    assert_eq!(disk.list().unwrap(), ["LOCK", "blocks"]);
}

#[test]
fn the_real_disk_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(&RealDisk::new(directory.path().join("log")));
}

#[test]
fn the_real_disk_conforms_through_the_page_cache() {
    let directory = tempfile::tempdir().unwrap();
    conforms(&RealDisk::buffered(directory.path().join("log")));
}

#[test]
fn the_simulated_disk_conforms() {
    conforms(&SimulatedDisk::new(DiskModel::default()));
}
