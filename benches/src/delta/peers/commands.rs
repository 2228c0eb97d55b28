//! Peers that are commands. Their CPU time includes reading and writing files.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::delta::meter::measure_commands;
use crate::delta::pair::{Measured, PairFiles};
use crate::delta::peer_error::PeerError;
use crate::delta::row::Setting;

/// With a window as large as the old version, which it would otherwise see only a part of.
pub(super) fn xdelta3(pair: &PairFiles, level: &str) -> Result<Measured, PeerError> {
    let (work, old, new) = (beside(pair)?, &pair.old, &pair.new);
    let (patch, result) = (work.path().join("patch"), work.path().join("result"));
    let window = pair.length_max.next_power_of_two().clamp(1 << 26, 1 << 31).to_string();
    let common = ["-q", "-f", "-B", &window];
    let (encode, ()) = measure_commands(|| {
        run(Command::new("xdelta3").args(["-e", level]).args(common).arg("-s"), [old, new, &patch])
    })?;
    let (apply, ()) = measure_commands(|| {
        run(Command::new("xdelta3").arg("-d").args(common).arg("-s"), [old, &patch, &result])
    })?;
    pair.check(&result)?;
    Ok(Measured {
        encode: Some(encode),
        apply: Some(apply),
        bytes_up: 0,
        bytes_down: length(&patch)?,
    })
}

/// With a window that reaches all of both versions.
pub(super) fn zstd(pair: &PairFiles, level: &str) -> Result<Measured, PeerError> {
    let (work, old, new) = (beside(pair)?, &pair.old, &pair.new);
    let (patch, result) = (work.path().join("patch"), work.path().join("result"));
    let window = pair.length_max.next_power_of_two().ilog2().clamp(20, 31);
    let long = format!("--long={window}");
    let from = format!("--patch-from={}", old.display());
    let common = ["-q", "-f", "-T1", &long, &from];
    let (encode, ()) = measure_commands(|| {
        run(Command::new("zstd").arg(level).args(common).arg("-o"), [&patch, new])
    })?;
    let (apply, ()) = measure_commands(|| {
        run(Command::new("zstd").arg("-d").args(common).arg("-o"), [&result, &patch])
    })?;
    pair.check(&result)?;
    Ok(Measured {
        encode: Some(encode),
        apply: Some(apply),
        bytes_up: 0,
        bytes_down: length(&patch)?,
    })
}

/// librsync's own command.
pub(super) fn rdiff(pair: &PairFiles, setting: Setting) -> Result<Measured, PeerError> {
    let (work, old, new) = (beside(pair)?, &pair.old, &pair.new);
    let file = |name: &str| work.path().join(name);
    let (signature, patch, result) = (file("signature"), file("patch"), file("result"));
    let rdiff = |step: &str, files: [&Path; 3]| {
        run(Command::new("rdiff").args(["-f", step]), files.iter().filter(|f| f.as_os_str() != ""))
    };
    let (sign, ()) = measure_commands(|| rdiff("signature", [old, &signature, Path::new("")]))?;
    let (encode, ()) = measure_commands(|| rdiff("delta", [&signature, new, &patch]))?;
    let (apply, ()) = measure_commands(|| rdiff("patch", [old, &patch, &result]))?;
    pair.check(&result)?;
    let is_cold = setting == Setting::Cold;
    Ok(Measured {
        encode: Some(if is_cold { sign.and(encode) } else { encode }),
        apply: Some(apply),
        bytes_up: if is_cold { length(&signature)? } else { 0 },
        bytes_down: length(&patch)?,
    })
}

/// Both ends on this machine, told to treat each other as remote. Their CPU time is one.
pub(super) fn rsync(pair: &PairFiles, compression: &str) -> Result<Measured, PeerError> {
    let (work, old, new) = (beside(pair)?, &pair.old, &pair.new);
    let result = work.path().join("result");
    let mut answer = String::new();
    let (encode, ()) = measure_commands(|| {
        fs::copy(old, &result)?;
        let flags = ["--no-whole-file", "--ignore-times", "--stats", compression];
        answer = output(Command::new("rsync").args(flags), [new, &result])?;
        Ok(())
    })?;
    pair.check(&result)?;
    let count = |label: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(label)).unwrap_or_default();
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        digits.parse().map_err(|_| PeerError::Failed(format!("rsync says nothing of {label:?}")))
    };
    Ok(Measured {
        encode: Some(encode),
        apply: None,
        bytes_up: count("Total bytes received:")?,
        bytes_down: count("Total bytes sent:")?,
    })
}

/// Our own patch into a file, by this very program.
pub(super) fn own_diff(pair: &PairFiles, patch: &Path) -> Result<(), PeerError> {
    let mut command = Command::new(std::env::current_exe()?);
    run(command.args(["delta", "write-patch"]), [&pair.folder, patch])
}

/// A place for results beside the inputs, on the same disk.
fn beside(pair: &PairFiles) -> Result<TempDir, PeerError> {
    Ok(TempDir::new_in(&pair.folder)?)
}

fn length(file: &Path) -> Result<u64, PeerError> {
    Ok(fs::metadata(file)?.len())
}

fn run(
    command: &mut Command,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<(), PeerError> {
    output(command, arguments).map(|_| ())
}

fn output(
    command: &mut Command,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<String, PeerError> {
    let output = command.args(arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(PeerError::Command {
        program: command.get_program().to_string_lossy().into_owned(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
