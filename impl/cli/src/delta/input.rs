//! What a command reads: a file or standard input.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use steadfast_output::standard_input;

use crate::failure::Failure;
use crate::mapped::Mapped;

/// The name that stands for standard input and standard output.
const STANDARD: &str = "-";

/// Whether a name stands for standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// A name, as messages show it.
pub(crate) fn shown(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { steadfast_output::shown(path) }
}

/// All of an input as one slice.
pub(crate) struct Whole {
    path: PathBuf,
    bytes: Bytes,
}

enum Bytes {
    Mapped(Mapped),
    /// Standard input, pipes and what is empty cannot be mapped.
    Read(Vec<u8>),
}

impl Whole {
    /// Maps a file, or reads what cannot be mapped.
    pub(crate) fn open(path: &Path) -> Result<Whole, Failure> {
        let opened = || -> io::Result<Bytes> {
            let mut bytes = Vec::new();
            if is_standard(path) {
                standard_input()?.read_to_end(&mut bytes)?;
                return Ok(Bytes::Read(bytes));
            }
            let mut file = File::open(path)?;
            let metadata = file.metadata()?;
            if metadata.is_file() && metadata.len() > 0 {
                return Mapped::new(file).map(Bytes::Mapped);
            }
            file.read_to_end(&mut bytes)?;
            Ok(Bytes::Read(bytes))
        };
        let cannot = |error| Failure::io(format!("cannot read {}", shown(path)), &error);
        Ok(Whole { path: path.to_owned(), bytes: opened().map_err(cannot)? })
    }

    /// Fails if the input changed while it was read, so that nothing that was made of it counts.
    pub(crate) fn assert_unchanged(&self) -> Result<(), Failure> {
        let Bytes::Mapped(mapped) = &self.bytes else { return Ok(()) };
        let path = shown(&self.path);
        match mapped.unchanged() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::changed(path)),
            Err(error) => Err(Failure::io(format!("cannot look at {path}"), &error)),
        }
    }
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(mapped) => mapped,
            Bytes::Read(bytes) => bytes,
        }
    }
}

/// An input that is read once, front to back.
pub(crate) fn reader(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if is_standard(path) {
        let cannot = |error| Failure::io("cannot read standard input", &error);
        return Ok(Box::new(standard_input().map_err(cannot)?));
    }
    match File::open(path) {
        Ok(file) => Ok(Box::new(BufReader::new(file))),
        Err(error) => Err(Failure::io(format!("cannot open {}", shown(path)), &error)),
    }
}
