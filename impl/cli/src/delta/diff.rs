//! `steadfast delta diff`.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde_json::json;
use steadfast_delta::NewChanged;
use steadfast_output::say;

use super::output::{NEW_MODE, Output, is_standard_output, refuse_to_replace};
use super::progress::bar;
use crate::failure::Failure;
use crate::names::is_standard;
use crate::whole::Whole;

/// Write the patch that makes NEW from OLD.
#[derive(Args)]
pub(crate) struct Options {
    /// The old version; `-` reads it from standard input into memory. Pipes are read into memory, too; as
    /// `cat` does, the command waits for the writer of a named one.
    old: PathBuf,
    /// The new version; `-` reads it from standard input into memory.
    new: PathBuf,
    /// Where the patch goes; `-` is standard output. A new file may be read by those who may read OLD and
    /// NEW.
    #[arg(short, long, value_name = "PATCH")]
    output: PathBuf,
    /// How hard to look for equal bytes.
    #[arg(long, value_enum, default_value_t = Effort::Default)]
    effort: Effort,
    /// Read NEW a second time at the end, and fail if it reads differently. The default if a process
    /// has NEW open for writing, and for a device.
    #[arg(long)]
    read_twice: bool,
    /// Print the result as JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Effort {
    /// Bytes that stayed in place, shifted a little or moved as a large piece.
    Fast,
    /// Also small pieces, in the parts of OLD that are not in NEW yet.
    Default,
    /// Small pieces everywhere, well compressed.
    Small,
}

impl From<Effort> for steadfast_delta::Effort {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::Fast => Self::Fast,
            Effort::Default => Self::Default,
            Effort::Small => Self::Small,
        }
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if is_standard(&options.old) && is_standard(&options.new) {
        return Err(Failure::usage("only one of OLD and NEW can be standard input"));
    }
    if options.json && is_standard_output(&options.output) {
        return Err(Failure::usage("standard output cannot take both the patch and --json"));
    }
    refuse_to_replace("OLD", &options.old, &options.output)?;
    refuse_to_replace("NEW", &options.new, &options.output)?;
    let start = Instant::now();
    // First, because reading takes long.
    let mut output = Output::create_from(&[&options.old, &options.new], &options.output, NEW_MODE)?;
    let (old, new) = (Whole::open(&options.old)?, Whole::open(&options.new)?);
    let bar = bar("diff", 1);
    let read_twice = options.read_twice || new.may_be_written();
    let effort = options.effort.into();
    let asked = steadfast_delta::Options { effort, summed: true, read_twice };
    let length = steadfast_delta::diff_observed(&old, &new, asked, &mut output, &|done, of| {
        // A hidden bar would still ask for the time and estimate the rest.
        if !bar.is_hidden() {
            bar.set_length(of);
            bar.set_position(done);
        }
    });
    bar.finish_and_clear();
    // First, because a file that was cut off also makes the writing fail.
    old.assert_unchanged()?;
    new.assert_unchanged()?;
    if length.as_ref().is_err_and(is_new_changed) {
        return Err(new.read_differently());
    }
    if read_twice {
        new.assert_reads_same()?;
    }
    let length = length.map_err(|error| Failure::io("the patch is not complete", &error))?;
    output.finish()?;
    if options.json {
        say(json!({
            "old_length": old.len(),
            "new_length": new.len(),
            "patch_length": length,
            "seconds": start.elapsed().as_secs_f64(),
        }));
    }
    Ok(())
}

/// Whether the engine saw that NEW read differently the second time.
fn is_new_changed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|it| it.is::<NewChanged>())
}
