//! Rows that outlive a run, so that an interrupted one goes on.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steadfast_output::WholeFile;

use super::Options;
use super::row::{Row, Setting};
use crate::machine::Machine;

/// Why rows cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowsError {
    #[error("cannot {what} {file}")]
    File {
        what: &'static str,
        file: String,
        #[source]
        error: io::Error,
    },
    #[error("{file} holds rows of another {what}: name another file, or delete this one")]
    OtherRun { file: String, what: &'static str },
    #[error("cannot read {0}, which is not a file of rows")]
    Format(String, #[source] serde_json::Error),
    #[error("cannot read this program, whose rows the file is to keep")]
    Program(#[source] io::Error),
}

/// The rows measured so far, input by input.
pub(super) struct RowsFile {
    /// Nowhere, unless it was asked for.
    path: Option<PathBuf>,
    kept: Kept,
}

/// The contents of the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    origin: Origin,
    rows: Vec<Row>,
}

/// What rows that are judged together must have in common.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    machine: Machine,
    /// BLAKE3 of the program that measures.
    program: String,
    mib: u32,
    /// Those asked for; all if empty.
    settings: Vec<Setting>,
    peers: Vec<String>,
}

impl RowsFile {
    /// The rows in the file that the options name; none if there is no file yet.
    ///
    /// # Errors
    /// The file cannot be read or written, or its rows cannot be judged together with those to come.
    pub(super) fn open(options: &Options) -> Result<RowsFile, RowsError> {
        let origin = Origin::of(options).map_err(RowsError::Program)?;
        let mut kept = Kept { origin, rows: Vec::new() };
        if let Some(path) = &options.rows
            && let Some(found) = read(path)?
        {
            if let Some(what) = found.origin.difference(&kept.origin) {
                return Err(RowsError::OtherRun { file: path.display().to_string(), what });
            }
            kept = found;
        }
        if let Some(path) = &options.rows {
            // What is measured would be lost without it.
            WholeFile::create(path).map_err(|error| cannot("write", path, error))?;
        }
        Ok(RowsFile { path: options.rows.clone(), kept })
    }

    /// Whether this input was measured.
    pub(super) fn has(&self, input: &str) -> bool {
        self.kept.rows.iter().any(|row| row.input == input)
    }

    /// Keeps all rows of an input.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn add(&mut self, rows: Vec<Row>) -> Result<(), RowsError> {
        self.kept.rows.extend(rows);
        if let Some(path) = &self.path {
            write(path, &self.kept)?;
        }
        Ok(())
    }

    /// All rows.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.kept.rows
    }
}

impl Origin {
    fn of(options: &Options) -> io::Result<Origin> {
        let program = match options.rows {
            Some(_) => blake3::hash(&fs::read(std::env::current_exe()?)?).to_string(),
            None => String::new(),
        };
        let (settings, peers) = (options.settings.clone(), options.peers.clone());
        Ok(Origin { machine: Machine::this(), program, mib: options.mib, settings, peers })
    }

    /// The first difference, if there is one.
    fn difference(&self, other: &Origin) -> Option<&'static str> {
        [
            (self.machine == other.machine, "machine"),
            (self.program == other.program, "build of this program"),
            (self.mib == other.mib, "size of the inputs"),
            (self.settings == other.settings, "choice of settings"),
            (self.peers == other.peers, "choice of peers"),
        ]
        .into_iter()
        .find_map(|(same, what)| (!same).then_some(what))
    }
}

fn read(path: &Path) -> Result<Option<Kept>, RowsError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", path, error)),
    };
    let kept = serde_json::from_slice(&bytes);
    kept.map(Some).map_err(|error| RowsError::Format(path.display().to_string(), error))
}

/// An interruption leaves the rows of before.
fn write(path: &Path, kept: &Kept) -> Result<(), RowsError> {
    WholeFile::write(path, |out| Ok(serde_json::to_writer_pretty(out, kept)?))
        .map_err(|error| cannot("write", path, error))
}

fn cannot(what: &'static str, path: &Path, error: io::Error) -> RowsError {
    RowsError::File { what, file: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(path: &Path) -> Options {
        Options {
            json: false,
            inputs: vec![],
            peers: vec![],
            settings: vec![],
            mib: 1,
            rows: Some(path.to_owned()),
            one: None,
        }
    }

    fn row(input: &str) -> Row {
        Row {
            input: input.to_owned(),
            setting: Setting::Local,
            peer: "steadfast".to_owned(),
            encode_mb_s: Some(1.0),
            apply_mb_s: None,
            bytes_up: 0,
            bytes_down: 1,
            peak_rss_bytes: 2,
        }
    }

    #[test]
    fn rows_are_found_again_and_others_are_not_mixed_with_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = options(&folder.path().join("rows.json"));
        let mut rows = RowsFile::open(&options).expect("no file is no error");
        rows.add(vec![row("A"), row("A")]).expect("it is written");
        rows.add(vec![row("B")]).expect("it is written");

        let again = RowsFile::open(&options).expect("the same options");
        assert!(again.has("A") && again.has("B") && !again.has("C"));
        assert_eq!(again.into_rows().len(), 3);

        let larger = Options { mib: 2, ..options };
        let refused = RowsFile::open(&larger).err();
        assert!(matches!(refused, Some(RowsError::OtherRun { what: "size of the inputs", .. })));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_before_anything_is_measured() {
        let error = RowsFile::open(&options(Path::new("/no/such/rows.json"))).err();
        let said = error.expect("there is no such folder").to_string();
        assert_eq!(said, "cannot write /no/such/rows.json");
    }
}
