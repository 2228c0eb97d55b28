//! `steadfast delta stats`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};
use steadfast_delta::{PatchError, STREAM_NAMES, Stats, stats};
use steadfast_output::say;

use super::input::reader;
use super::output::refuse_closed_output;
use crate::failure::{Failure, with_causes};
use crate::names::shown;

/// Print the parts of a patch and their sizes.
#[derive(Args)]
pub(crate) struct Options {
    /// The patch; `-` is standard input.
    patch: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    refuse_closed_output()?;
    let stats = stats(reader(&options.patch)?).map_err(|error| {
        let what = format!("cannot read {}", shown(&options.patch));
        match error {
            PatchError::Io(error) => Failure::io(what, &error),
            _ => Failure::broken(with_causes(what, &error)),
        }
    })?;
    if options.json {
        say(as_json(&stats))
    } else {
        tell(&stats)
    }
    Ok(())
}

fn as_json(stats: &Stats) -> Value {
    let streams = STREAM_NAMES.iter().zip(stats.streams).map(|(name, stream)| {
        let bytes = json!({ "unpacked": stream.unpacked, "packed": stream.packed });
        (name.replace(' ', "_"), bytes)
    });
    json!({
        "patch_length": stats.patch_length,
        "old_length": stats.old_length,
        "new_length": stats.new_length,
        "frames": stats.frames,
        "operations": stats.operations,
        "copies": stats.copies,
        "copied": stats.copied,
        "repeated": stats.repeated,
        "changed": stats.changed,
        "literals": stats.literals,
        "summed": stats.summed,
        "in_place": stats.in_place,
        "streams": streams.collect::<Map<_, _>>(),
    })
}

fn tell(stats: &Stats) {
    let flag = |it| if it { "yes" } else { "no" };
    say(format!("patch           {:>14} bytes", stats.patch_length));
    say(format!("old             {:>14} bytes", stats.old_length));
    say(format!("new             {:>14} bytes", stats.new_length));
    say(format!("  copied        {:>14} bytes in {} copies", stats.copied, stats.copies));
    say(format!("    changed     {:>14} bytes of them", stats.changed));
    say(format!("  repeated      {:>14} bytes of literals that came before", stats.repeated));
    say(format!("  literals      {:>14} bytes", stats.literals));
    say(format!("frames          {:>14}", stats.frames));
    say(format!("operations      {:>14}", stats.operations));
    say(format!("summed          {:>14}", flag(stats.summed)));
    say(format!("in place        {:>14}", flag(stats.in_place)));
    say("stream                unpacked         packed");
    for (name, stream) in STREAM_NAMES.iter().zip(stats.streams) {
        say(format!("  {name:<15} {:>12} {:>14}", stream.unpacked, stream.packed));
    }
}
