//! The files beside the program: manual pages, completions and the unit of systemd.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const STEADFAST: &str = env!("CARGO_BIN_EXE_steadfast");

fn steadfast(arguments: &[&str]) -> Output {
    let mut command = Command::new(STEADFAST);
    command.args(arguments).stdin(Stdio::null()).output().expect("the program ends")
}

fn text(arguments: &[&str]) -> String {
    let output = steadfast(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The commands below a command, from its help.
fn subcommands(of: &[&str]) -> Vec<String> {
    let help = text(&[of, &["--help"]].concat());
    let listed = help.lines().skip_while(|it| *it != "Commands:").skip(1);
    let listed = listed.take_while(|it| !it.is_empty());
    let names = listed.filter(|it| it.starts_with("  ") && !it.starts_with("   "));
    let names = names.filter_map(|it| it.split_whitespace().next()).filter(|it| *it != "help");
    names.map(str::to_owned).collect()
}

/// All commands, each as its words.
fn commands() -> Vec<Vec<String>> {
    let (mut all, mut at) = (vec![Vec::new()], 0);
    while at < all.len() {
        let words: Vec<String> = all[at].clone();
        let names: Vec<&str> = words.iter().map(String::as_str).collect();
        all.extend(subcommands(&names).into_iter().map(|it| [words.clone(), vec![it]].concat()));
        at += 1;
    }
    all
}

#[test]
fn every_command_has_a_page_and_every_page_a_command() {
    let around = tempfile::tempdir().expect("a directory");
    let directory = around.path().join("share/man1");
    let printed = text(&["man", directory.to_str().expect("text")]);
    let commands = commands();
    assert!(commands.len() > 20, "the help names the commands: {commands:?}");
    let page = |words: &Vec<String>| {
        format!("{}.1", [&["steadfast".to_owned()], &words[..]].concat().join("-"))
    };
    let expected: BTreeSet<String> = commands.iter().map(page).collect();
    let entries = fs::read_dir(&directory).expect("it was made");
    let found: BTreeSet<String> =
        entries.map(|it| it.expect("an entry").file_name().into_string().expect("text")).collect();
    assert_eq!(found, expected);
    assert_eq!(printed.lines().count(), found.len(), "{printed}");
    for words in &commands {
        let text = fs::read_to_string(directory.join(page(words))).expect("a page");
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
            assert!(text.contains(part), "{part} in the page of {words:?}");
        }
    }
    let serve = fs::read_to_string(directory.join("steadfast-serve.1")).expect("a page");
    assert!(serve.contains("Runs a node") && serve.contains("NODE"), "{serve}");
}

#[test]
fn pages_that_cannot_be_written_are_an_error_of_writing() {
    let around = tempfile::tempdir().expect("a directory");
    let file = around.path().join("file");
    fs::write(&file, "kept").expect("a file");
    let output = steadfast(&["man", file.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot make "), "{output:?}");
    assert_eq!(fs::read(&file).expect("it is there"), b"kept");
}

#[test]
fn completions_of_every_shell_know_every_command_and_parse() {
    let commands = commands();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&["completions", shell]);
        for name in commands.iter().flatten() {
            assert!(script.contains(name.as_str()), "{name} in the completions of {shell}");
        }
        parse(shell, &script);
    }
    let output = steadfast(&["completions", "tcsh"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// Lets a shell parse a script without running it, where there is that shell.
fn parse(shell: &str, script: &str) {
    let argument = match shell {
        "bash" | "zsh" => "-n",
        "fish" => "--no-execute",
        _ => return,
    };
    let started =
        Command::new(shell).arg(argument).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        println!("skipped: {shell} is not installed, so its completions were not parsed");
        return;
    };
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(script.as_bytes()).expect("it reads all of it");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
}

fn unit() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/steadfast@.service");
    fs::read_to_string(path).expect("the unit")
}

/// The values of a unit by section and key. A key that is given twice is a mistake here.
fn parsed(unit: &str) -> BTreeMap<(String, String), String> {
    let (mut section, mut values) = (String::new(), BTreeMap::new());
    for line in unit.lines().filter(|it| !it.is_empty() && !it.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let (key, value) = line.split_once('=').expect("KEY=VALUE");
        let earlier = values.insert((section.clone(), key.to_owned()), value.to_owned());
        assert_eq!(earlier, None, "{key} is given twice");
    }
    values
}

#[test]
fn the_unit_runs_a_node_where_it_may_write_and_not_again_after_damage() {
    let unit = parsed(&unit());
    let of = |key: &str| unit[&("Service".to_owned(), key.to_owned())].as_str();
    let directory = format!("/var/lib/{}", of("StateDirectory"));
    assert_eq!(of("ExecStart"), format!("/usr/local/bin/steadfast serve {directory}"));
    assert_eq!((of("ProtectSystem"), of("NoNewPrivileges")), ("strict", "yes"));
    assert_eq!(of("Restart"), "on-failure");
    // Damage, wrong usage, I/O: every failure that `serve` itself reports.
    assert_eq!(of("RestartPreventExitStatus"), "1 2 4");
    assert!(unit.contains_key(&("Unit".to_owned(), "StartLimitBurst".to_owned())));
}

#[test]
fn a_node_that_cannot_start_exits_with_a_code_that_the_unit_does_not_restart() {
    let around = tempfile::tempdir().expect("a directory");
    let missing = around.path().join("missing");
    let output = steadfast(&["serve", missing.to_str().expect("text")]);
    let code = output.status.code().expect("an exit code").to_string();
    let unit = parsed(&unit());
    let prevented = &unit[&("Service".to_owned(), "RestartPreventExitStatus".to_owned())];
    assert!(prevented.split(' ').any(|it| it == code), "{code} in {prevented}");
}

#[test]
fn systemd_accepts_the_unit() {
    let around = tempfile::tempdir().expect("a directory");
    let path = around.path().join("steadfast@a.service");
    // The verifier demands that the program and the user exist.
    let unit = unit().replace("/usr/local/bin/steadfast", STEADFAST);
    let unit = unit.replace("=steadfast\n", "=root\n").replace("Documentation=man:", "#");
    fs::write(&path, unit).expect("a file");
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]).arg(&path).stdin(Stdio::null());
    let Ok(output) = command.output() else {
        println!("skipped: systemd-analyze is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("Failed to initialize manager") || said.contains("Failed to setup manager") {
        println!("skipped: systemd-analyze does not run here: {said}");
        return;
    }
    let about_unit: Vec<&str> = said.lines().filter(|it| it.contains("steadfast@")).collect();
    assert!(output.status.success() && about_unit.is_empty(), "{output:?}");
}
