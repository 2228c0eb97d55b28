//! `steadfast delta manifest`.

use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use steadfast_delta::manifest::{self, Manifest};
use steadfast_output::{say, standard_input};

use super::output::{Output, is_standard_output, refuse_closed_output, refuse_to_replace};
use super::progress::bar;
use crate::failure::Failure;
use crate::names::{is_standard, shown};
use crate::source::Source;

/// Print the hash of a file's manifest, and its length and parts.
#[derive(Args)]
pub(crate) struct Options {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// Where the manifest itself goes; `-` is standard output.
    #[arg(short, long, value_name = "MANIFEST")]
    output: Option<PathBuf>,
    /// How far down the manifest goes.
    #[arg(long, value_enum, default_value_t = Depth::Grains)]
    depth: Depth,
    /// Read FILE a second time, and fail if it reads differently. The default if a process has
    /// FILE open for writing, and for a device.
    #[arg(long)]
    read_twice: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Depth {
    /// To the chunks of 16 to 64 KiB.
    Chunks,
    /// To the grains of about 256 bytes, for small deltas against the file.
    Grains,
}

impl From<Depth> for manifest::Depth {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Chunks => Self::Chunks,
            Depth::Grains => Self::Grains,
        }
    }
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let to_standard = options.output.as_deref().is_some_and(is_standard_output);
    if options.json && to_standard {
        return Err(Failure::usage("standard output cannot take both the manifest and --json"));
    }
    if let Some(path) = &options.output {
        refuse_to_replace("FILE", &options.file, path)?;
    }
    // First, because reading takes long.
    if options.output.is_none() || options.json {
        refuse_closed_output()?;
    }
    let output = options.output.as_deref().map(Output::create).transpose()?;
    let manifest = read(options)?;
    if let Some(output) = output {
        write(output, &manifest)?;
    }
    if options.json {
        say(as_json(&manifest));
    } else if !to_standard {
        tell(&manifest);
    }
    Ok(())
}

/// Makes the manifest of an input. Of a file that may be written meanwhile, it is made twice.
fn read(options: &Options) -> Result<Manifest, Failure> {
    let path = &options.file;
    let depth = options.depth.into();
    let cannot = |error| Failure::io(format!("cannot read {}", shown(path)), &error);
    if is_standard(path) {
        return standard_input().and_then(|it| build(it, 0, depth)).map_err(cannot);
    }
    let source = Source::open(path)
        .map_err(|error| Failure::io(format!("cannot open {}", shown(path)), &error))?;
    let length = source.length().map_err(cannot)?;
    let make = || build(source.file(), length.unwrap_or(0), depth).map_err(cannot);
    let manifest = make()?;
    // What has no places, such as a pipe, is not there a second time.
    if length.is_some() && (options.read_twice || source.may_be_written()) {
        source.file().rewind().map_err(cannot)?;
        if make()?.root() != manifest.root() {
            return Err(source.read_differently());
        }
    }
    source.assert_unchanged()?;
    Ok(manifest)
}

/// Makes a manifest and shows how far it is.
fn build(input: impl Read, length: u64, depth: manifest::Depth) -> io::Result<Manifest> {
    let bar = bar("manifest", length);
    let manifest = Manifest::read(bar.wrap_read(input), depth)?;
    bar.finish_and_clear();
    Ok(manifest)
}

fn write(mut output: Output, manifest: &Manifest) -> Result<(), Failure> {
    let written = output.write_all(&manifest.to_bytes());
    written.map_err(|error| Failure::io("the manifest is not complete", &error))?;
    output.finish()
}

/// How many chunks and grains there are.
fn counts(manifest: &Manifest) -> (usize, usize) {
    let chunks = manifest.chunks().count();
    (chunks, manifest.chunks().map(|(_, chunk)| chunk.grains().len()).sum())
}

fn as_json(manifest: &Manifest) -> Value {
    let (chunks, grains) = counts(manifest);
    json!({
        "root": manifest.root().to_string(),
        "length": manifest.length(),
        "sections": manifest.sections().len(),
        "chunks": chunks,
        "grains": grains,
    })
}

fn tell(manifest: &Manifest) {
    let (chunks, grains) = counts(manifest);
    say(format!("root            {}", manifest.root()));
    say(format!("length          {:>14} bytes", manifest.length()));
    say(format!("sections        {:>14}", manifest.sections().len()));
    say(format!("chunks          {chunks:>14}"));
    if manifest.depth() == manifest::Depth::Grains {
        say(format!("grains          {grains:>14}"));
    }
}
