//! Long contents in temporary files of our own, mapped into memory.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use memmap2::Mmap;
use steadfast_sim::Bytes;
use steadfast_sim::scenario::Scratch;

/// Keeps what is written in temporary files without names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TemporaryFiles;

impl Scratch for TemporaryFiles {
    fn keep(&self, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> io::Result<Bytes> {
        let mut out = BufWriter::with_capacity(1 << 20, tempfile::tempfile()?);
        write(&mut out)?;
        let file = out.into_inner().map_err(|error| error.into_error())?;
        map(&file)
    }
}

fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new(Vec::new()));
    }
    // SAFETY: a mapping is only sound while nobody changes or cuts the file. This one was made here,
    // has no name that anybody could open it by, and is never written to again.
    #[allow(unsafe_code)]
    let mapped = unsafe { Mmap::map(file)? };
    Ok(Bytes::new(mapped))
}
