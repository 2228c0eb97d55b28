//! An old content in memory that is read piece by piece.
#![allow(dead_code, unreachable_pub)]

use std::io;

use steadfast_delta::OldContent;

/// An old content in memory.
pub struct InMemory<'a>(pub &'a [u8]);

impl OldContent for InMemory<'_> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let from = self.0.get(start..start + bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(from);
        Ok(())
    }
}
