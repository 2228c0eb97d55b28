//! `steadfast wal cat` and `wal salvage`: copies of the records of a log.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use steadfast_wal::{LogId, LogIndex, Opening, RealDisk, SerialLog, Settings};
use tempfile::TempDir;

/// A directory with the log of forty records, the first ten under a checkpoint.
struct Room(TempDir);

const STATE: &[u8] = b"the state\0of ten records";

fn payload(index: u64) -> Vec<u8> {
    [format!("record {index} ").as_bytes(), &[0, 255, 10].repeat(200)].concat()
}

fn open(directory: &Path) -> SerialLog<RealDisk> {
    let settings = Settings { segment_bytes: 64 << 10, batch_bytes: 4096, ..Settings::default() };
    let opening = Opening::begin(Arc::new(RealDisk::new(directory)), LogId(7), settings);
    opening.unwrap().into_serial_log().unwrap().0
}

impl Room {
    fn new() -> Room {
        let room = Room(tempfile::tempdir().unwrap());
        let mut log = open(&room.path("log"));
        for index in 1..=40 {
            log.append(&payload(index)).unwrap();
            log.sync().unwrap();
        }
        log.checkpoint(LogIndex(10), STATE).unwrap();
        log.close().unwrap();
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Flips a bit in the body of this record.
    fn rot(&self, index: u64) {
        let begin = payload(index)[..12].to_vec();
        let is_there = |bytes: &[u8]| bytes.windows(12).position(|it| it == begin);
        let mut found = 0;
        for name in self.names("log") {
            let path = self.path("log").join(name);
            let mut bytes = fs::read(&path).unwrap();
            if let Some(at) = is_there(&bytes) {
                bytes[at + 100] ^= 1;
                fs::write(&path, bytes).unwrap();
                found += 1;
            }
        }
        assert_eq!(found, 1, "record {index} stands in one place");
    }

    fn wal(&self, arguments: &[&str]) -> (i32, Vec<u8>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        let output =
            command.arg("wal").args(arguments).current_dir(self.0.path()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), output.stdout, message)
    }
}

fn lines(out: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(out).unwrap();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

#[test]
fn records_are_lines_of_json_with_their_bytes_in_hex_or_base64() {
    let room = Room::new();
    let (code, out, message) = room.wal(&["cat", "log", "--json", "--from", "12", "--to", "14"]);
    assert_eq!(code, 0, "{message}");
    let found = lines(&out);
    assert_eq!(found.len(), 3);
    for (line, index) in found.iter().zip(12..) {
        assert_eq!((&line["index"], &line["bytes"]), (&index.into(), &payload(index).len().into()));
        let hex: String = payload(index).iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(line["hex"], hex);
        assert!(line.get("base64").is_none());
    }
    let (code, out, message) = room.wal(&["cat", "log", "--json", "--base64", "--from", "40"]);
    assert_eq!(code, 0, "{message}");
    let found = lines(&out);
    // "record 40 " in base64, and then 200 times 00 ff 0a behind a byte of it.
    let begin = "cmVjb3JkIDQwIAD/CgD/";
    assert!(found[0]["base64"].as_str().unwrap().starts_with(begin), "{}", found[0]);
    assert_eq!(found[0]["base64"].as_str().unwrap().len(), 816, "4 characters for 3 bytes");
}

#[test]
fn records_become_files_of_their_own_that_only_their_owner_reads() {
    let room = Room::new();
    let (code, out, message) = room.wal(&["cat", "log", "--files", "out", "--from", "39"]);
    assert_eq!((code, out, message.as_str()), (0, vec![], ""));
    let name = |index: u64| format!("record-{index:020}");
    assert_eq!(room.names("out"), [name(39), name(40)]);
    assert_eq!(fs::read(room.path("out").join(name(40))).unwrap(), payload(40));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&room.path("out")), 0o700);
    assert_eq!(mode(&room.path("out").join(name(39))), 0o600);

    let (code, _, message) = room.wal(&["cat", "log", "--files", "out"]);
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("cannot write to out: directory not empty"), "{message}");
    assert_eq!(room.names("out").len(), 2, "nothing was overwritten");
    let (code, _, message) = room.wal(&["cat", "log", "--files", "log/checkpoint"]);
    assert_eq!(code, 4, "{message}");
    let (code, _, message) = room.wal(&["cat", "nowhere", "--files", "fresh"]);
    assert_eq!(code, 4, "{message}");
    assert!(!room.path("fresh").exists(), "no log, no directory");
    let (code, _, message) = room.wal(&["cat", "log", "--files", "no/such/place"]);
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("cannot create no/such/place"), "{message}");
}

#[test]
fn the_files_of_a_damaged_log_are_those_before_the_damage_or_all_that_are_whole() {
    let room = Room::new();
    room.rot(20);
    let (code, _, message) = room.wal(&["cat", "log", "--files", "before", "--from", "11"]);
    assert_eq!(code, 1, "{message}");
    assert_eq!(room.names("before").len(), 9);
    let (code, _, message) =
        room.wal(&["cat", "log", "--files", "whole", "--salvage", "--from", "11"]);
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("record 20: MISSING"), "{message}");
    assert_eq!(room.names("whole").len(), 29);
}

#[test]
fn the_state_of_the_checkpoint_is_written_out_also_from_a_damaged_log() {
    let room = Room::new();
    assert_eq!(room.wal(&["cat", "log", "--state"]), (0, STATE.to_vec(), String::new()));
    room.rot(20);
    assert_eq!(room.wal(&["cat", "log", "--state"]), (0, STATE.to_vec(), String::new()));
    fs::write(room.path("log").join("checkpoint"), b"something else").unwrap();
    let (code, out, message) = room.wal(&["cat", "log", "--state"]);
    assert_eq!((code, out), (1, vec![]), "{message}");
    assert!(message.contains("damaged-checkpoint"), "{message}");
    assert_eq!(room.wal(&["cat", "nowhere", "--state"]).0, 4);
}

#[test]
fn options_that_contradict_each_other_are_wrong_usage() {
    let room = Room::new();
    let refused: [&[&str]; 7] = [
        &["--json", "--frame", "newline"],
        &["--base64"],
        &["--files", "out", "--json"],
        &["--files", "out", "--frame", "length"],
        &["--state", "--from", "3"],
        &["--state", "--salvage"],
        &["--state", "--json"],
    ];
    for options in refused {
        let (code, out, message) = room.wal(&[&["cat", "log"], options].concat());
        assert_eq!((code, out), (2, vec![]), "{options:?}: {message}");
        assert!(message.contains(options[0]), "{message}");
    }
    assert_eq!(room.names(""), ["log"]);
    assert_eq!(room.wal(&["salvage", "log"]).0, 2);
}

#[test]
fn a_damaged_log_is_salvaged_into_one_that_opens() {
    let room = Room::new();
    room.rot(20);
    let (_, _, message) = room.wal(&["verify", "log"]);
    assert!(message.contains("help: `steadfast wal salvage DIR NEW`"), "{message}");
    let (code, out, message) = room.wal(&["salvage", "log", "new"]);
    assert_eq!(code, 1, "records are lost: {message}");
    let says = "new: log 00000000000000000000000000000007 with records 11 to 19, behind a checkpoint \
                that stands for records up to 10\n";
    assert_eq!(String::from_utf8(out).unwrap(), says);
    assert!(message.contains("log is damaged: rot"), "{message}");
    assert!(message.contains("; records 20 to "), "{message}");
    assert_eq!(room.names(""), ["log", "new"]);
    let mode = fs::metadata(room.path("new")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);

    assert_eq!(room.wal(&["cat", "new", "--state"]).1, STATE);
    let expected: Vec<u8> = (11..=19).flat_map(payload).collect();
    let (code, out, message) = room.wal(&["cat", "new"]);
    assert_eq!((code, message.as_str()), (0, ""));
    assert!(out == expected);
    let mut log = open(&room.path("new"));
    assert_eq!(log.append(&payload(20)).unwrap(), LogIndex(20));
    log.close().unwrap();
    let (code, out, _) = room.wal(&["verify", "new"]);
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&out));
}

#[test]
fn a_whole_log_is_copied_and_an_uncertain_tail_is_said() {
    let room = Room::new();
    fs::create_dir(room.path("new")).unwrap();
    let (code, _, message) = room.wal(&["salvage", "log", "new"]);
    assert_eq!((code, message.as_str()), (0, ""), "into an empty directory");
    // The old log may still have some of the records that its checkpoint stands for.
    assert!(room.wal(&["cat", "new"]).1 == room.wal(&["cat", "log", "--from", "11"]).1);
    room.rot(40);
    let (code, _, message) = room.wal(&["salvage", "log", "other"]);
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("40") || message.contains("uncertain"), "{message}");
    assert_eq!(room.wal(&["verify", "other"]).0, 0);
}

#[test]
fn a_new_log_takes_no_place_that_is_taken_and_leaves_nothing_half_made() {
    let room = Room::new();
    fs::create_dir(room.path("taken")).unwrap();
    fs::write(room.path("taken").join("notes.txt"), b"mine").unwrap();
    fs::write(room.path("file"), b"mine").unwrap();
    let refused: [(&[&str], i32, &str); 7] = [
        (&["log", "taken"], 4, "cannot write the new log taken: directory not empty"),
        (&["log", "file"], 4, "cannot write the new log file: not a directory"),
        (&["log", "log"], 4, "cannot write the new log log: directory not empty"),
        (&["log", "log/new"], 2, "log/new is inside log"),
        (&["log", "no/such/place"], 4, "cannot create a file in no/such"),
        (&["nowhere", "new"], 4, "cannot list nowhere"),
        (&["taken", "new"], 4, "which is no file of a log"),
    ];
    for (arguments, code, says) in refused {
        let (found, out, message) = room.wal(&[&["salvage"], arguments].concat());
        assert_eq!((found, out), (code, vec![]), "{message}");
        assert!(message.contains(says), "{message}");
    }
    fs::remove_file(room.path("log").join("checkpoint")).unwrap();
    let (code, _, message) = room.wal(&["salvage", "log", "new"]);
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("lost-checkpoint"), "{message}");
    assert!(message.contains("help: `steadfast wal cat --salvage DIR`"), "{message}");
    assert!(!room.wal(&["verify", "log"]).2.contains("wal salvage"), "it would not help");
    assert_eq!(room.names(""), ["file", "log", "taken"]);
    assert_eq!(room.names("taken"), ["notes.txt"]);
}

#[test]
fn a_log_that_is_open_is_neither_read_nor_salvaged() {
    let room = Room::new();
    let log = open(&room.path("log"));
    for arguments in [&["cat", "log"][..], &["cat", "log", "--state"], &["salvage", "log", "new"]] {
        let (code, _, message) = room.wal(arguments);
        assert_eq!(code, 4, "{message}");
        assert!(message.contains("another process has the log open"), "{message}");
        assert!(message.contains("help: try again when that process has closed"), "{message}");
    }
    drop(log);
    assert_eq!(room.names(""), ["log"]);
}
