//! A log on a small file system of its own that fills up. It is a tmpfs in a mount namespace of the
//! test's; where the system allows none, the test says so and ends.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use steadfast_wal::{AppendError, LogId, LogIndex, Opening, RealDisk, Settings};

/// Where the child of the test finds its file system.
const DIRECTORY: &str = "STEADFAST_WAL_FULL_TMPFS";
const TEST: &str = "the_first_write_after_room_was_made_on_a_full_file_system_is_durable";
/// Fills the file system beside the log, in bytes.
const BALLAST_BYTES: usize = 1 << 20;

fn settings() -> Settings {
    Settings { segment_bytes: 128 << 10, batch_bytes: 64 << 10, ..Settings::default() }
}

#[test]
fn the_first_write_after_room_was_made_on_a_full_file_system_is_durable() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return fills_up(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let script =
        "mount -t tmpfs -o size=3m tmpfs \"$1\" || exit 77; exec \"$2\" --exact \"$3\" --nocapture";
    let namespaces: [&[&str]; 2] = [&["--mount"], &["--mount", "--user", "--map-root-user"]];
    for namespace in namespaces {
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", script, "sh"]).arg(directory.path());
        command.arg(std::env::current_exe().unwrap()).arg(TEST).env(DIRECTORY, directory.path());
        match command.output() {
            Ok(output) if output.status.success() => {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(said.contains("filled 2 times"), "the child did its work: {said}");
                return;
            }
            // The test itself fails with 101; the others are refusals of namespaces or mounts.
            Ok(output) if output.status.code() == Some(101) => {
                panic!("{}", String::from_utf8_lossy(&output.stderr));
            }
            _ => {}
        }
    }
    println!("SKIPPED: this system lets the test mount no file system of its own");
}

fn fills_up(directory: &Path) {
    let ballast = directory.join("ballast");
    let disk = Arc::new(RealDisk::new(directory.join("log")));
    let begin = || Opening::begin(Arc::clone(&disk), LogId(1), settings()).unwrap();
    let mut last = LogIndex(0);
    let (log, _) = begin().into_log().unwrap();
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let error = loop {
        match log.write(&[5; 4000]) {
            Ok(index) => last = index,
            Err(error) => break error,
        }
    };
    is_full(&error);
    assert_eq!(log.durable(), last, "what was accepted is durable");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(log.write(&[6; 4000]).unwrap(), last.next(), "the first write after room was made");
    drop(log);

    let (mut log, recovered) = begin().into_serial_log().unwrap();
    last = last.next();
    assert_eq!(recovered.last, last);
    let error = loop {
        match log.append(&[7; 4000]).and_then(|it| Ok(log.sync().map(|_| it)?)) {
            Ok(index) => last = index,
            Err(error) => break error,
        }
    };
    is_full(&error);
    log.checkpoint(last, b"state").unwrap();
    assert_eq!(log.append(&[8; 4000]).unwrap(), last.next(), "a checkpoint makes room");
    assert_eq!(log.sync().unwrap(), last.next());
    println!("filled 2 times");
}

fn is_full(error: &AppendError) {
    assert!(matches!(error, AppendError::OutOfSpace(_)), "{error}");
    let says = error.to_string();
    assert!(says.contains("The log has not failed"), "{says}");
}
