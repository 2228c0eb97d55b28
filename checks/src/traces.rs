//! The directory that counterexamples are written into.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use steadfast_output::exit_code::IO;
use steadfast_output::{WholeFile, shown};
use steadfast_trace::Trace;

use crate::Failure;

/// Where traces go, if they are asked for.
pub(crate) struct Traces(Option<PathBuf>);

impl Traces {
    /// Makes the directory. Before anything is searched, as what is found would be lost without it.
    pub(crate) fn into(directory: Option<&Path>) -> Result<Traces, Failure> {
        if let Some(directory) = directory {
            let made = fs::create_dir_all(directory);
            let probed = made.and_then(|()| WholeFile::create(&directory.join("trace.json")));
            probed.map_err(|error| cannot_write("traces into", directory, &error))?;
        }
        Ok(Traces(directory.map(Path::to_owned)))
    }

    /// Writes a trace under this name, and says where it is.
    pub(crate) fn save(&self, name: &str, trace: &Trace) -> Result<Option<String>, Failure> {
        let Some(directory) = &self.0 else {
            return Ok(None);
        };
        let file = directory.join(name);
        let written = WholeFile::write(&file, |out| trace.write(out));
        written.map_err(|error| cannot_write("the trace", &file, &error))?;
        Ok(Some(shown(&file)))
    }
}

fn cannot_write(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure { message: format!("cannot write {what} {}: {error}", shown(path)), code: IO }
}
