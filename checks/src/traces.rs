//! The directory that counterexamples are written into.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use steadfast_cluster::{STEPS_TOLD_MAX, tell};
use steadfast_output::exit_code::IO;
use steadfast_output::{WholeFile, shown};
use steadfast_picture::page;
use steadfast_trace::Trace;

use crate::catalog::find_variant;
use crate::failure::Failure;
use crate::show::{self, page_beside};

/// Where traces go, if they are asked for.
pub(crate) struct Traces(Option<PathBuf>);

impl Traces {
    /// Makes the directory. Callers do so before they search, because counterexamples would be lost
    /// without it.
    pub(crate) fn into(directory: Option<&Path>) -> Result<Traces, Failure> {
        if let Some(directory) = directory {
            if directory.exists() && !directory.is_dir() {
                let error = io::ErrorKind::NotADirectory.into();
                return Err(cannot_write("traces into", directory, &error));
            }
            let made = fs::create_dir_all(directory);
            let probed = made.and_then(|()| WholeFile::create(&directory.join("trace.json")));
            probed.map_err(|error| cannot_write("traces into", directory, &error))?;
        }
        Ok(Traces(directory.map(Path::to_owned)))
    }

    /// Writes a trace with the page that shows it beside it, and says where both are. The file is called
    /// `name.json`, or `name-2.json` and so on where another trace has that name.
    pub(crate) fn save(&self, name: &str, trace: &Trace) -> Result<Option<Saved>, Failure> {
        let Some(directory) = &self.0 else {
            return Ok(None);
        };
        let mut text = Vec::new();
        trace.write(&mut text).map_err(Failure::io)?;
        let file = free_name(directory, name, &text);
        let written = WholeFile::write(&file, |out| out.write_all(&text));
        written.map_err(|error| cannot_write("the trace", &file, &error))?;
        let variant = trace.variant.as_deref().and_then(|it| find_variant(it).ok());
        let place = page_beside(&file);
        show::write(&place, &page(&tell(trace, variant, STEPS_TOLD_MAX).story))?;
        Ok(Some(Saved { trace: shown(&file), page: shown(&place) }))
    }
}

/// The first name that no other content has.
fn free_name(directory: &Path, name: &str, text: &[u8]) -> PathBuf {
    let first = [String::new()].into_iter();
    let suffixes = first.chain((2_u64..).map(|it| format!("-{it}")));
    let mut names = suffixes.map(|it| directory.join(format!("{name}{it}.json")));
    let is_free = |it: &PathBuf| match fs::symlink_metadata(it) {
        // A pipe would be waited for, and a long file read in vain.
        Ok(found) if !found.is_file() || found.len() != text.len() as u64 => false,
        Ok(_) => fs::read(it).is_ok_and(|it| it == text),
        // Whether the name can be had shows when the file is written.
        Err(_) => true,
    };
    names.find(is_free).unwrap_or_else(|| directory.join(format!("{name}.json")))
}

/// Where a trace and its page are.
pub(crate) struct Saved {
    pub trace: String,
    pub page: String,
}

fn cannot_write(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure { message: format!("cannot write {what} {}: {error}", shown(path)), code: IO }
}
