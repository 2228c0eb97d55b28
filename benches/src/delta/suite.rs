//! Which peer is measured on which input, one process each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use thiserror::Error;

use super::executable::is_executable;
use super::inputs::{INPUTS, Input, InputError};
use super::peers::{PEERS, PairFiles, Peer, PeerError};
use super::row::{Row, Setting};
use super::rows_file::RowsFile;
use super::{Options, peers, report, targets};
use crate::target::exit_code;

/// Why nothing was measured.
#[derive(Debug, Error)]
pub(super) enum SuiteError {
    #[error("there is no input {0:?}: there are A to M and the fetched pairs ({1})")]
    NoInput(String, String),
    #[error("there is no peer {0:?}: there are {1}")]
    NoPeer(String, String),
    #[error("cannot make input {0}")]
    Input(&'static str, #[source] InputError),
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    #[error("{file} holds rows of another {what}: name another file, or delete this one")]
    OtherRows { file: String, what: &'static str },
    #[error("cannot read {0}, which is not a file of rows")]
    NoRows(String, #[source] serde_json::Error),
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
            SuiteError::NoInput(..) | SuiteError::NoPeer(..) | SuiteError::OtherRows { .. } => 2,
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

/// Measures what the options ask for and prints it. Answers the exit code.
pub(super) fn run(options: &Options) -> Result<u8, SuiteError> {
    let peers = chosen_peers(options)?;
    let mut rows = RowsFile::open(options)?;
    for (name, folder) in chosen_inputs(options)? {
        if rows.has(&name) {
            eprintln!("{name}: measured before");
        } else {
            rows.add(measure_input(options, &peers, &name, &folder)?)?;
        }
    }
    let rows = rows.into_rows();
    let targets = targets::judge(&rows, &executables()?);
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
    println!("{}", serde_json::to_string(&row)?);
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
    eprintln!("{name}, {}: {}", setting.name(), peer.name);
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

/// The names of the pairs that are executables.
fn executables() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for (name, folder) in fetched_pairs(&store().join("pairs"))? {
        if is_executable(&folder.join("new"))? {
            names.push(name);
        }
    }
    Ok(names)
}

/// The names of the inputs, and the folders that hold their versions.
fn chosen_inputs(options: &Options) -> Result<Vec<(String, PathBuf)>, SuiteError> {
    let store = store();
    let pairs = fetched_pairs(&store.join("pairs"))?;
    if pairs.is_empty() {
        eprintln!("no real pairs: `benches/fetch-pairs` fetches them");
    }
    let names: Vec<String> = if options.inputs.is_empty() {
        let made = INPUTS.iter().map(|input| input.name.to_owned());
        made.chain(pairs.iter().map(|(name, _)| name.clone())).collect()
    } else {
        options.inputs.clone()
    };
    let made = store.join(format!("inputs-{}-mib", options.mib));
    let find = |name: String| {
        if let Some(input) = Input::named(&name) {
            eprintln!("{}: {}", input.name, input.what);
            let folder = input
                .make_in(&made, options.mib << 20)
                .map_err(|error| SuiteError::Input(input.name, error))?;
            return Ok((name, folder));
        }
        let pair = pairs.iter().find(|(pair, _)| *pair == name).cloned();
        pair.ok_or_else(|| {
            let pairs: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
            SuiteError::NoInput(name, pairs.join(", "))
        })
    };
    names.into_iter().map(find).collect()
}

fn fetched_pairs(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut pairs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.join("new").exists()
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
        eprintln!("not measured: {name}, because {program} is not installed");
    }
    Ok(installed)
}

fn no_peer(name: &str) -> SuiteError {
    let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
    SuiteError::NoPeer(name.to_owned(), names.join(", "))
}
