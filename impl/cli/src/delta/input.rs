//! What a command reads: a file or standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use steadfast_delta::OldContent;
use steadfast_output::standard_input;

use crate::failure::Failure;
use crate::names::{is_standard, shown};
use crate::source::{length_in_place, read_whole};

/// An old version, read where a patch says: a file or a block device in its place, anything else
/// from memory.
pub(crate) enum OldVersion {
    InPlace { file: File, length: u64 },
    Read(Vec<u8>),
}

impl OldVersion {
    /// Opens a file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<OldVersion, Failure> {
        let cannot = |error| Failure::io(format!("cannot read {}", shown(path)), &error);
        if is_standard(path) {
            return standard_input().and_then(read_whole).map(OldVersion::Read).map_err(cannot);
        }
        let file = File::open(path);
        let file =
            file.map_err(|error| Failure::io(format!("cannot open {}", shown(path)), &error))?;
        OldVersion::of(file).map_err(cannot)
    }

    fn of(file: File) -> io::Result<OldVersion> {
        match length_in_place(&file)? {
            Some(length) if length > 0 && ends_at(&file, length)? => {
                Ok(OldVersion::InPlace { file, length })
            }
            _ => read_whole(&file).map(OldVersion::Read),
        }
    }
}

/// Whether a file ends where it says. Files that the system makes up while they are read do not:
/// sysfs calls each a page long.
fn ends_at(file: &File, length: u64) -> io::Result<bool> {
    let has = |at| loop {
        match file.read_at(&mut [0], at) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break Ok::<bool, io::Error>(read? == 1),
        }
    };
    Ok(has(length - 1)? && !has(length)?)
}

impl OldContent for OldVersion {
    fn length(&self) -> io::Result<u64> {
        match self {
            OldVersion::InPlace { length, .. } => Ok(*length),
            OldVersion::Read(bytes) => Ok(bytes.len() as u64),
        }
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            OldVersion::InPlace { file, .. } => OldContent::read_exact_at(file, bytes, offset),
            OldVersion::Read(old) => old.read_exact_at(bytes, offset),
        }
        .map_err(cut_off)
    }
}

/// The error of an old version that ends before its length, in words.
pub(super) fn cut_off(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::UnexpectedEof => {
            io::Error::other("the old version was cut off while it was read")
        }
        _ => error,
    }
}

/// An input that is read once, front to back.
pub(crate) fn reader(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if is_standard(path) {
        let cannot = |error| Failure::io("cannot read standard input", &error);
        return Ok(Box::new(standard_input().map_err(cannot)?));
    }
    let cannot = |what| move |error| Failure::io(format!("cannot {what} {}", shown(path)), &error);
    let mut file = BufReader::new(File::open(path).map_err(cannot("open"))?);
    match file.fill_buf() {
        // A directory is opened like a file. Here the error names it; later it would name the work.
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(cannot("read")(error)),
        _ => Ok(Box::new(file)),
    }
}
