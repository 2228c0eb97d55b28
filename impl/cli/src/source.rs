//! A file that is read while others may write to it, and whether it stayed as it was.
//!
//! What is compared before and after: length, time of modification, and time of the last change of
//! the inode. A writer can set the time of modification back, and some do, but not the other one. Two
//! changes within one tick of the file system's clock have the same time; a file that was changed a
//! moment ago is looked at only when that tick is over. What this does not see:
//!
//! - A store to a mapping changes the times only at the first store to a page, and again after the
//!   page was written back. If no process has the file open for writing or mapped when it is looked
//!   at, each mapping comes later, and its first store changes the times. Else the content must be
//!   read twice: [`Source::may_be_written`].
//! - On tmpfs not even the first store changes them, if the page was read before. Nothing is done
//!   about it without being asked: most files there are read at the speed of memory.
//! - Block devices have no such times: they must be read twice.
//! - Writers on other machines are seen as far as a network file system shows them.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::failure::Failure;
use crate::mapped::has_writer;
use crate::names::shown;

/// No system ticks slower than a hundred times a second, and a time may be one tick late.
const TICK: Duration = Duration::from_millis(20);
/// Of file systems that keep whole seconds: some keep only even ones.
const COARSE_TICK: Duration = Duration::from_millis(2_020);
/// How often a file that changes all the time is looked at again. It will have changed, too, when it
/// has been read.
const LOOKS: usize = 3;
/// How much is compared at a time.
const PIECE: usize = 1 << 20;

/// A file that is open, and how it looked before it was read.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: File,
    /// Of regular files: the times of others mean nothing.
    before: Option<Stamp>,
    may_be_written: bool,
}

/// What changes with a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Source {
    /// Opens an input and looks at it.
    pub(crate) fn open(path: &Path) -> io::Result<Source> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let is_file = metadata.is_file();
        let before = if is_file { Some(Stamp::settled(&file)?) } else { None };
        // Second: a writer that comes later changes the times, for the first store to a mapping does.
        let may_be_written = match is_file {
            true => has_writer(&file) == Some(true),
            false => metadata.file_type().is_block_device(),
        };
        Ok(Source { path: path.to_owned(), file, before, may_be_written })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// How many bytes can be read at any place: of a regular file, or of a block device. `None` of
    /// anything else.
    pub(crate) fn length(&self) -> io::Result<Option<u64>> {
        if let Some(before) = self.before {
            return Ok(Some(before.length));
        }
        length_in_place(&self.file)
    }

    /// Whether a store may go unnoticed, so that the content must be read twice.
    pub(crate) fn may_be_written(&self) -> bool {
        self.may_be_written
    }

    /// Fails if the file changed since it was opened, so that nothing that was made of it counts.
    pub(crate) fn assert_unchanged(&self) -> Result<(), Failure> {
        let Some(before) = self.before else { return Ok(()) };
        let after = self.file.metadata().map_err(|error| {
            Failure::io(format!("cannot look at {}", shown(&self.path)), &error)
        })?;
        match before.difference(Stamp::of(&after)) {
            None => Ok(()),
            Some(how) => Err(self.changed(&how)),
        }
    }

    /// Fails with the reason why a mapping could not be read at a place.
    pub(crate) fn explain_fault(&self, at: u64) -> Failure {
        let length = self.length().ok().flatten().unwrap_or(0);
        let now = self.file.metadata().map(|it| it.len());
        if self.before.is_some() && now.is_ok_and(|now| now < length) {
            return self.changed("it was cut off");
        }
        match self.file.read_at(&mut [0], at) {
            Err(error) => {
                let path = shown(&self.path);
                Failure::io(format!("cannot read {path} at byte {at}"), &error)
            }
            Ok(_) => self.changed(&format!("it could not be read at byte {at} for a while")),
        }
    }

    /// Fails if the file does not hold what was read from it.
    pub(crate) fn assert_reads_as(&self, bytes: &[u8]) -> Result<(), Failure> {
        if self.before.is_none() {
            return Ok(());
        }
        let mut piece = vec![0; PIECE.min(bytes.len() + 1)];
        let mut at = 0;
        loop {
            match self.file.read_at(&mut piece, at as u64) {
                Ok(0) if at == bytes.len() => return Ok(()),
                Ok(read) if read > 0 && bytes[at..].starts_with(&piece[..read]) => at += read,
                Ok(_) => return Err(self.read_differently()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let path = shown(&self.path);
                    return Err(Failure::io(format!("cannot read {path}"), &error));
                }
            }
        }
    }

    /// Two readings differ.
    pub(crate) fn read_differently(&self) -> Failure {
        self.changed("it reads differently the second time")
    }

    fn changed(&self, how: &str) -> Failure {
        Failure::changed(shown(&self.path), how)
    }
}

/// How many bytes can be read at any place: of a regular file, or of a block device. `None` of
/// anything else.
pub(crate) fn length_in_place(file: &File) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok(Some(metadata.len()));
    }
    // The metadata of a device says 0.
    if !metadata.file_type().is_block_device() {
        return Ok(None);
    }
    let mut file = file;
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(Some(length))
}

/// All of an input that cannot be mapped.
///
/// # Errors
/// It cannot be read, or takes more than half of the memory that the machine has: the length of
/// some inputs is not known before, and that of a device such as `/dev/zero` has no end.
pub(crate) fn read_whole(input: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(input, memory_bytes() / 2)
}

fn read_at_most(input: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!(
            "it cannot be mapped, and more than {most} bytes, half of the machine's memory, are not \
             read; copy it to a regular file"
        )));
    }
    Ok(bytes)
}

/// The memory of the machine.
fn memory_bytes() -> u64 {
    /// Of a system that does not say.
    const ASSUMED: u64 = 4 << 30;
    /// The line of `/proc/meminfo` in KiB.
    fn stated() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|it| it.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1 << 10)
    }
    stated().unwrap_or(ASSUMED)
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            place: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// A stamp that any later change makes another one.
    fn settled(file: &File) -> io::Result<Stamp> {
        let mut stamp = Stamp::of(&file.metadata()?);
        for _ in 0..LOOKS {
            let Some(rest) = stamp.unsettled(SystemTime::now()) else { break };
            std::thread::sleep(rest);
            stamp = Stamp::of(&file.metadata()?);
        }
        Ok(stamp)
    }

    /// How long another change may still have the same time.
    fn unsettled(&self, now: SystemTime) -> Option<Duration> {
        let (seconds, nanoseconds) = self.changed;
        let is_coarse = nanoseconds == 0 && self.modified.1 == 0;
        let tick = if is_coarse { COARSE_TICK } else { TICK };
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        let age = now.duration_since(UNIX_EPOCH.checked_add(since)?).ok()?;
        tick.checked_sub(age).filter(|it| !it.is_zero())
    }

    /// What differs from a later stamp, in words.
    fn difference(self, after: Stamp) -> Option<String> {
        if self.length != after.length {
            return Some(format!("it had {} bytes and has {}", self.length, after.length));
        }
        if self.modified != after.modified {
            return Some("its time of modification is another".to_owned());
        }
        (self != after).then(|| {
            "its length and time of modification are the same, but not the time of its last change: \
             it was written and its time set back, or its name, links or permissions changed"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_of(bytes: &[u8]) -> (tempfile::NamedTempFile, Source) {
        let named = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(named.path(), bytes).expect("room");
        let source = Source::open(named.path()).expect("a file");
        source.assert_unchanged().expect("nobody changed it");
        (named, source)
    }

    fn told(failed: Result<(), Failure>) -> String {
        format!("{:?}", failed.expect_err("it changed"))
    }

    #[test]
    fn a_change_is_noticed_although_the_writer_sets_the_time_back() {
        let (named, source) = source_of(b"before");
        let file = File::options().write(true).open(named.path()).expect("the file");
        let time = file.metadata().expect("metadata").modified().expect("a time");
        file.write_all_at(b"behind", 0).expect("room");
        file.set_modified(time).expect("a time can be set");
        let told = told(source.assert_unchanged());
        assert!(told.contains("its time set back"), "{told}");
    }

    #[test]
    fn a_change_is_told_by_its_kind() {
        let (named, source) = source_of(b"before");
        std::fs::write(named.path(), b"behind").expect("room");
        assert!(told(source.assert_unchanged()).contains("time of modification is another"));
        std::fs::write(named.path(), b"longer than before").expect("room");
        assert!(told(source.assert_unchanged()).contains("it had 6 bytes and has 18"));
    }

    #[test]
    fn a_second_reading_tells_what_a_copy_in_memory_no_longer_is() {
        let (named, source) = source_of(b"before");
        source.assert_reads_as(b"before").expect("nobody changed it");
        for other in [&b"befor"[..], b"before!", b"behind", b""] {
            assert!(told(source.assert_reads_as(other)).contains("reads differently"));
        }
        std::fs::write(named.path(), b"").expect("room");
        assert!(told(source.assert_reads_as(b"before")).contains("reads differently"));
    }

    #[test]
    fn a_stamp_is_settled_when_the_next_change_has_another_time() {
        let at = |seconds, nanoseconds| UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        let stamp = |nanoseconds: u32| Stamp {
            place: (1, 1),
            length: 1,
            modified: (100, i64::from(nanoseconds)),
            changed: (100, i64::from(nanoseconds)),
        };
        let half = 500_000_000;
        assert_eq!(stamp(half).unsettled(at(100, half)), Some(TICK));
        assert_eq!(stamp(half).unsettled(at(100, half + 20_000_000)), None);
        assert_eq!(
            stamp(half).unsettled(at(99, 0)),
            None,
            "a clock that was set back says nothing"
        );
        assert_eq!(stamp(0).unsettled(at(101, 0)), Some(COARSE_TICK - Duration::from_secs(1)));
        assert_eq!(stamp(0).unsettled(at(103, 0)), None);
    }

    #[test]
    fn an_input_without_end_is_refused() {
        let error = read_at_most(io::repeat(7), 1_000).expect_err("it has no end");
        assert!(error.to_string().contains("more than 1000 bytes"), "{error}");
        assert_eq!(read_at_most(&[7; 1_000][..], 1_000).expect("as long as allowed").len(), 1_000);
        assert!(memory_bytes() >= 1 << 20);
    }
}
