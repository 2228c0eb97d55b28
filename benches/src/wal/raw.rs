//! The disk itself: write and sync, nothing else.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use steadfast_wal::disk::AlignedBuffer;

use super::load::Sample;
use super::woken;

/// The name of the file.
pub(super) const NAME: &str = "raw";
const FILE_BYTES: u64 = 256 << 20;
const BLOCK: usize = 4096;

/// A file full of zeros on the disk.
pub(super) struct RawDisk {
    direct: File,
    buffered: File,
}

impl RawDisk {
    /// Makes the file.
    ///
    /// # Errors
    /// When that fails, also when the file system has no direct I/O.
    pub(super) fn open(directory: &Path) -> io::Result<RawDisk> {
        let path = directory.join(NAME);
        let buffered = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let zeros = vec![0; 1 << 20];
        for at in 0..FILE_BYTES >> 20 {
            buffered.write_all_at(&zeros, at << 20)?;
        }
        buffered.sync_all()?;
        let direct = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(&path)?;
        Ok(RawDisk { direct, buffered })
    }

    /// Writes and syncs this number of records at a time, of this number of bytes together, in whole blocks, past
    /// the page cache or through it.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn loop_of(
        &self,
        records: usize,
        bytes: usize,
        is_direct: bool,
        time: Duration,
    ) -> io::Result<Sample> {
        let payload_bytes = bytes / records;
        let bytes = bytes.next_multiple_of(BLOCK);
        let mut buffer = AlignedBuffer::zeroed(bytes);
        buffer.fill(7);
        let file = if is_direct { &self.direct } else { &self.buffered };
        let begin = Instant::now();
        let mut latencies = Vec::new();
        let mut offset = 0;
        while begin.elapsed() < time {
            let started = Instant::now();
            file.write_all_at(&buffer, offset)?;
            file.sync_data()?;
            latencies.push(started.elapsed());
            offset = if offset + 2 * bytes as u64 > FILE_BYTES { 0 } else { offset + bytes as u64 };
        }
        let records = (latencies.len() * records) as u64;
        Ok(Sample::of(records, payload_bytes, begin.elapsed(), latencies))
    }

    /// Writes and syncs the number of blocks that the records take for which writers wait, each for its own:
    /// what any log can do at best whose writers are threads of this machine.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn woken(
        &self,
        writers: usize,
        payload_bytes: usize,
        bytes_of: &dyn Fn(usize) -> usize,
        time: Duration,
    ) -> io::Result<Sample> {
        let bytes_of = |records| bytes_of(records).next_multiple_of(BLOCK);
        woken::write(&self.direct, FILE_BYTES, writers, &bytes_of, payload_bytes, time)
    }

    /// The bandwidth of sequential writes with one sync at the end, in bytes per second.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn bandwidth(&self, time: Duration) -> io::Result<f64> {
        let mut buffer = AlignedBuffer::zeroed(4 << 20);
        buffer.fill(7);
        let begin = Instant::now();
        let (mut offset, mut written) = (0, 0_u64);
        while begin.elapsed() < time {
            self.direct.write_all_at(&buffer, offset)?;
            written += buffer.len() as u64;
            offset = (offset + buffer.len() as u64) % FILE_BYTES;
        }
        self.direct.sync_data()?;
        Ok(written as f64 / begin.elapsed().as_secs_f64())
    }
}
