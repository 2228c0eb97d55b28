//! Files in memory, as the system's page cache holds them.
//!
//! A mapping shows changes that other processes make to the file, because both share its pages. This
//! module handles three of them:
//!
//! - The file is cut off, or the disk fails. To touch a page that cannot be had raises SIGBUS, which
//!   would kill the program. A handler puts zeros in place of the rest of the mapping and remembers
//!   where; the reader asks [`Mapped::fault`] at its end and discards the result.
//! - The file is overwritten. Then bytes change while they are looked at. Nothing here or in the
//!   delta engine trusts a byte to stay: every index is checked, so a wrong patch is the worst that
//!   comes of it. [`Source`](crate::source::Source) detects that the file changed.
//! - The file lies in memory (tmpfs) and has holes. To touch a hole through a mapping would allocate
//!   its page in the file, and keep it. Such a file is mapped without its holes.
//!
//! A version that differs from a file in a few places is a private mapping of the same file: the
//! pages with these places take memory, all others are the file's, and are watched as it is.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::{Mmap, MmapMut, MmapOptions};
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// How many files can be mapped at once, with changed versions of them.
const WATCHED_MAX: usize = 4_096;
/// Shorter pieces of a file with holes are copied, because a process has a limited number of mappings.
const PIECE_MIN: usize = 1 << 20;
/// How many pieces of a file with holes are mapped at most: a quarter of the mappings that Linux
/// lets a process have.
const PIECES_MAX: usize = 16 << 10;

/// The mappings that the handler knows of.
static WATCHED: [Watched; WATCHED_MAX] = [const { Watched::nothing() }; WATCHED_MAX];
static INSTALL: Once = Once::new();

/// In place of a first address: no range begins there.
const FREE: usize = usize::MAX;
const RESERVED: usize = usize::MAX - 1;
/// In place of the address of a fault.
const NO_FAULT: usize = usize::MAX;

struct Watched {
    /// The first address.
    start: AtomicUsize,
    end: AtomicUsize,
    /// The first page that could not be read.
    fault: AtomicUsize,
}

/// A file that is mapped, and is read as long as this lives.
pub(crate) struct Mapped {
    map: Mmap,
    watched: &'static Watched,
    /// Whether short pieces were copied and holes are not the file's, so that a later change of these
    /// does not show in the mapping.
    has_copies: bool,
}

impl Mapped {
    /// Maps the first `length` bytes of a file or a block device, at least one.
    ///
    /// # Errors
    /// The file cannot be mapped, as some on FUSE, sysfs or procfs; or there is no address space.
    pub(crate) fn new(file: &File, length: usize) -> io::Result<Mapped> {
        if is_sparse_in_memory(file)? {
            let map = map_without_holes(file, length)?;
            return Mapped::watch(map.make_read_only()?, true);
        }
        // SAFETY: what the module says of files that change under the mapping. The mapping is
        // read-only, and `map` is dropped after the last slice of it.
        Mapped::watch(unsafe { MmapOptions::new().len(length).map(file)? }, false)
    }

    /// The same file with other bytes in some places. The file is not written to: the pages with
    /// these places are copied, all others are the file's.
    pub(crate) fn overwritten<'a>(
        &self,
        file: &File,
        places: impl Iterator<Item = (usize, &'a [u8])>,
    ) -> io::Result<Mapped> {
        let length = self.map.len();
        let mut map = match is_sparse_in_memory(file)? {
            true => map_without_holes(file, length)?,
            // SAFETY: as in `new`. What is written goes to private pages, before anybody else has a
            // slice of the mapping.
            false => unsafe { MmapOptions::new().len(length).map_copy(file)? },
        };
        let watched = Watched::begin(&map)?;
        for (at, bytes) in places {
            map[at..at + bytes.len()].copy_from_slice(bytes);
        }
        Ok(Mapped { map: map.make_read_only()?, watched, has_copies: self.has_copies })
    }

    fn watch(map: Mmap, has_copies: bool) -> io::Result<Mapped> {
        let watched = Watched::begin(&map)?;
        Ok(Mapped { map, watched, has_copies })
    }

    /// Whether a change of the file may not show here, because a part of it was copied.
    pub(crate) fn has_copies(&self) -> bool {
        self.has_copies
    }

    /// Where the first page begins that could not be read, if any: zeros were read from there on.
    pub(crate) fn fault(&self) -> Option<u64> {
        let address = self.watched.fault.load(Ordering::Acquire);
        (address != NO_FAULT).then(|| (address - self.map.as_ptr() as usize) as u64)
    }
}

/// Whether a process has a file open for writing, or mapped so. `None` if the system does not
/// answer: it answers the owner of a file and a privileged process, on most local file systems.
#[cfg(target_os = "linux")]
pub(crate) fn has_writer(file: &File) -> Option<bool> {
    /// From `linux/fcntl.h`; `libc` has it for musl only.
    const F_SETSIG: libc::c_int = 10;
    let descriptor = file.as_raw_fd();
    let call = |command: libc::c_int, argument: libc::c_int| {
        // SAFETY: the descriptor is open, and these commands take a number.
        match unsafe { libc::fcntl(descriptor, command, argument) } {
            -1 => Err(io::Error::last_os_error().raw_os_error()),
            _ => Ok(()),
        }
    };
    // A read lease is granted if there is no writer. It is given back at once; a process that
    // opens the file for writing in between waits that long, and the system sends us a signal. It must
    // not be SIGIO, which would end the program.
    call(F_SETSIG, libc::SIGURG).ok()?;
    match call(libc::F_SETLEASE, libc::F_RDLCK) {
        Ok(()) => call(libc::F_SETLEASE, libc::F_UNLCK).ok().map(|()| false),
        Err(Some(libc::EAGAIN)) => Some(true),
        Err(_) => None,
    }
}

/// Only Linux answers this.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has_writer(_: &File) -> Option<bool> {
    None
}

/// Whether a mapping of the file would fill its holes for good.
#[cfg(target_os = "linux")]
fn is_sparse_in_memory(file: &File) -> io::Result<bool> {
    use nix::sys::statfs::{HUGETLBFS_MAGIC, TMPFS_MAGIC, fstatfs};

    /// The unit of `MetadataExt::blocks`.
    const BLOCK: u64 = 512;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.blocks().saturating_mul(BLOCK) >= metadata.len() {
        return Ok(false);
    }
    match fstatfs(file)?.filesystem_type() {
        TMPFS_MAGIC => Ok(true),
        // Its pages are too large for pieces.
        HUGETLBFS_MAGIC => Err(io::Error::from_raw_os_error(libc::ENODEV)),
        _ => Ok(false),
    }
}

/// Elsewhere no file system is known to do that.
#[cfg(not(target_os = "linux"))]
fn is_sparse_in_memory(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// A private mapping of zeros, with the file's long pieces mapped into it and the short ones copied.
/// It takes memory for what is copied, which the file takes, too.
fn map_without_holes(file: &File, length: usize) -> io::Result<MmapMut> {
    let mut map = MmapOptions::new().len(length).no_reserve_swap().map_anon()?;
    let piece_min = PIECE_MIN.max(length / PIECES_MAX);
    let mut at = 0;
    while let Some(data) = next_data(file, at, length)? {
        at = data.end;
        let is_whole = data.start % page() == 0 && (at % page() == 0 || at == length);
        if data.len() >= piece_min && is_whole {
            map_piece(&mut map, file, data)?;
        } else {
            file.read_exact_at(&mut map[data.clone()], data.start as u64)?;
        }
    }
    Ok(map)
}

/// The first piece of a file from `at` on that is no hole.
fn next_data(file: &File, at: usize, length: usize) -> io::Result<Option<Range<usize>>> {
    use nix::unistd::{Whence, lseek};

    let seek = |from: usize, whence| -> io::Result<usize> {
        let offset = i64::try_from(from).map_err(io::Error::other)?;
        usize::try_from(lseek(file, offset, whence)?).map_err(io::Error::other)
    };
    if at >= length {
        return Ok(None);
    }
    let start = match seek(at, Whence::SeekData) {
        Ok(start) if start < length => start,
        // Nothing but a hole follows.
        Ok(_) => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Ok(None),
        Err(error) => return Err(error),
    };
    let end = seek(start, Whence::SeekHole)?.min(length);
    Ok((start < end).then_some(start..end))
}

/// Maps a piece of a file, which begins at a page, in its place in `map`.
fn map_piece(map: &mut MmapMut, file: &File, piece: Range<usize>) -> io::Result<()> {
    let offset = libc::off_t::try_from(piece.start).map_err(io::Error::other)?;
    let place = map[piece.clone()].as_mut_ptr().cast();
    let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_NORESERVE;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let descriptor = file.as_raw_fd();
    // SAFETY: the pages from `place` on lie within `map`, which owns them and has no slice out, and
    // stay readable and writable. The file is as in `Mapped::new`.
    let mapped = unsafe { libc::mmap(place, piece.len(), access, flags, descriptor, offset) };
    if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.watched.start.store(FREE, Ordering::Release);
    }
}

impl Watched {
    const fn nothing() -> Watched {
        Watched {
            start: AtomicUsize::new(FREE),
            end: AtomicUsize::new(0),
            fault: AtomicUsize::new(NO_FAULT),
        }
    }

    /// Watches a mapping.
    fn begin(map: &[u8]) -> io::Result<&'static Watched> {
        INSTALL.call_once(install);
        let free = WATCHED.iter().find(|it| it.reserve());
        let watched = free.ok_or_else(|| io::Error::other("too many files are mapped at once"))?;
        let start = map.as_ptr() as usize;
        watched.fault.store(NO_FAULT, Ordering::Relaxed);
        watched.end.store((start + map.len()).next_multiple_of(page()), Ordering::Relaxed);
        watched.start.store(start, Ordering::Release);
        Ok(watched)
    }

    /// Takes it for a mapping to come.
    fn reserve(&self) -> bool {
        self.start.compare_exchange(FREE, RESERVED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

fn page() -> usize {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    if PAGE.load(Ordering::Relaxed) == 0 {
        // SAFETY: sysconf only answers.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        PAGE.store(usize::try_from(size).unwrap_or(4096), Ordering::Relaxed);
    }
    PAGE.load(Ordering::Relaxed)
}

fn install() {
    page();
    let handler = SigHandler::SigAction(on_bus_error);
    let action = SigAction::new(handler, SaFlags::SA_SIGINFO, SigSet::empty());
    // SAFETY: the handler does nothing but atomic loads and stores and two system calls.
    let installed = unsafe { sigaction(Signal::SIGBUS, &action) };
    installed.expect("SIGBUS can be handled");
}

/// Puts zeros in place of a watched file from the page on that cannot be read. Any other SIGBUS gets
/// the answer that it would have got without this handler.
extern "C" fn on_bus_error(
    _: libc::c_int,
    information: *mut libc::siginfo_t,
    _: *mut libc::c_void,
) {
    // SAFETY: the kernel passes a valid structure, and the address belongs to a SIGBUS.
    let address = unsafe { (*information).si_addr() } as usize;
    let holds = |it: &&Watched| {
        let start = it.start.load(Ordering::Acquire);
        (start..it.end.load(Ordering::Relaxed)).contains(&address)
    };
    if let Some(watched) = WATCHED.iter().find(holds) {
        let from = address - address % page();
        let length = watched.end.load(Ordering::Relaxed) - from;
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the range lies within a mapping that `Mapped` owns, and stays readable; writable,
        // too, because the fault may be a write of `overwritten`.
        let mapped = unsafe { libc::mmap(from as *mut _, length, access, flags, -1, 0) };
        if mapped != libc::MAP_FAILED {
            // The first page counts: what is read behind it are our zeros.
            watched.fault.fetch_min(from, Ordering::AcqRel);
            return;
        }
    }
    // SAFETY: to restore the default lets the fault, which happens again, end the program.
    unsafe {
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 1 << 20;

    fn temporary() -> (File, Mapped) {
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(LENGTH as u64).expect("it can be lengthened");
        let mapped = Mapped::new(&file, LENGTH).expect("it can be mapped");
        (file, mapped)
    }

    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_reads_as_zeros_and_says_where() {
        let (file, mapped) = temporary();
        assert_eq!(mapped.fault(), None);
        file.set_len(5000).expect("it can be cut");
        assert_eq!(mapped.iter().map(|it| u64::from(*it)).sum::<u64>(), 0);
        assert_eq!(mapped.fault(), Some(5000_u64.next_multiple_of(page() as u64)));
    }

    #[test]
    fn an_overwritten_version_leaves_the_file_as_it_is_and_is_watched_like_it() {
        let (file, mapped) = temporary();
        let places = [(4_090, &b"over a page"[..]), (LENGTH - 1, b"!")];
        let version = mapped.overwritten(&file, places.into_iter()).expect("it can be mapped");
        assert_eq!(&version[4_089..4_103], b"\0over a page\0\0");
        assert_eq!(version.last(), Some(&b'!'));
        assert!(mapped.iter().all(|it| *it == 0));
        assert_eq!(version.fault(), None);
        file.set_len(5_000).expect("it can be cut");
        assert_eq!(version[900_000], 0);
        assert!(version.fault().is_some());
    }

    #[test]
    fn a_file_that_was_cut_and_restored_meanwhile_is_known_by_the_fault() {
        let (file, mapped) = temporary();
        file.set_len(5000).expect("it can be cut");
        assert_eq!(mapped[900_000], 0);
        file.set_len(LENGTH as u64).expect("it can be lengthened");
        assert!(mapped.fault().is_some());
    }

    /// Files in memory need no mount: this is one.
    #[cfg(target_os = "linux")]
    fn in_memory(length: usize) -> File {
        use nix::sys::memfd::{MFdFlags, memfd_create};

        let file = File::from(memfd_create("test", MFdFlags::empty()).expect("memory"));
        file.set_len(length as u64).expect("it can be lengthened");
        file
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holes_of_a_file_in_memory_stay_holes() {
        let length = (64 << 20) + 77;
        let file = in_memory(length);
        let pieces: [(usize, Vec<u8>); 4] = [
            (0, b"short".to_vec()),
            (5 << 20, vec![3; 2 << 20]),
            ((20 << 20) - 1, b"over a page".to_vec()),
            ((64 << 20) - (3 << 20), vec![9; (3 << 20) + 77]),
        ];
        let mut expected = vec![0; length];
        for (at, bytes) in &pieces {
            file.write_all_at(bytes, *at as u64).expect("room");
            expected[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        let blocks = file.metadata().expect("metadata").blocks();
        let mapped = Mapped::new(&file, length).expect("it can be mapped");
        assert!(mapped[..] == expected[..]);
        let places = [(30 << 20, &b"in a hole"[..]), (6 << 20, b"in a piece")];
        let version = mapped.overwritten(&file, places.into_iter()).expect("it can be mapped");
        for (at, bytes) in places {
            expected[at..at + bytes.len()].copy_from_slice(bytes);
        }
        assert!(version[..] == expected[..]);
        assert_eq!(file.metadata().expect("metadata").blocks(), blocks);
        file.set_len(61 << 20).expect("it can be cut");
        assert_eq!((version[length - 1], mapped[length - 1]), (0, 0));
        assert!(version.fault().is_some() && mapped.fault().is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_is_known_to_be_open_for_writing_or_mapped_so() {
        let named = tempfile::NamedTempFile::new().expect("a temporary file");
        named.as_file().set_len(4_096).expect("it can be lengthened");
        let reader = File::open(named.path()).expect("the file");
        if has_writer(&reader).is_none() {
            println!("skipped: the file system has no leases");
            return;
        }
        assert_eq!(has_writer(&reader), Some(true));
        // SAFETY: nobody else knows the file.
        let map = unsafe { MmapMut::map_mut(named.as_file()) }.expect("it can be mapped");
        let path = named.into_temp_path();
        assert_eq!(has_writer(&reader), Some(true), "a mapping outlives its descriptor");
        drop(map);
        assert_eq!(has_writer(&reader), Some(false));
        File::options().append(true).open(&path).expect("the lease was given back");
    }

    /// The promise that a file without a writer need not be read twice. Not so on tmpfs.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_first_store_of_a_later_mapping_changes_the_times() {
        use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};

        use crate::source::Source;

        for (is_read, is_clean) in [(false, false), (false, true), (true, false), (true, true)] {
            let named = tempfile::NamedTempFile::new().expect("a temporary file");
            named.as_file().write_all_at(&vec![7; LENGTH], 0).expect("room");
            if is_clean {
                named.as_file().sync_all().expect("a disk");
            }
            let path = named.into_temp_path();
            let source = Source::open(&path).expect("a file");
            let is_in_memory = fstatfs(source.file()).expect("a file system").filesystem_type();
            if is_in_memory == TMPFS_MAGIC || has_writer(source.file()).is_none() {
                println!("skipped: a file system on a disk, with leases, is needed");
                return;
            }
            let file = File::options().read(true).write(true).open(&path).expect("the file");
            // SAFETY: nobody cuts the file.
            let mut map = unsafe { MmapMut::map_mut(&file) }.expect("it can be mapped");
            assert!(!is_read || map[LENGTH / 2] == 7);
            source.assert_unchanged().expect("nobody has written yet");
            map[LENGTH / 2] = 8;
            source.assert_unchanged().expect_err("a store changes the times");
        }
    }

    /// Where a writer's page is dirty already, a store to it changes no time.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_store_through_a_mapping_is_noticed_by_the_second_reading() {
        use steadfast_delta::{NewChanged, Options, diff_observed};

        use crate::whole::Whole;

        let named = tempfile::NamedTempFile::new().expect("a temporary file");
        named.as_file().set_len(LENGTH as u64).expect("it can be lengthened");
        // SAFETY: nobody cuts the file, and nobody relies on its bytes.
        let mut map = unsafe { MmapMut::map_mut(named.as_file()) }.expect("it can be mapped");
        map[0] = 1;
        let new = Whole::open(named.path()).expect("a file");
        if has_writer(named.as_file()).is_none() {
            println!("skipped: the file system has no leases");
            return;
        }
        assert!(new.may_be_written());
        let map = std::cell::RefCell::new(map);
        let diff = |read_twice| {
            let options = Options { read_twice, ..Options::default() };
            let store = |_, _| map.borrow_mut()[0] += 1;
            diff_observed(&vec![9; LENGTH], &new, options, io::sink(), &store)
        };
        diff(false).expect("nobody looks again");
        let error = diff(true).expect_err("it changed");
        assert!(error.get_ref().is_some_and(|it| it.is::<NewChanged>()), "{error}");
    }
}
