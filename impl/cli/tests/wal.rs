//! `steadfast wal`, as a user meets it.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use steadfast_wal::{LogId, Opening, RealDisk, Settings};

fn steadfast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_steadfast")).args(arguments).output().unwrap()
}

fn wal(verb: &str, directory: &Path, more: &[&str]) -> (i32, String, String) {
    let output = steadfast(&[&["wal", verb, directory.to_str().unwrap()], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn write_log(directory: &Path) {
    let settings = Settings { segment_bytes: 1 << 20, batch_bytes: 1 << 16, ..Settings::default() };
    let disk = Arc::new(RealDisk::new(directory));
    let opening = Opening::begin(disk, LogId(7), settings).unwrap();
    let (mut log, _) = opening.into_serial_log().unwrap();
    for number in 0..20_u8 {
        log.append(&[number; 100]).unwrap();
        log.sync().unwrap();
    }
    log.close().unwrap();
}

#[test]
fn a_clean_log_is_dumped_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    let (code, out, _) = wal("verify", &log, &[]);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("clean: "), "{out}");
    assert!(out.contains("20 records"), "{out}");
    let (code, out, _) = wal("dump", &log, &[]);
    assert_eq!(code, 0);
    assert!(out.contains("  record 20: 100 bytes  13131313131313131313131313131313 ..."), "{out}");
    let (code, out, _) = wal("dump", &log, &["--json"]);
    assert_eq!((code, out.lines().filter(|it| it.contains("\"count\":1,")).count()), (0, 20));
}

fn cat(directory: &Path, more: &[&str]) -> (i32, Vec<u8>, String) {
    let output = steadfast(&[&["wal", "cat", directory.to_str().unwrap()], more].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), output.stdout, message)
}

/// The records from one to another that `write_log` writes, each behind these bytes.
fn records(from: u8, to: u8, before: &[u8], after: &[u8]) -> Vec<u8> {
    (from..=to).flat_map(|it| [before, &[it - 1; 100], after].concat()).collect()
}

#[test]
fn records_are_written_out_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    assert_eq!(cat(&log, &[]), (0, records(1, 20, b"", b""), String::new()));
    assert_eq!(cat(&log, &["--from", "3", "--to", "5"]).1, records(3, 5, b"", b""));
    assert_eq!(cat(&log, &["--to", "2", "--frame", "newline"]).1, records(1, 2, b"", b"\n"));
    assert_eq!(
        cat(&log, &["--from", "20", "--frame", "length"]).1,
        records(20, 20, &[100, 0, 0, 0], b"")
    );
    for (option, number) in [("--from", "21"), ("--to", "30")] {
        let (code, _, message) = cat(&log, &[option, number]);
        assert_eq!(code, 4, "{message}");
        let says = format!("there is no record {number}: the last is 20");
        assert!(message.contains(&says), "{message}");
    }
    for wrong in [["--from", "x"], ["--from", "0"], ["--to", "0"]] {
        let (code, out, message) = cat(&log, &wrong);
        assert_eq!((code, out), (2, Vec::new()), "{message}");
    }
    let (code, out, message) = cat(&log, &["--from", "10", "--to", "5"]);
    assert_eq!((code, out), (2, Vec::new()));
    assert!(message.contains("--from 10 comes behind --to 5"), "{message}");
    assert_eq!(cat(&log, &["--frame", "tab"]).0, 2);
}

#[test]
fn records_that_a_checkpoint_stands_for_are_not_passed_over_in_silence() {
    let directory = tempfile::tempdir().unwrap();
    write_small_log(directory.path(), 7);
    let opening = Opening::begin(
        Arc::new(RealDisk::new(directory.path())),
        LogId(7),
        Settings { segment_bytes: 8192, batch_bytes: 2048, ..Settings::default() },
    );
    let (mut log, recovered) = opening.unwrap().into_serial_log().unwrap();
    log.checkpoint(recovered.last, b"state").unwrap();
    log.append(b"new").unwrap();
    log.close().unwrap();
    let (code, out, message) = cat(directory.path(), &["--from", "61"]);
    assert_eq!((code, out), (0, b"new".to_vec()), "{message}");
    let (code, _, message) = cat(directory.path(), &["--from", "5"]);
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("no record 5: the last is 61"), "{message}");
    assert!(message.contains("the checkpoint stands for those up to 60"), "{message}");
}

#[test]
fn the_records_before_damage_are_written_out() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    let segment = log.join("segment-0000000000000003");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4 * 4096 + 100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let (code, out, message) = cat(&log, &["--to", "15"]);
    assert_eq!((code, out), (1, records(1, 4, b"", b"")));
    assert!(message.contains("records 5 to 20 are lost"), "{message}");
    let nowhere = directory.path().join("nowhere");
    let (code, out, message) = cat(&nowhere, &[]);
    assert_eq!((code, out), (4, Vec::new()));
    assert!(message.contains("nowhere"), "{message}");
}

#[test]
fn salvage_goes_on_behind_the_damage_and_names_the_gap() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    let whole = cat(&log, &["--salvage"]);
    assert_eq!((whole.0, whole.1), (0, records(1, 20, b"", b"")));
    assert!(whole.2.contains("found 20 records") && !whole.2.contains("MISSING"), "{}", whole.2);
    let segment = log.join("segment-0000000000000003");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4 * 4096 + 100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let (code, out, message) = cat(&log, &["--salvage"]);
    assert_eq!((code, out), (1, [records(1, 4, b"", b""), records(6, 20, b"", b"")].concat()));
    for part in [
        "rot: ",
        "found 19 records of log 00000000000000000000000000000007",
        "records 1 to 4: found",
        "record 5: MISSING",
        "records 6 to 20: found (segment 3, offset 20480)",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let (code, out, _) =
        cat(&log, &["--salvage", "--frame", "numbered", "--from", "4", "--to", "6"]);
    let numbered = |it: u8| [&[it, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0][..], &[it - 1; 100]].concat();
    assert_eq!((code, out), (1, [numbered(4), numbered(6)].concat()));
    std::fs::remove_file(log.join("checkpoint")).unwrap();
    let (code, out, message) = cat(&log, &["--salvage"]);
    assert_eq!((code, out.len()), (1, 1900), "{message}");
    assert!(message.contains("the checkpoint is lost"), "{message}");
    let (code, _, message) = cat(&directory.path().join("nowhere"), &["--salvage"]);
    assert_eq!(code, 4, "{message}");
}

#[test]
fn damage_is_named_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    let segment = log.join("segment-0000000000000003");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4 * 4096 + 100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let (code, _, message) = wal("verify", &log, &[]);
    assert_eq!(code, 1, "{message}");
    assert!(message.contains("rot"), "{message}");
    assert!(message.contains("segment 3, offset 16384; records 5 to 20 are lost"), "{message}");
    let (code, out, _) = wal("verify", &log, &["--json"]);
    assert_eq!(code, 1);
    for part in ["\"verdict\": \"damaged\"", "\"offset\": 16384", "\"records\": 4"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, _) = wal("dump", &log, &[]);
    assert_eq!(code, 1);
    assert!(out.contains("record 4:") && !out.contains("record 5:"), "what stands before: {out}");
}

/// A log of small segments, with 60 records in batches of their own, and the newest segments.
fn write_small_log(directory: &Path, id: u128) -> (String, String) {
    let settings = Settings {
        block_bytes: 512,
        segment_bytes: 8192,
        batch_bytes: 2048,
        ..Settings::default()
    };
    let opening = Opening::begin(Arc::new(RealDisk::new(directory)), LogId(id), settings).unwrap();
    let (mut log, _) = opening.into_serial_log().unwrap();
    for number in 0..60_u8 {
        log.append(&[number; 700]).unwrap();
        log.sync().unwrap();
    }
    ("segment-0000000000000009".to_owned(), "segment-000000000000000a".to_owned())
}

#[test]
fn a_log_with_a_wrong_file_is_never_called_clean() {
    type Harm = fn(&Path, &str, &str);
    let harms: [(&str, Harm); 3] = [
        ("cut-segment", |log, _, newest| {
            let file = std::fs::OpenOptions::new().write(true).open(log.join(newest)).unwrap();
            file.set_len(1024).unwrap();
        }),
        ("misplaced-segment", |log, before, newest| {
            std::fs::rename(log.join(before), log.join("aside")).unwrap();
            std::fs::rename(log.join(newest), log.join(before)).unwrap();
            std::fs::rename(log.join("aside"), log.join(newest)).unwrap();
        }),
        ("other-log-segment", |log, _, newest| {
            let other = tempfile::tempdir().unwrap();
            write_small_log(other.path(), 8);
            std::fs::copy(other.path().join(newest), log.join(newest)).unwrap();
        }),
    ];
    for (case, harm) in harms {
        let directory = tempfile::tempdir().unwrap();
        let (before, newest) = write_small_log(directory.path(), 7);
        let (code, out, _) = wal("verify", directory.path(), &[]);
        assert_eq!(code, 0, "{out}");
        harm(directory.path(), &before, &newest);
        for verb in ["verify", "dump"] {
            let (code, out, message) = wal(verb, directory.path(), &[]);
            assert_eq!(code, 1, "{case}: {out}{message}");
            assert!(message.contains(case), "{case}: {message}");
            assert!(message.contains("segment-000000000000000"), "{case}: {message}");
        }
        let (_, out, _) = wal("dump", directory.path(), &[]);
        assert!(out.contains("record 48:"), "{case}: the records before are shown");
    }
}

#[test]
fn a_lost_checkpoint_is_damage_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    std::fs::remove_file(log.join("checkpoint")).unwrap();
    let names = || std::fs::read_dir(&log).unwrap().count();
    let before = names();
    for verb in ["verify", "dump"] {
        let (code, _, message) = wal(verb, &log, &[]);
        assert_eq!(code, 1, "{message}");
        assert!(message.contains("lost-checkpoint"), "{message}");
    }
    assert_eq!(names(), before);
}

#[test]
fn an_uncertain_tail_is_said_by_dump_too() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    // Record 20 and the batch that proves it.
    let segment = log.join("segment-0000000000000003");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[19 * 4096 + 100..21 * 4096].fill(0);
    std::fs::write(&segment, bytes).unwrap();
    for verb in ["verify", "dump"] {
        let (code, out, message) = wal(verb, &log, &[]);
        assert_eq!(code, 1, "{verb}: {out}{message}");
        assert!(format!("{out}{message}").contains("the tail is uncertain"), "{out}{message}");
    }
}

#[test]
fn the_verdict_shows_in_the_exit_code_though_nobody_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    write_log(&log);
    let verify = |stdout: Stdio| {
        let directory = log.to_str().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(["wal", "verify", "--json", directory]).stdout(stdout);
        command.stderr(Stdio::null()).status().unwrap().code()
    };
    let closed_pipe = || Stdio::from(std::io::pipe().unwrap().1);
    assert_eq!(verify(closed_pipe()), Some(0));
    let segment = log.join("segment-0000000000000003");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4 * 4096 + 100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(verify(closed_pipe()), Some(1));
    if cfg!(target_os = "linux") {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(verify(full.into()), Some(4), "a verdict that is not written is no verdict");
    }
}

#[test]
fn a_dump_that_nobody_reads_to_its_end_is_incomplete() {
    let directory = tempfile::tempdir().unwrap();
    write_log(directory.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.args(["wal", "dump"]).arg(directory.path()).stdout(std::io::pipe().unwrap().1);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(3), Vec::new()));
}

#[test]
fn records_for_a_closed_standard_output_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    write_log(directory.path());
    for verb in ["cat", "cat --salvage", "dump"] {
        let line = format!("\"$0\" wal {verb} \"$1\" >&-");
        let mut command = Command::new("sh");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_steadfast")]).arg(directory.path());
        let output = command.output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{verb}: {message}");
        assert!(message.contains("standard output: it is closed"), "{message}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    write_log(directory.path());
    let checkpoint = directory.path().join("checkpoint");
    std::fs::remove_file(&checkpoint).unwrap();
    std::fs::create_dir(&checkpoint).unwrap();
    for verb in ["verify", "dump", "cat"] {
        let (code, _, message) = wal(verb, directory.path(), &[]);
        assert_eq!(code, 4, "{message}");
        let says = format!("cannot read {}: ", checkpoint.display());
        assert!(message.contains(&says), "{message}");
    }
}

#[test]
fn a_checkpoint_that_was_overwritten_beside_segments_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    write_log(directory.path());
    for bytes in [&b""[..], b"none of a checkpoint's bytes"] {
        std::fs::write(directory.path().join("checkpoint"), bytes).unwrap();
        let (code, _, message) = wal("verify", directory.path(), &[]);
        assert_eq!(code, 1, "{message}");
        assert!(message.contains("damaged-checkpoint"), "{message}");
        assert!(message.contains("help: `steadfast wal cat --salvage DIR`"), "{message}");
        let (code, out, message) = cat(directory.path(), &["--salvage"]);
        assert_eq!((code, out), (1, records(1, 20, b"", b"")), "{message}");
        assert!(!message.contains("help"), "{message}");
    }
}

#[test]
fn what_is_no_log_is_named_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let (code, _, message) = wal("verify", &place.join("nowhere"), &[]);
    assert_eq!(code, 4);
    assert!(
        message.contains(&format!("cannot list {}", place.join("nowhere").display())),
        "{message}"
    );
    assert!(message.contains("help: DIR is the directory of a log"), "{message}");
    let (code, _, message) = wal("verify", place, &[]);
    assert_eq!(code, 4);
    assert!(message.contains("holds no log"), "{message}");
    std::fs::write(place.join("notes.txt"), "mine").unwrap();
    let (code, _, message) = wal("dump", place, &[]);
    assert_eq!(code, 4);
    assert!(message.contains("\"notes.txt\", which is no file of a log"), "{message}");
    assert_eq!(std::fs::read_dir(place).unwrap().count(), 1);
    assert_eq!(steadfast(&["wal", "mend"]).status.code(), Some(2));
}
