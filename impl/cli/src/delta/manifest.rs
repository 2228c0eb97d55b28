//! `steadfast delta manifest`.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use steadfast_delta::manifest::{self, Manifest, ManifestBuilder};
use steadfast_output::say;

use super::input::{is_standard, reader, shown};
use super::output::{Output, is_standard_output, refuse_to_replace};
use super::progress::bar;
use crate::failure::Failure;

/// Tell a file's name and what it consists of.
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
    /// Say it as JSON.
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
    let output = options.output.as_deref().map(Output::create).transpose()?;
    let manifest = read(&options.file, options.depth.into())?;
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

/// Makes the manifest of an input piece by piece, so that memory is bounded by the manifest.
fn read(path: &Path, depth: manifest::Depth) -> Result<Manifest, Failure> {
    const PIECE: usize = 1 << 20;
    let cannot = |error| Failure::io(format!("cannot read {}", shown(path)), &error);
    let length = if is_standard(path) { 0 } else { std::fs::metadata(path).map_err(cannot)?.len() };
    let mut input = reader(path)?;
    let mut builder = ManifestBuilder::new(depth);
    let mut piece = vec![0; PIECE];
    let bar = bar("manifest", length);
    loop {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                builder.update(&piece[..read]);
                bar.inc(read as u64);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot(error)),
        }
    }
    bar.finish_and_clear();
    Ok(builder.finish())
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
