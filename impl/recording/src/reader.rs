//! Reading a recording.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::files::{list, path_of};
use crate::format::{
    FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FileNumber, FrameHead, HEADER_BYTES, chain_behind, header,
    version_of,
};
use crate::{Frame, ReadError, Start, VERSION};

/// Reads the frames of a recording in order. A start that was killed ends without [`Frame::End`].
#[derive(Debug)]
pub struct Reader {
    directory: PathBuf,
    files: std::vec::IntoIter<FileNumber>,
    current: Option<FileReader<BufReader<File>>>,
    /// The last file that was read to its end, with its chain, and whether a frame was cut there.
    last: Option<(FileNumber, u64, Option<u64>)>,
}

impl Reader {
    /// Opens the recording in a directory.
    ///
    /// # Errors
    /// The directory cannot be read, or a file of the recording is missing.
    pub fn open(directory: &Path) -> Result<Reader, ReadError> {
        let files = list(directory)?;
        if files.is_empty() {
            return Err(ReadError::Empty(directory.to_owned()));
        }
        let (directory, files) = (directory.to_owned(), files.into_iter());
        Ok(Reader { directory, files, current: None, last: None })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// A file cannot be read, or is damaged.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'static>>, ReadError> {
        loop {
            if let Some(file) = &mut self.current {
                if let Some(frame) = file.next()? {
                    return Ok(Some(frame));
                }
                self.last = Some((file.number, file.chain, file.cut));
                self.current = None;
            }
            let Some(number) = self.files.next() else { return Ok(None) };
            let path = path_of(&self.directory, number);
            let chain_before = self.chain_before(number)?;
            let failed = |source| ReadError::Io { path: path.clone(), source };
            let file = BufReader::new(File::open(&path).map_err(failed)?);
            self.current = Some(FileReader::new(path, file, number, chain_before));
        }
    }

    /// The chain behind which a file goes on. A file within a start must have been read to its end.
    fn chain_before(&self, number: FileNumber) -> Result<u64, ReadError> {
        match self.last {
            Some((last, chain, cut)) if last.start == number.start => match cut {
                None => Ok(chain),
                Some(offset) => Err(ReadError::Damaged {
                    path: path_of(&self.directory, last),
                    offset,
                    why: "the file is cut, and another one goes on behind it".to_owned(),
                }),
            },
            _ => Ok(0),
        }
    }
}

/// The first frame of each start of the recording in a directory. Starts that are damaged there are left out.
///
/// # Errors
/// The directory or a file in it cannot be read.
pub fn starts(directory: &Path) -> Result<Vec<Start>, ReadError> {
    let mut starts = Vec::new();
    for number in list(directory)?.into_iter().filter(|it| it.part == 1) {
        let path = path_of(directory, number);
        let failed = |source| ReadError::Io { path: path.clone(), source };
        let file = BufReader::new(File::open(&path).map_err(failed)?);
        match FileReader::new(path, file, number, 0).next() {
            Ok(Some(Frame::Start(start))) => starts.push(start),
            Err(error @ ReadError::Io { .. }) => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(starts)
}

/// Reads the frames of one file.
#[derive(Debug)]
pub(crate) struct FileReader<R> {
    path: PathBuf,
    file: R,
    number: FileNumber,
    /// The chain at the end of the file before.
    chain_before: u64,
    is_begun: bool,
    offset: u64,
    chain: u64,
    /// Where a frame is cut by the end of the file.
    cut: Option<u64>,
}

impl<R: Read> FileReader<R> {
    fn new(path: PathBuf, file: R, number: FileNumber, chain_before: u64) -> FileReader<R> {
        let (is_begun, offset, chain, cut) = (false, 0, 0, None);
        FileReader { path, file, number, chain_before, is_begun, offset, chain, cut }
    }

    /// The next frame; `None` at the end of the file, and at a frame that the end cuts.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'static>>, ReadError> {
        if self.cut.is_some() || (!self.is_begun && !self.begin()?) {
            return Ok(None);
        }
        let mut head = [0; FRAME_HEAD_BYTES];
        match self.fill(&mut head)? {
            0 => return Ok(None),
            FRAME_HEAD_BYTES => {}
            _ => return Ok(self.cut_here()),
        }
        let head = FrameHead::decode(head, self.chain)
            .ok_or_else(|| self.damaged("the length of a frame does not fit to its check"))?;
        if head.length > FRAME_BYTES_MAX {
            return Err(self.damaged(&format!(
                "a frame of {} bytes, and the longest has {FRAME_BYTES_MAX}",
                head.length
            )));
        }
        // Grows with the bytes that are there, whatever the length says.
        let mut payload = Vec::new();
        let read = self.file.by_ref().take(head.length.into()).read_to_end(&mut payload);
        read.map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        if payload.len() < head.length as usize {
            return Ok(self.cut_here());
        }
        if chain_behind(&payload, self.chain) != head.chain {
            return Err(self.damaged("a frame does not fit to its sum"));
        }
        let frame = Frame::decode(&payload).map_err(|why| self.damaged(&why))?;
        self.chain = head.chain;
        self.offset += (FRAME_HEAD_BYTES + payload.len()) as u64;
        Ok(Some(frame))
    }

    /// Reads the header; `false` if the end of the file cuts it.
    fn begin(&mut self) -> Result<bool, ReadError> {
        let mut found = [0; HEADER_BYTES];
        if self.fill(&mut found)? < HEADER_BYTES {
            self.cut = Some(0);
            return Ok(false);
        }
        let refused = |found: String| ReadError::Header { path: self.path.clone(), found };
        match version_of(&found) {
            None => return Err(refused("no recording".to_owned())),
            Some(VERSION) => {}
            Some(other) => return Err(refused(format!("a recording of version {other}"))),
        }
        let (expected, chain) = header(self.number, self.chain_before);
        if found != expected {
            return Err(self.damaged("the header is not that of the file that follows here"));
        }
        (self.is_begun, self.chain, self.offset) = (true, chain, HEADER_BYTES as u64);
        Ok(true)
    }

    fn cut_here(&mut self) -> Option<Frame<'static>> {
        self.cut = Some(self.offset);
        None
    }

    /// Reads until the bytes are full or the file ends, and returns how many were read.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ReadError::Io { path: self.path.clone(), source }),
            }
        }
        Ok(filled)
    }

    fn damaged(&self, why: &str) -> ReadError {
        ReadError::Damaged { path: self.path.clone(), offset: self.offset, why: why.to_owned() }
    }
}

impl<'a> FileReader<&'a [u8]> {
    /// Bytes as the first file of a recording.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> FileReader<&'a [u8]> {
        FileReader::new(PathBuf::new(), bytes, FileNumber { start: 1, part: 1 }, 0)
    }
}
