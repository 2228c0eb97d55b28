//! `steadfast delta patch`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::json;
use steadfast_delta::{Applied, InPlacePlan, OldContent, PatchError, apply_stream, stats};
use steadfast_output::say;
use steadfast_output::size::bytes;

use super::in_place;
use super::input::{OldVersion, reader};
use super::output::{Output, PROGRAM_MODE, is_standard_output, refuse_to_replace};
use super::progress::{Observed, bar};
use super::refusal::{is_other_old, refused};
use crate::failure::Failure;
use crate::names::{is_standard, shown};

/// Without --limit, a patch may make this many times the bytes of OLD, and [`LIMIT_LEAST`] more.
const LIMIT_FACTOR: u64 = 64;
/// Bytes that a patch may make without --limit even if OLD is empty.
const LIMIT_LEAST: u64 = 1 << 30;

/// Make NEW from OLD and a patch.
#[derive(Args)]
#[command(group = ArgGroup::new("where").required(true).args(["output", "in_place"]))]
pub(crate) struct Options {
    /// The old version, as the patch was made for; `-` reads it from standard input into memory.
    old: PathBuf,
    /// The patch; `-` is standard input.
    patch: PathBuf,
    /// Where the new version goes, complete or not at all; `-` is standard output, which has seen
    /// it before it is verified: then only the exit code says whether it is right. A new file may be
    /// executed by those who may OLD, and read by those who may OLD and PATCH; its zeros take no room.
    #[arg(short, long, value_name = "NEW")]
    output: Option<PathBuf>,
    /// Change OLD itself, so that a crash leaves the old version, the new one, or a journal beside the
    /// file with which the next such command finishes the change before it does anything else.
    #[arg(long)]
    in_place: bool,
    /// Do not lock OLD while it is changed with --in-place, for file systems without locks. Then
    /// the caller must keep other commands from changing the file at the same time.
    #[arg(long, conflicts_with = "output")]
    no_lock: bool,
    /// What to verify before OLD is changed with --in-place.
    #[arg(long, value_enum, default_value_t = Verify::Whole, conflicts_with = "output")]
    verify: Verify,
    /// Refuse a patch that makes more bytes; by default 64 times those of OLD and a GiB. A number below
    /// 2^64, with a unit if wanted: 64K, 100MB, 1G.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    limit: Option<u64>,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Verify {
    /// The changed blocks: reads no more of OLD than the change does.
    Touched,
    /// The whole result: reads all of OLD.
    Whole,
}

impl From<Verify> for steadfast_delta::Verify {
    fn from(verify: Verify) -> Self {
        match verify {
            Verify::Touched => Self::Touched,
            Verify::Whole => Self::Whole,
        }
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if is_standard(&options.old) && (options.in_place || is_standard(&options.patch)) {
        let message = "OLD cannot be standard input with --in-place or if PATCH is";
        return Err(Failure::usage(message).help("name a file; PATCH can be -"));
    }
    match &options.output {
        None => {
            let (verify, json) = (options.verify.into(), options.json);
            let settings = in_place::Settings { verify, locks: !options.no_lock, json };
            in_place::run(&options.old, &options.patch, settings)
        }
        Some(output) => {
            if options.json && is_standard_output(output) {
                let both = "standard output cannot take both the new version and --json";
                return Err(Failure::usage(both));
            }
            refuse_to_replace("PATCH", &options.patch, output)?;
            let applied = make(options, output)?;
            if options.json {
                let Applied { length, verified } = applied;
                say(json!({ "new_length": length, "verified": verified }));
            }
            Ok(())
        }
    }
}

fn make(options: &Options, path: &Path) -> Result<Applied, Failure> {
    let old = OldVersion::open(&options.old)?;
    if is_standard_output(path) {
        check_before(&old, options)?;
    }
    let patch = reader(&options.patch)?;
    let mut output = Output::create_from(&[&options.old, &options.patch], path, PROGRAM_MODE)?;
    let length = old.length().map_err(|error| cannot(options, error.into()))?;
    let limit = length.saturating_mul(LIMIT_FACTOR).saturating_add(LIMIT_LEAST);
    let bar = bar("patch", length);
    let observed = Observed { inner: &mut output, bar: &bar };
    let applied = apply_stream(&old, patch, observed, options.limit.unwrap_or(limit));
    bar.finish_and_clear();
    let applied = applied.map_err(|error| why_refused(&old, options, error))?;
    output.finish()?;
    Ok(applied)
}

/// Refuses a damaged patch, and another old content in the places where the patch changes it, before
/// the first byte goes to standard output. Costs reading these places, and is left out where the patch
/// does not name them, or cannot be read twice.
fn check_before(old: &OldVersion, options: &Options) -> Result<(), Failure> {
    if !is_file(&options.patch) {
        return Ok(());
    }
    match InPlacePlan::new(old, reader(&options.patch)?, steadfast_delta::Verify::Touched) {
        Ok(_) | Err(PatchError::NotInPlace) => Ok(()),
        Err(error) => Err(why_refused(old, options, error)),
    }
}

/// Whether a path names a file, which can be read again.
fn is_file(path: &Path) -> bool {
    !is_standard(path) && fs::metadata(path).is_ok_and(|it| it.is_file())
}

/// Tells an old content that is the new one already from one that the patch was not made for.
fn why_refused(old: &OldVersion, options: &Options, error: PatchError) -> Failure {
    if is_other_old(&error) && is_file(&options.patch) {
        let read = reader(&options.patch).ok().and_then(|it| stats(it).ok());
        if read.is_some_and(|it| it.is_new(old).unwrap_or(false)) {
            let (old, patch) = (options.old.display(), shown(&options.patch));
            return Failure::broken(format!("{old} is already the version that {patch} makes"))
                .help("copy it if you need another file with this content");
        }
    }
    cannot(options, error)
}

fn cannot(options: &Options, error: PatchError) -> Failure {
    refused(&options.old, &options.patch, &error)
}
