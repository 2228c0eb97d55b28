//! Measures the engine once with one changed constant: `measured CORPUS NUMBER half|double PHASES`, or number 0
//! for none. Only these phases are timed, whose names have commas between them. Compiled with the copy of the engine. Prints a line for each pair and phase: the name of the pair, that
//! of the phase, bytes, microseconds of CPU time.

use std::error::Error;
use std::path::Path;
use std::{env, fs, hint};

use steadfast_delta::manifest::{Depth, Kept, Manifest};
use steadfast_delta::remote::{Effect, Limits, Receiver, Sender};
use steadfast_delta::{Effort, InPlacePlan, Options, Verify, apply, apply_stream, diff, tuned};

/// Longer contents are not measured at effort small, and no exchange of theirs, which would take most of the
/// time.
const SMALL_MAX: usize = 9 << 20;
/// A phase is repeated until all repeats took this number of microseconds; the least time counts.
const REPEATED: u64 = 4_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [corpus, number, factor, phases] = &arguments[..] else {
        return Err("four arguments".into());
    };
    tuned::change(number.parse()?, factor == "double");
    let mut folders: Vec<_> = fs::read_dir(corpus)?.collect::<Result<_, _>>()?;
    folders.sort_by_key(fs::DirEntry::file_name);
    for folder in folders {
        measure(&folder.file_name().to_string_lossy(), &folder.path(), phases)?;
    }
    Ok(())
}

fn measure(name: &str, folder: &Path, phases: &str) -> Outcome<()> {
    let (old, new) = (fs::read(folder.join("old"))?, fs::read(folder.join("new"))?);
    let is_short = old.len().max(new.len()) <= SMALL_MAX;
    let is_asked = |phase: &str| phases.split(',').any(|it| it == phase);
    for (phase, effort) in
        [("fast", Effort::Fast), ("default", Effort::Default), ("small", Effort::Small)]
    {
        if is_asked(phase) && (effort != Effort::Small || is_short) {
            let patch = timed(name, phase, || patch(&old, &new, effort))?;
            if *apply(&old, &patch, u64::MAX)? != *new {
                return Err("another content".into());
            }
        }
    }
    if is_asked("apply") {
        let (patch, _) = patch(&old, &new, Effort::Default)?;
        timed(name, "apply", || applied(&old, &new, &patch))?;
    }
    if !is_short || !is_asked("remote") {
        return Ok(());
    }
    let (patch, _) = patch(&old, &new, Effort::Default)?;
    let of_old = timed(name, "manifest", || {
        let manifest = Manifest::of(&old, Depth::Grains);
        let carried = manifest.carry(&new, &Kept::of_patch(&patch[..], u64::MAX)?);
        let length = carried.to_bytes().len();
        Ok((manifest, length))
    })?;
    let of_new = Manifest::of(&new, Depth::Grains);
    timed(name, "remote", || Ok(((), exchange(&old, &new, &of_old, &of_new)?)))
}

/// The patch, and its bytes.
fn patch(old: &[u8], new: &[u8], effort: Effort) -> Outcome<(Vec<u8>, usize)> {
    let mut patch = Vec::new();
    diff(old, new, Options { effort, ..Options::default() }, &mut patch)?;
    let length = patch.len();
    Ok((patch, length))
}

/// Applies a patch in all ways.
fn applied(old: &[u8], new: &[u8], patch: &[u8]) -> Outcome<((), usize)> {
    let made = apply(old, patch, u64::MAX)?;
    let mut streamed = Vec::new();
    apply_stream(old, patch, &mut streamed, u64::MAX)?;
    if *made != *new || streamed != new {
        return Err("another content".into());
    }
    hint::black_box(InPlacePlan::new(old, patch, Verify::Touched).is_ok());
    Ok(((), patch.len()))
}

/// The bytes that both ends send.
fn exchange(old: &[u8], new: &[u8], of_old: &Manifest, of_new: &Manifest) -> Outcome<usize> {
    let mut sender = Sender::new(new, of_new, 0x5A17);
    let mut receiver = Receiver::new(old, of_old, Limits::default());
    let mut sent = 0;
    let mut received = Vec::new();
    while let Some(message) = sender.next_message()? {
        sent += message.len();
        for effect in receiver.receive(&message)? {
            match effect {
                Effect::Send(answer) => {
                    sent += answer.len();
                    sender.receive(&answer)?;
                }
                Effect::Copy { offset, length } => {
                    received.extend_from_slice(&old[offset as usize..][..length as usize]);
                }
                Effect::Write(bytes) => received.extend_from_slice(&bytes),
                Effect::Restart => received.clear(),
                Effect::Done(_) => {}
            }
        }
    }
    if received != new {
        return Err("another content".into());
    }
    Ok(sent)
}

fn timed<T>(name: &str, phase: &str, mut step: impl FnMut() -> Outcome<(T, usize)>) -> Outcome<T> {
    let (mut least, mut all) = (u64::MAX, 0);
    loop {
        let before = cpu_time()?;
        let (made, bytes) = step()?;
        let spent = cpu_time()? - before;
        (least, all) = (least.min(spent), all + spent);
        if all > REPEATED {
            println!("{name} {phase} {bytes} {least}");
            return Ok(made);
        }
    }
}

fn cpu_time() -> Outcome<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds().unsigned_abs())
}
