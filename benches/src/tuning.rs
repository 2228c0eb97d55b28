//! `tuning`: how patches and times change when one constant of the delta engine is halved or doubled.
//!
//! Each constant of the engine has a row in `impl/delta/TUNING.md`, with its value, its unit and its basis. The
//! rows of measured ones are written here. A copy of the engine, in which these constants can be changed, is
//! compiled once and run for each value; a constant that the compiler has to know is compiled for each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use steadfast_output::warn;
use thiserror::Error;

mod change;
mod constant;
mod constant_uses;
mod corpus;
mod engine;
mod rewriting;
mod sources;
mod table;
mod tokens;

use change::{Change, Figures, leave_out_noise, phases_of};
use constant::Key;
use engine::Engine;
use sources::Sources;
use table::Table;

/// The constants to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Measures the constants whose path contains one of these words, such as diff::fill; all, if none is given.
    words: Vec<String>,
    /// Measures no constant that has figures already: goes on after an interruption.
    #[arg(long)]
    missing: bool,
}

/// Why nothing was measured.
#[derive(Debug, Error)]
enum TuningError {
    #[error("cannot read or write: {0}")]
    Io(#[from] io::Error),
    #[error("cannot take {0} apart: {1}")]
    Source(PathBuf, &'static str),
    #[error("the copy of the engine does not compile:\n{0}")]
    Build(String),
    #[error("the copy of the engine does not run unchanged: {0}")]
    Run(String),
    #[error("{0} lacks a row for: {1}; a row was added, its unit and basis are to be written")]
    Rows(PathBuf, String),
    #[error("no measured constant has a path with one of these words: {0}")]
    NoConstant(String),
}

/// Runs with other values between two runs with all values as they are.
const RUNS_PER_BASE: usize = 6;

/// Measures, and writes the table. 0: written; 2: no such constant; 4: input or output.
pub fn run(options: &Options) -> ExitCode {
    match measure(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warn(format_args!("tuning: {error}"));
            ExitCode::from(if matches!(error, TuningError::NoConstant(_)) { 2 } else { 4 })
        }
    }
}

fn measure(options: &Options) -> Result<(), TuningError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let sources = Sources::read(&root.join("impl/delta/src"))?;
    let file = root.join("impl/delta/TUNING.md");
    let mut table = Table::parse(&fs::read_to_string(&file).unwrap_or_default());
    let added = table.update(&sources.constants);
    fs::write(&file, table.to_string())?;
    if !added.is_empty() {
        return Err(TuningError::Rows(file, added.join(", ")));
    }
    let measured = table.measured();
    let is_asked = |key: &&Key| {
        let is_named = |it: &String| key.contains(it.as_str());
        (options.words.is_empty() || options.words.iter().any(is_named))
            && !(options.missing && table.has_figures(key))
    };
    let fixed = sources.fixed();
    // Those that have to be compiled come last: they take longest.
    let mut asked: Vec<Key> = measured.iter().filter(is_asked).cloned().collect();
    asked.sort_by_key(|it| fixed.contains(it));
    if asked.is_empty() {
        return match options.missing {
            true => Ok(()),
            false => Err(TuningError::NoConstant(options.words.join(", "))),
        };
    }
    let store = root.join("target/benches/tuning");
    corpus::make(&store.join("corpus"), &root.join("target/benches/pairs"))?;
    let changeable: BTreeSet<Key> = measured.difference(&fixed).cloned().collect();
    let compiled: Vec<_> = asked.iter().filter(|it| fixed.contains(*it)).cloned().collect();
    if !compiled.is_empty() {
        warn(format_args!("compiled for each value: {}", compiled.join(", ")));
    }
    let engine = Engine::new(&root, &store, &sources, &changeable)?;
    let mut base: Option<(Figures, &[&str])> = None;
    for (index, key) in asked.iter().enumerate() {
        let (with_bytes, phases) = phases_of(key);
        if index % RUNS_PER_BASE == 0 || base.as_ref().is_none_or(|it| it.1 != phases) {
            base = Some((engine.run_unchanged(phases)?, phases));
        }
        let Some((base, _)) = &base else { continue };
        warn(format_args!("{} of {}: {key}", index + 1, asked.len()));
        let found = engine.run(&sources, key, phases)?;
        let mut changes = found.map(|it| it.map(|it| Change::new(with_bytes, base, &it)));
        leave_out_noise(&mut changes);
        table.set(key, &changes);
        fs::write(&file, table.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A constant without a row has no provenance, and one with another value has that of the old value.
    #[test]
    fn the_table_has_a_row_for_every_constant_with_its_value() {
        let delta = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impl/delta");
        let text = fs::read_to_string(delta.join("TUNING.md")).expect("the table");
        let sources = Sources::read(&delta.join("src")).expect("sources");
        let mut table = Table::parse(&text);
        assert!(sources.constants.len() > 200, "{} constants", sources.constants.len());
        assert_eq!(table.update(&sources.constants), [""; 0], "constants without a row");
        assert_eq!(table.incomplete(), [""; 0], "rows without a unit, a basis or figures");
        let help = "run `cargo run --release -p steadfast-benches --bin tuning -- CONSTANT`";
        assert_eq!(table.to_string(), text, "a constant changed or is gone: {help}");
    }
}
