//! Which peer is measured on which input, one process each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use steadfast_output::{say, warn};
use thiserror::Error;

use super::executable::is_executable;
use super::inputs::{INPUTS, Input, InputError};
use super::pair::PairFiles;
use super::peer_error::PeerError;
use super::peers::{PEERS, Peer};
use super::row::{Row, Setting};
use super::rows_file::{RowsError, RowsFile};
use super::{Options, peers, report, targets};
use crate::target::exit_code;

/// Why nothing was measured.
#[derive(Debug, Error)]
pub(super) enum SuiteError {
    #[error("there is no input {0:?}: valid inputs: A to M, where I is all pairs; {1}")]
    NoInput(String, String),
    #[error("there is no peer {0:?}: there are {1}")]
    NoPeer(String, String),
    #[error("cannot make input {0}")]
    Input(&'static str, #[source] InputError),
    #[error("cannot read {file}: {error}; {help}")]
    Version { file: String, error: io::Error, help: &'static str },
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    #[error("cannot print JSON")]
    Json(#[from] serde_json::Error),
    #[error("cannot measure {peer} on {input}")]
    Peer {
        peer: String,
        input: String,
        #[source]
        error: PeerError,
    },
}

impl SuiteError {
    pub(super) fn code(&self) -> u8 {
        match self {
            SuiteError::NoInput(..)
            | SuiteError::NoPeer(..)
            | SuiteError::Rows(RowsError::OtherRun { .. }) => 2,
            _ => 4,
        }
    }
}

/// An error and what caused it, in one line.
pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// Measures the inputs, peers and settings of the options and prints the rows. Answers the exit code.
pub(super) fn run(options: &Options) -> Result<u8, SuiteError> {
    let peers = chosen_peers(options)?;
    let mut rows = RowsFile::open(options)?;
    let pairs = fetched_pairs(&store().join("pairs"))?;
    let inputs = chosen_inputs(options, &store(), &pairs)?;
    for (name, folder) in inputs {
        if rows.has(&name) {
            warn(format_args!("{name}: measured before"));
        } else {
            rows.add(measure_input(options, &peers, &name, &folder)?)?;
        }
    }
    let rows = rows.into_rows();
    let targets = targets::judge(&rows, &executables(&pairs));
    report::print(options.json, &rows, &targets)?;
    Ok(exit_code(targets.iter().map(|it| it.met)))
}

/// Measures one peer on one input in this process and prints the row as JSON.
pub(super) fn measure_one(
    name: &str,
    folder: &Path,
    setting: Setting,
    peer: &str,
) -> Result<(), SuiteError> {
    let found = PEERS.iter().find(|it| it.name == peer && it.settings.contains(&setting));
    let found = found.ok_or_else(|| no_peer(peer))?;
    let pair = PairFiles::in_folder(name, folder)?;
    let row = found.measure(&pair, setting).map_err(|error| SuiteError::Peer {
        peer: peer.to_owned(),
        input: name.to_owned(),
        error,
    })?;
    say(serde_json::to_string(&row)?);
    Ok(())
}

/// Writes our patch of an input to a file.
pub(super) fn write_patch(folder: &Path, file: &Path) -> Result<(), SuiteError> {
    peers::steadfast::write_patch(folder, file).map_err(|error| SuiteError::Peer {
        peer: "steadfast".to_owned(),
        input: folder.display().to_string(),
        error,
    })
}

fn is_asked(options: &Options, peer: &Peer, input: &str, setting: Setting) -> bool {
    peer.settings.contains(&setting)
        && (options.settings.is_empty() || options.settings.contains(&setting))
        && (peer.only.is_empty() || peer.only.contains(&input))
        && (!peer.is_slow || input.starts_with(PAIR_PREFIX))
}

fn measure_input(
    options: &Options,
    peers: &[&Peer],
    name: &str,
    folder: &Path,
) -> Result<Vec<Row>, SuiteError> {
    let mut rows = Vec::new();
    for setting in Setting::ALL {
        for peer in peers {
            if is_asked(options, peer, name, setting) {
                rows.extend(measure_in_child(name, folder, setting, peer)?);
            }
        }
    }
    Ok(rows)
}

/// A failure of one peer is said and leaves its row out; the others are still measured.
fn measure_in_child(
    name: &str,
    folder: &Path,
    setting: Setting,
    peer: &Peer,
) -> Result<Option<Row>, SuiteError> {
    warn(format_args!("{name}, {}: {}", setting.name(), peer.name));
    let output = Command::new(env::current_exe()?)
        .args(["delta", "measure", name])
        .arg(folder)
        .args([setting.name(), peer.name])
        .stderr(Stdio::inherit())
        .output()?;
    Ok(if output.status.success() { Some(serde_json::from_slice(&output.stdout)?) } else { None })
}

const PAIR_PREFIX: &str = "I/";

/// Where inputs are kept.
fn store() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/benches")
}

/// A folder that holds two versions, by the name of the input.
type Named = (String, PathBuf);

/// The names of the pairs that are executables. Those that cannot be read were not asked for.
fn executables(pairs: &[Named]) -> Vec<String> {
    let is_one = |folder: &Path| is_executable(&folder.join("new")).unwrap_or(false);
    pairs.iter().filter(|(_, folder)| is_one(folder)).map(|(name, _)| name.clone()).collect()
}

/// The inputs that are asked for. Both versions of each are there and can be read.
fn chosen_inputs(
    options: &Options,
    store: &Path,
    pairs: &[Named],
) -> Result<Vec<Named>, SuiteError> {
    if pairs.is_empty() {
        warn("no real pairs: `benches/fetch-pairs` fetches them");
    }
    let names = chosen_names(options, pairs);
    let pair_of = |name: &String| pairs.iter().find(|(pair, _)| pair == name);
    // Before inputs are made, which takes minutes.
    for name in &names {
        match pair_of(name) {
            Some((_, folder)) => assert_readable(folder, PAIR_HELP)?,
            None if Input::named(name).is_some() => {}
            None => return Err(no_input(name, pairs)),
        }
    }
    let made = store.join(format!("inputs-{}-mib", options.mib));
    let folder_of = |name: String| match Input::named(&name) {
        Some(input) => Ok((name, make(input, &made, options.mib)?)),
        None => pair_of(&name).cloned().ok_or_else(|| no_input(&name, pairs)),
    };
    names.into_iter().map(folder_of).collect()
}

fn chosen_names(options: &Options, pairs: &[Named]) -> Vec<String> {
    let made = INPUTS.iter().map(|input| input.name.to_owned());
    let all_pairs = || pairs.iter().map(|(name, _)| name.clone());
    if options.inputs.is_empty() {
        return made.chain(all_pairs()).collect();
    }
    let asked = options.inputs.iter();
    let named = |name: &String| match name.as_str() {
        ALL_PAIRS if !pairs.is_empty() => all_pairs().collect(),
        _ => vec![name.clone()],
    };
    asked.flat_map(named).collect()
}

/// Makes an input unless it is there, and answers its folder.
fn make(input: Input, made: &Path, mib: u32) -> Result<PathBuf, SuiteError> {
    warn(format_args!("{}: {}", input.name, input.what));
    let folder = input.make_in(made, (mib as usize) << 20);
    let folder = folder.map_err(|error| SuiteError::Input(input.name, error))?;
    assert_readable(&folder, MADE_HELP)?;
    Ok(folder)
}

/// Stands for all pairs.
const ALL_PAIRS: &str = "I";
const PAIR_HELP: &str = "`benches/fetch-pairs` fetches the pairs again that lack a version";
const MADE_HELP: &str = "delete its folder and run again to make it";

/// Fails unless both versions in a folder can be read.
fn assert_readable(folder: &Path, help: &'static str) -> Result<(), SuiteError> {
    for version in ["old", "new"] {
        let path = folder.join(version);
        // Opening a pipe would wait for its other end, so only files are opened.
        let opened = match fs::metadata(&path) {
            Ok(found) if !found.is_file() => Err(io::Error::other("it is no file")),
            found => found.and_then(|_| fs::File::open(&path)),
        };
        let file = path.display().to_string();
        opened.map_err(|error| SuiteError::Version { file, error, help })?;
    }
    Ok(())
}

fn no_input(name: &str, pairs: &[Named]) -> SuiteError {
    let pairs: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    let pairs = match pairs.is_empty() {
        true => "none is here, `benches/fetch-pairs` fetches some".to_owned(),
        false => format!("here are {}", pairs.join(", ")),
    };
    SuiteError::NoInput(name.to_owned(), pairs)
}

/// All pairs, including those that lack a version, without the leftovers of an interrupted fetch.
fn fetched_pairs(folder: &Path) -> io::Result<Vec<Named>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut pairs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir()
            && path.extension().is_none_or(|it| it != "part")
            && let Some(name) = path.file_name()
        {
            pairs.push((format!("{PAIR_PREFIX}{}", name.to_string_lossy()), path));
        }
    }
    pairs.sort();
    Ok(pairs)
}

fn chosen_peers(options: &Options) -> Result<Vec<&'static Peer>, SuiteError> {
    if let Some(name) =
        options.peers.iter().find(|name| !PEERS.iter().any(|peer| peer.name == **name))
    {
        return Err(no_peer(name));
    }
    let is_chosen = |peer: &&Peer| {
        options.peers.is_empty() || options.peers.iter().any(|name| peer.name == name)
    };
    let (installed, missing): (Vec<_>, Vec<_>) =
        PEERS.iter().filter(is_chosen).partition(|peer| peer.is_installed());
    for peer in missing {
        let (name, program) = (peer.name, peer.program.unwrap_or_default());
        warn(format_args!("not measured: {name}, because {program} is not installed"));
    }
    Ok(installed)
}

fn no_peer(name: &str) -> SuiteError {
    let mut names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
    // Where one works otherwise in another setting, it is there twice.
    names.dedup();
    SuiteError::NoPeer(name.to_owned(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(store: &Path, inputs: &[&str]) -> Result<Vec<String>, String> {
        let options = Options {
            json: false,
            inputs: inputs.iter().map(|it| (*it).to_owned()).collect(),
            peers: vec![],
            settings: vec![],
            mib: 1,
            rows: None,
            one: None,
        };
        let pairs = fetched_pairs(&store.join("pairs")).expect("a folder");
        let chosen = chosen_inputs(&options, store, &pairs).map_err(|it| with_sources(&it))?;
        Ok(chosen.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn a_version_that_cannot_be_read_is_named_before_anything_is_made_or_measured() {
        let store = tempfile::tempdir().expect("a folder");
        let (store, file) = (store.path(), |name: &str| store.path().join("pairs").join(name));
        for folder in ["whole", "half", "left.part"] {
            fs::create_dir_all(file(folder)).expect("a folder");
        }
        for name in ["whole/old", "whole/new", "half/new"] {
            fs::write(file(name), name).expect("a file");
        }
        let missing = format!("cannot read {}: No such file", file("half/old").display());
        for inputs in [&["G", "I/half"][..], &["G", "I"], &[]] {
            let refused = chosen(store, inputs).expect_err("a version is missing");
            assert!(refused.starts_with(&missing) && refused.contains("fetch-pairs"), "{refused}");
        }
        assert!(!store.join("inputs-1-mib").exists());
        assert_eq!(chosen(store, &["I/whole"]), Ok(vec!["I/whole".to_owned()]));

        fs::create_dir(file("half/old")).expect("a folder");
        assert!(chosen(store, &["I"]).expect_err("no file").contains("half/old: it is no file"));
        fs::remove_dir(file("half/old")).expect("it is empty");
        fs::write(file("half/old"), "old").expect("a file");
        let all = ["G", "I/half", "I/whole"].map(str::to_owned).to_vec();
        assert_eq!(chosen(store, &["G", "I"]), Ok(all));

        fs::remove_file(store.join("inputs-1-mib/G/new")).expect("it was made");
        assert!(chosen(store, &["G"]).expect_err("it is gone").contains("delete its folder"));
    }

    #[test]
    fn an_input_that_there_is_not_is_told_which_there_are() {
        let store = tempfile::tempdir().expect("a folder");
        let refused = chosen(store.path(), &["I"]).expect_err("there are no pairs");
        assert!(refused.ends_with("`benches/fetch-pairs` fetches some"), "{refused}");
        fs::create_dir_all(store.path().join("pairs/django")).expect("a folder");
        let refused = chosen(store.path(), &["I/djngo"]).expect_err("there is no such pair");
        assert!(refused.ends_with("here are I/django"), "{refused}");
    }
}
