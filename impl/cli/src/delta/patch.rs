//! `steadfast delta patch`.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use steadfast_delta::{Applied, OldContent, PatchError, apply_stream};
use steadfast_output::say;

use super::in_place;
use super::input::{OldVersion, is_standard, reader, shown};
use super::output::{Output, refuse_to_replace};
use super::progress::{Observed, bar};
use crate::failure::{Failure, with_causes};

/// Without a limit, a patch may make so many times the bytes of OLD,
const LIMIT_FACTOR: u64 = 64;
/// and so many more.
const LIMIT_LEAST: u64 = 1 << 30;

/// Make NEW from OLD and a patch.
#[derive(Args)]
pub(crate) struct Options {
    /// The old version, as the patch was made for; `-` reads it from standard input into memory.
    old: PathBuf,
    /// The patch; `-` is standard input.
    patch: PathBuf,
    /// Where the new version goes, complete or not at all; `-` is standard output, which has seen
    /// it before it is verified: then only the exit code says whether it is right.
    #[arg(short, long, value_name = "NEW", required_unless_present = "in_place")]
    output: Option<PathBuf>,
    /// Change OLD itself, so that a crash leaves the old or the new version. Also finishes such a
    /// change that was interrupted, and then does nothing else.
    #[arg(long, conflicts_with = "output")]
    in_place: bool,
    /// What to verify before OLD is changed with --in-place.
    #[arg(long, value_enum, default_value_t = Verify::Whole, conflicts_with = "output")]
    verify: Verify,
    /// Refuse a patch that makes more bytes; by default 64 times those of OLD and a GiB.
    #[arg(long, value_name = "BYTES")]
    limit: Option<u64>,
    /// Say what was done as JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Verify {
    /// The blocks that are changed: costs what the change costs.
    Touched,
    /// The whole result: costs reading OLD.
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
        None => in_place::run(&options.old, &options.patch, options.verify.into(), options.json),
        Some(output) => {
            if options.json && is_standard(output) {
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
    let patch = reader(&options.patch)?;
    let mut output = Output::create(path)?;
    let length = old.length().map_err(|error| cannot(options, error.into()))?;
    let limit = length.saturating_mul(LIMIT_FACTOR).saturating_add(LIMIT_LEAST);
    let bar = bar("patch", length);
    let observed = Observed { inner: &mut output, bar: &bar };
    let applied = apply_stream(&old, patch, observed, options.limit.unwrap_or(limit));
    bar.finish_and_clear();
    let applied = applied.map_err(|error| cannot(options, error))?;
    output.finish()?;
    Ok(applied)
}

fn cannot(options: &Options, error: PatchError) -> Failure {
    refused(&options.old, &options.patch, &error)
}

/// Why a patch cannot be applied to a file.
pub(crate) fn refused(old: &Path, patch: &Path, error: &PatchError) -> Failure {
    let what = format!("cannot apply {} to {}", shown(patch), shown(old));
    match error {
        PatchError::Io(error) => Failure::io(what, error),
        PatchError::TooLarge { .. } => Failure::usage(with_causes(what, error))
            .help("if you trust the patch, say --limit BYTES"),
        PatchError::NotInPlace | PatchError::NotSummed => {
            Failure::usage(with_causes(what, error)).help("say -o NEW to make a new file")
        }
        PatchError::OtherOld | PatchError::OtherOldLength { .. } => {
            Failure::broken(with_causes(what, error))
                .help("take the version that the patch was made from")
        }
        PatchError::NotAPatch => Failure::broken(with_causes(what, error))
            .help("OLD comes first, and then PATCH, which `steadfast delta diff` made"),
        PatchError::OtherVersion { .. } | PatchError::UnknownFlags { .. } => {
            Failure::broken(with_causes(what, error)).help("take a newer program")
        }
        _ => Failure::broken(with_causes(what, error)).help("fetch the patch again"),
    }
}

/// A file that is changed in place.
pub(crate) struct OldFile(pub(crate) File);

impl OldContent for OldFile {
    fn length(&self) -> io::Result<u64> {
        let metadata = self.0.metadata()?;
        if metadata.is_file() { Ok(metadata.len()) } else { Err(io::Error::other("it is no file")) }
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                io::Error::other("the old version was cut off while it was read")
            }
            _ => error,
        })
    }
}
