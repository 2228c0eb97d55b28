//! Where the records of a log go, and in which form.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use serde::Serialize;
use steadfast_output::{StandardOutput, sync_directory_of, sync_file};
use steadfast_wal::{LogIndex, Record};

use super::{hex, json_line, unwritten};
use crate::failure::Failure;
use crate::names::shown;

/// The bytes that separate records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Frame {
    /// Nothing: the bytes of the records, one after the other.
    None,
    /// A newline after each record.
    Newline,
    /// Before each record its length in bytes, 4 bytes with the least first.
    Length,
    /// Before each record its number, 8 bytes, and its length, 4 bytes, each with the least first.
    Numbered,
}

/// The form of records on standard output.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Bytes(Frame),
    /// JSON, with the bytes in hex or in base64.
    Json {
        is_base64: bool,
    },
}

/// A place for records.
pub(super) enum Sink {
    Standard(BufWriter<StandardOutput>, Form),
    Files(Files),
}

impl Sink {
    /// Standard output.
    pub(super) fn standard(form: Form) -> Result<Sink, Failure> {
        let out = StandardOutput::for_data().map_err(unwritten)?;
        Ok(Sink::Standard(BufWriter::new(out), form))
    }

    pub(super) fn write(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        match self {
            Sink::Standard(out, form) => form.write(record, out).map_err(unwritten),
            Sink::Files(files) => files.write(record),
        }
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Sink::Standard(mut out, _) => out.flush().map_err(unwritten),
            Sink::Files(files) => files.finish(),
        }
    }
}

/// A record as a line of JSON.
#[derive(Serialize)]
struct Line {
    index: u64,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Form {
    fn write(self, record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
        match self {
            Form::Bytes(frame) => frame.write(record, out),
            Form::Json { is_base64 } => {
                let (index, payload) = (record.index.0, record.payload);
                let base64 = is_base64.then(|| STANDARD.encode(payload));
                let hex = (!is_base64).then(|| hex(payload));
                json_line(out, &Line { index, bytes: payload.len(), hex, base64 })
            }
        }
    }
}

impl Frame {
    fn write(self, record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
        if self == Frame::Numbered {
            out.write_all(&record.index.0.to_le_bytes())?;
        }
        if matches!(self, Frame::Length | Frame::Numbered) {
            // A batch, and so a record, is shorter than 64 MiB.
            let length = u32::try_from(record.payload.len()).unwrap_or(u32::MAX);
            out.write_all(&length.to_le_bytes())?;
        }
        out.write_all(record.payload)?;
        if self == Frame::Newline { out.write_all(b"\n") } else { Ok(()) }
    }
}

/// A directory with a file for each record.
pub(super) struct Files {
    directory: PathBuf,
    is_made: bool,
}

/// The files of records may be private, as those of a log are, so only their owner may read them.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

impl Files {
    /// Refuses a directory with files in it. One that does not exist is made with the first record.
    pub(super) fn begin(directory: &Path) -> Result<Files, Failure> {
        let is_made = match fs::read_dir(directory).map(|mut it| it.next().is_none()) {
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(cannot("list", directory, &error)),
            Ok(true) => true,
            Ok(false) => {
                let error = ErrorKind::DirectoryNotEmpty.into();
                return Err(cannot("write to", directory, &error)
                    .help("name a directory that does not exist yet"));
            }
        };
        Ok(Files { directory: directory.to_owned(), is_made })
    }

    fn make(&mut self) -> Result<(), Failure> {
        if !self.is_made {
            DirBuilder::new()
                .mode(DIRECTORY_MODE)
                .create(&self.directory)
                .map_err(|error| cannot("create", &self.directory, &error))?;
            self.is_made = true;
        }
        Ok(())
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        self.make()?;
        let path = self.directory.join(file_name(record.index));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let mut file = options.open(&path).map_err(|error| cannot("create", &path, &error))?;
        let written = file.write_all(record.payload).and_then(|()| sync_file(&file, &path));
        written.map_err(|error| {
            // No file holds a part of a record.
            let _ = fs::remove_file(&path);
            cannot("write", &path, &error)
        })
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.make()?;
        sync_directory_of(&self.directory.join(file_name(LogIndex(0))))
            .and_then(|()| sync_directory_of(&self.directory))
            .map_err(|error| cannot("sync", &self.directory, &error))
    }
}

/// The name of a record's file: the names have the order of the records.
fn file_name(index: LogIndex) -> String {
    format!("record-{:020}", index.0)
}

fn cannot(call: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::io(format!("cannot {call} {}", shown(path)), error)
}
