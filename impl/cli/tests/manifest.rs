//! `steadfast delta manifest` as a script sees it.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use steadfast_delta::manifest::{Depth, Manifest};
use tempfile::TempDir;

fn content() -> Vec<u8> {
    (0..300_000_u32)
        .flat_map(|number| (number.wrapping_mul(0x9E37_79B1) >> 7).to_le_bytes())
        .collect()
}

fn run(folder: &TempDir, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["delta", "manifest"])
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that fails early does not read its input.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("the program ends")
}

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary directory");
    fs::write(folder.path().join("file"), content()).expect("a temporary file");
    folder
}

#[test]
fn a_file_and_standard_input_have_the_same_name() {
    let folder = folder();
    let expected = Manifest::of(&content(), Depth::Grains);
    for (argument, input) in [("file", vec![]), ("-", content())] {
        let output = run(&folder, &[argument, "--json"], &input);
        assert!(output.status.success(), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(said["root"], expected.root().to_string());
        assert_eq!(said["length"], expected.length());
        assert_eq!(said["sections"], expected.sections().len());
    }
}

#[test]
fn the_manifest_itself_is_written_where_asked() {
    let folder = folder();
    let expected = Manifest::of(&content(), Depth::Chunks);
    let output = run(&folder, &["file", "--depth", "chunks", "-o", "out"], &[]);
    assert!(output.status.success(), "{output:?}");
    let written = fs::read(folder.path().join("out")).expect("the manifest");
    assert_eq!(Manifest::from_bytes(&written).as_ref(), Ok(&expected));
    let output = run(&folder, &["file", "--depth", "chunks", "-o", "-"], &[]);
    assert_eq!(Manifest::from_bytes(&output.stdout).as_ref(), Ok(&expected));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = run(&folder(), &["absent"], &[]);
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("absent"), "{said}");
}

#[test]
fn an_output_that_cannot_be_is_named_before_the_file_is_read() {
    let output = run(&folder(), &["absent", "-o", "no/such"], &[]);
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot create no/such"), "{said}");
}

#[test]
fn two_things_for_standard_output_are_refused() {
    let output = run(&folder(), &["file", "--json", "-o", "-"], &[]);
    assert_eq!(output.status.code(), Some(2));
}
