//! All of an input as one slice.

use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use nix::libc;

use steadfast_output::standard_input;

use crate::failure::Failure;
use crate::mapped::Mapped;
use crate::names::{is_standard, shown};
use crate::source::{Source, read_whole};

/// All of an input, mapped if it can be and else read into memory.
pub(crate) struct Whole {
    bytes: Bytes,
    /// None of standard input.
    source: Option<Arc<Source>>,
}

enum Bytes {
    Mapped(Mapped),
    /// Pipes, what is empty, and what the file system does not map.
    Read(Vec<u8>),
}

impl Whole {
    /// Maps an input, or reads what cannot be mapped; `-` is standard input.
    pub(crate) fn open(path: &Path) -> Result<Whole, Failure> {
        let opened = if is_standard(path) { Whole::standard() } else { Whole::try_open(path) };
        opened.map_err(|error| Failure::io(format!("cannot read {}", shown(path)), &error))
    }

    fn standard() -> io::Result<Whole> {
        Ok(Whole { bytes: Bytes::Read(read_whole(standard_input()?)?), source: None })
    }

    /// Maps a file, or reads one that cannot be mapped.
    pub(crate) fn try_open(path: &Path) -> io::Result<Whole> {
        let source = Source::open(path)?;
        let length = source.length()?.unwrap_or(0);
        let bytes = match map(&source, length)? {
            Some(mapped) => Bytes::Mapped(mapped),
            None => Bytes::Read(read_whole(source.file())?),
        };
        Ok(Whole { bytes, source: Some(Arc::new(source)) })
    }

    /// The same file with other bytes in some places, at the cost of their pages. `None` if it is not
    /// mapped.
    pub(crate) fn overwritten<'a>(
        &self,
        places: impl Iterator<Item = (usize, &'a [u8])>,
    ) -> Option<io::Result<Whole>> {
        let (Bytes::Mapped(mapped), Some(source)) = (&self.bytes, &self.source) else {
            return None;
        };
        let version = mapped.overwritten(source.file(), places);
        let source = Some(Arc::clone(source));
        Some(version.map(|mapped| Whole { bytes: Bytes::Mapped(mapped), source }))
    }

    /// Whether a change of the bytes may go unnoticed, unless all of them are looked at twice.
    pub(crate) fn may_be_written(&self) -> bool {
        self.source.as_ref().is_some_and(|it| it.may_be_written())
    }

    /// Fails if the input changed or could not be read, so that nothing that was made of it counts.
    pub(crate) fn assert_unchanged(&self) -> Result<(), Failure> {
        let Some(source) = &self.source else { return Ok(()) };
        match &self.bytes {
            Bytes::Mapped(mapped) => match mapped.fault() {
                Some(at) => Err(source.explain_fault(at)),
                None => source.assert_unchanged(),
            },
            Bytes::Read(_) => source.assert_unchanged(),
        }
    }

    /// Fails if the input no longer holds what was read into memory. A mapped input without
    /// copies is not compared: a caller that reads its bytes twice sees the change itself.
    pub(crate) fn assert_reads_same(&self) -> Result<(), Failure> {
        match (&self.bytes, &self.source) {
            (Bytes::Read(bytes), Some(source)) => source.assert_reads_as(bytes),
            (Bytes::Mapped(mapped), Some(source)) if mapped.has_copies() => {
                source.assert_reads_as(mapped)
            }
            _ => Ok(()),
        }
    }

    /// Two readings of the bytes differ.
    pub(crate) fn read_differently(&self) -> Failure {
        match &self.source {
            Some(source) => source.read_differently(),
            None => unreachable!("bytes in memory stay as they are"),
        }
    }
}

/// Maps a source, unless it is empty or its file system does not map it.
fn map(source: &Source, length: u64) -> io::Result<Option<Mapped>> {
    if length == 0 {
        return Ok(None);
    }
    let failed = |error: io::Error| {
        let what = format!("cannot map its {length} bytes: {error}");
        io::Error::new(error.kind(), what)
    };
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    match Mapped::new(source.file(), length) {
        Ok(mapped) => Ok(Some(mapped)),
        Err(error) if is_short_of_room(&error) => Err(failed(error)),
        Err(error) if error.raw_os_error().is_some() => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Whether the process or the system has run out of a resource: then reading into memory instead would
/// fail, too.
pub(crate) fn is_short_of_room(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::OutOfMemory
        || [libc::ENOMEM, libc::EMFILE, libc::ENFILE].into_iter().any(|it| code == Some(it))
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

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
