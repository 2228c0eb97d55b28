//! A plan as the bytes of a journal, version 2.
//!
//! All numbers are little-endian; a `varint` is an unsigned LEB128 of at most ten bytes.
//!
//! ```text
//!  4  magic         53 66 4A 02, which is "SfJ" and the version
//!  8  patch         the identity of the patch
//! 16  kept          the sum of the bytes around the writes
//! 16  cut off       the sum of the old bytes behind the end of the new content
//!  1  is summed     1 if the sum of the new content follows, else 0
//! 16  result        the sum of the new content, if summed
//!  v  old length    bytes
//!  v  new length    bytes
//!  v  writes        their number
//!     per write     v offset, v length, the new bytes, and the old bytes in their place as far as
//!                   the old content reaches
//! 16  check         XXH3-128 of all of the above
//! ```

use std::io::{self, ErrorKind, Read, Write};

use thiserror::Error;
use twox_hash::XxHash3_128;

use super::{InPlacePlan, PlannedWrite};
use crate::sum::Sum;
use crate::touched::{IN_PLACE_MAX, WRITE_COST};
use crate::wire::varint;

const MAGIC: [u8; 3] = *b"SfJ";
const VERSION: u8 = 2;

/// Why bytes are not a journal that can be replayed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// They cannot be read.
    #[error("cannot read")]
    Io(#[from] io::Error),
    /// They do not begin as a journal does.
    #[error("this is not a journal of a change in place")]
    NotAJournal,
    /// Another version of this program wrote the journal.
    #[error("the journal has version {found}; this program replays version {VERSION}")]
    OtherVersion {
        /// The version that it says it has.
        found: u8,
    },
    /// The check fails, the journal is cut short, or it holds writes that no plan makes.
    #[error("the journal is damaged")]
    Damaged,
}

impl InPlacePlan {
    /// Writes the plan as a journal.
    ///
    /// # Errors
    /// `journal` cannot be written to.
    pub fn write_journal(&self, journal: impl Write) -> io::Result<()> {
        let mut journal = Summed { inner: journal, check: XxHash3_128::new() };
        let mut header = [&MAGIC[..], &[VERSION], &self.patch.to_le_bytes()].concat();
        header.extend(self.kept.to_bytes());
        header.extend(self.cut_off.to_bytes());
        header.push(u8::from(self.result.is_some()));
        header.extend(self.result.map(Sum::to_bytes).into_iter().flatten());
        for number in [self.old_length, self.new_length, self.writes.len() as u64] {
            varint::put(&mut header, number);
        }
        journal.write_all(&header)?;
        for PlannedWrite { offset, new, old } in &self.writes {
            let mut place = Vec::new();
            varint::put(&mut place, *offset);
            varint::put(&mut place, new.len() as u64);
            [&place, new, old].into_iter().try_for_each(|it| journal.write_all(it))?;
        }
        let check = journal.check.finish_128().to_le_bytes();
        journal.inner.write_all(&check)?;
        journal.inner.flush()
    }

    /// Reads a journal to its end. Takes no more memory than the bytes that are there.
    ///
    /// # Errors
    /// The bytes cannot be read or are not a whole journal of this version.
    pub fn read_journal(journal: impl Read) -> Result<InPlacePlan, JournalError> {
        let mut reader = JournalReader { inner: journal, check: XxHash3_128::new() };
        if reader.array().map_err(not_a_journal)? != MAGIC {
            return Err(JournalError::NotAJournal);
        }
        let [version] = reader.array()?;
        if version != VERSION {
            return Err(JournalError::OtherVersion { found: version });
        }
        let plan = reader.plan()?;
        let check = reader.check.finish_128();
        let mut rest = Vec::new();
        reader.inner.take(17).read_to_end(&mut rest)?;
        if rest == check.to_le_bytes() { Ok(plan) } else { Err(JournalError::Damaged) }
    }
}

/// Bytes that are too short even for a magic are no journal.
fn not_a_journal(error: JournalError) -> JournalError {
    match error {
        JournalError::Damaged => JournalError::NotAJournal,
        error => error,
    }
}

/// Sums the bytes that are written.
struct Summed<W> {
    inner: W,
    check: XxHash3_128,
}

impl<W: Write> Summed<W> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check.write(bytes);
        self.inner.write_all(bytes)
    }
}

/// Reads and sums the bytes before the check.
struct JournalReader<R> {
    inner: R,
    check: XxHash3_128,
}

impl<R: Read> JournalReader<R> {
    fn plan(&mut self) -> Result<InPlacePlan, JournalError> {
        let patch = u64::from_le_bytes(self.array()?);
        let kept = Sum::from_bytes(self.array()?);
        let cut_off = Sum::from_bytes(self.array()?);
        let result = match self.array()? {
            [0] => None,
            [1] => Some(Sum::from_bytes(self.array()?)),
            _ => return Err(JournalError::Damaged),
        };
        let (old_length, new_length) = (self.varint()?, self.varint()?);
        let writes = self.writes(old_length, new_length)?;
        Ok(InPlacePlan { old_length, new_length, patch, kept, cut_off, result, writes })
    }

    fn writes(
        &mut self,
        old_length: u64,
        new_length: u64,
    ) -> Result<Vec<PlannedWrite>, JournalError> {
        let (mut writes, mut end, mut planned) = (Vec::new(), 0, 0);
        for _ in 0..self.varint()? {
            let offset = self.varint()?;
            let length = self.varint()?;
            let is_behind = offset >= end;
            end = offset.checked_add(length).ok_or(JournalError::Damaged)?;
            planned += length.min(IN_PLACE_MAX) + WRITE_COST;
            if !is_behind || end > new_length || planned > IN_PLACE_MAX + WRITE_COST {
                return Err(JournalError::Damaged);
            }
            let new = self.bytes(length)?;
            let old = self.bytes(end.min(old_length).saturating_sub(offset))?;
            writes.push(PlannedWrite { offset, new, old });
        }
        Ok(writes)
    }

    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, JournalError> {
        let mut bytes = Vec::new();
        (&mut self.inner).take(length).read_to_end(&mut bytes)?;
        self.check.write(&bytes);
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(JournalError::Damaged) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], JournalError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => JournalError::Damaged,
            _ => JournalError::Io(error),
        })?;
        self.check.write(&bytes);
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<u64, JournalError> {
        let mut bytes = Vec::with_capacity(10);
        while bytes.len() < 10 && bytes.last().is_none_or(|it| it & 0x80 != 0) {
            bytes.extend(self.array::<1>()?);
        }
        varint::take(&mut &bytes[..]).ok_or(JournalError::Damaged)
    }
}
