//! Reading a patch front to back, a frame at a time.

use std::hash::Hasher;
use std::io::ErrorKind;

use twox_hash::XxHash3_64;

use super::frame::BODY_MAX;
use super::header::{Header, IN_PLACE, MAGIC, SUMMED, TOUCHED, Trailer, VERSION, VERSION_FIRST};
use super::source::Source;
use super::varint;
use crate::error::PatchError;
use crate::sum::Sum;

/// The check of `bytes` behind the check `before`.
pub(crate) fn check(before: u64, parts: &[&[u8]]) -> u64 {
    let mut hasher = XxHash3_64::with_seed(before);
    parts.iter().for_each(|it| hasher.write(it));
    hasher.finish()
}

/// A patch that is read front to back.
pub(crate) struct PatchReader<S> {
    patch: S,
    header: Header,
    /// The number of the next frame.
    frame: u64,
    /// The check before it.
    check: u64,
    /// The bytes read so far.
    read: u64,
    /// Holds the body of a frame that is not in memory.
    buffer: Vec<u8>,
}

/// The bytes of a check.
const CHECK: usize = 8;

impl<S: Source> PatchReader<S> {
    /// Reads the header. Nothing vouches for it until the first frame or the trailer was read.
    ///
    /// # Errors
    /// The bytes are no patch of this version or are cut short.
    pub(crate) fn open(patch: S) -> Result<PatchReader<S>, PatchError> {
        let header = Header { version: VERSION, old_length: 0, new_length: 0 };
        let mut reader = PatchReader { patch, header, frame: 0, check: 0, read: 0, buffer: vec![] };
        let magic = reader.patch.piece(MAGIC.len(), &mut reader.buffer)?;
        if !MAGIC.starts_with(magic) {
            return Err(PatchError::NotAPatch);
        }
        if magic.len() < MAGIC.len() {
            return Err(PatchError::CutShort);
        }
        reader.read += MAGIC.len() as u64;
        let [version] = reader.array()?;
        if !(VERSION_FIRST..=VERSION).contains(&version) {
            return Err(PatchError::OtherVersion { found: version });
        }
        let old_length = reader.varint()?;
        let new_length = reader.varint()?;
        reader.header = Header { version, old_length, new_length };
        reader.check = check(0, &[&reader.header.to_bytes()]);
        Ok(reader)
    }

    pub(crate) fn header(&self) -> Header {
        self.header
    }

    /// The bytes read so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read
    }

    /// The frames read so far.
    pub(crate) fn frames_read(&self) -> u64 {
        self.frame
    }

    /// The check of all that was read so far. Behind the trailer it identifies the patch.
    pub(crate) fn identity(&self) -> u64 {
        self.check
    }

    /// Reads the bytes that follow the header and are checked together with it.
    ///
    /// # Errors
    /// It is cut short or damaged.
    pub(crate) fn vouch_for_header(&mut self) -> Result<(), PatchError> {
        match self.header.new_length {
            0 => self.trailer().map(drop),
            _ => self.next_body().map(drop),
        }
    }

    /// Reads the body of the next frame.
    ///
    /// # Errors
    /// The frame is cut short or damaged.
    pub(crate) fn next_body(&mut self) -> Result<&[u8], PatchError> {
        let frame = self.frame;
        let length = self.varint()?;
        let bounded = usize::try_from(length).ok().filter(|it| *it <= BODY_MAX);
        let length = bounded.ok_or(PatchError::DamagedFrame { frame })?;
        let checked = self.patch.piece(length + CHECK, &mut self.buffer)?;
        if checked.len() < length + CHECK {
            return Err(PatchError::CutShort);
        }
        let (body, expected) = checked.split_at(length);
        self.check = check(self.check, &[body]);
        if *expected != self.check.to_le_bytes() {
            return Err(PatchError::DamagedFrame { frame });
        }
        self.read += checked.len() as u64;
        self.frame += 1;
        Ok(body)
    }

    /// Reads the trailer and makes sure that nothing follows it.
    ///
    /// # Errors
    /// The trailer is cut short, damaged or followed by more.
    pub(crate) fn trailer(&mut self) -> Result<Trailer, PatchError> {
        let [flags] = self.array()?;
        let mut bytes = vec![flags];
        let mut sums = [None; 2];
        for (sum, flag) in sums.iter_mut().zip([SUMMED, TOUCHED]) {
            if flags & flag != 0 {
                let read = self.array()?;
                bytes.extend(read);
                *sum = Some(Sum::from_bytes(read));
            }
        }
        self.check = check(self.check, &[&bytes]);
        if u64::from_le_bytes(self.array()?) != self.check {
            return Err(PatchError::DamagedTrailer);
        }
        if flags & !(SUMMED | IN_PLACE | TOUCHED) != 0 {
            return Err(PatchError::UnknownFlags { found: flags });
        }
        let [sum, touched] = sums;
        let touched = (flags & IN_PLACE != 0).then_some(touched.unwrap_or_default());
        let trailer = Trailer { sum, touched };
        match self.patch.fill(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(trailer),
            Err(error) => Err(error.into()),
            Ok(()) => Err(PatchError::TrailingBytes),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PatchError> {
        let mut bytes = [0; N];
        self.patch.fill(&mut bytes).map_err(PatchError::reading)?;
        self.read += N as u64;
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, PatchError> {
        let mut bytes = Vec::with_capacity(10);
        while bytes.len() < 10 && bytes.last().is_none_or(|it| it & 0x80 != 0) {
            bytes.extend(self.array::<1>()?);
        }
        let frame = self.frame;
        varint::take(&mut &bytes[..]).ok_or(PatchError::DamagedFrame { frame })
    }
}
