//! Files in memory, as the system's page cache holds them.
//!
//! Whoever maps a file trusts that nobody changes it: the pages are the file's own. Two things may
//! happen and are dealt with:
//!
//! - The file is cut off. To touch a page behind its new end raises SIGBUS, which would kill the
//!   program. A handler puts zeros in place of the rest of the mapping and remembers it; whoever
//!   has finished reading asks [`Mapped::unchanged`] and throws the result away.
//! - The file is overwritten. Then bytes change while they are looked at. Nothing here or in the
//!   delta engine trusts a byte to stay: every index is checked, so a wrong patch is the worst that
//!   comes of it. The file's length and time tell, as far as the file system's clock goes.
//!
//! A version that differs from a file in a few places is a private mapping of the same file: the
//! pages with these places take memory, all others are the file's, and are watched as it is.

#![allow(unsafe_code)]

use std::fs::{File, Metadata};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use memmap2::{Mmap, MmapOptions};
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// How many files can be mapped at once.
const WATCHED_MAX: usize = 1_024;

/// The mappings that the handler knows of.
static WATCHED: [Watched; WATCHED_MAX] = [const { Watched::nothing() }; WATCHED_MAX];
static INSTALL: Once = Once::new();

/// In place of a first address: no range begins there.
const FREE: usize = usize::MAX;
const RESERVED: usize = usize::MAX - 1;

struct Watched {
    /// The first address.
    start: AtomicUsize,
    end: AtomicUsize,
    cut: AtomicBool,
}

/// A file that is mapped, and is read as long as this lives.
pub(crate) struct Mapped {
    map: Mmap,
    file: File,
    before: Metadata,
    watched: &'static Watched,
}

impl Mapped {
    /// Maps all of a regular file, which must not be empty.
    pub(crate) fn new(file: File) -> io::Result<Mapped> {
        let before = file.metadata()?;
        // SAFETY: what the module says of files that change under the mapping. The mapping is
        // read-only, and `map` is dropped after the last slice of it.
        let map = unsafe { Mmap::map(&file)? };
        let watched = Watched::begin(&map)?;
        Ok(Mapped { map, file, before, watched })
    }

    /// The same file with other bytes in some places. The file is not written to: the pages with
    /// these places are copied, all others are the file's.
    pub(crate) fn overwritten<'a>(
        &self,
        places: impl Iterator<Item = (usize, &'a [u8])>,
    ) -> io::Result<Mapped> {
        let file = self.file.try_clone()?;
        // SAFETY: as in `new`. What is written goes to private pages, before anybody else has a
        // slice of the mapping.
        let mut map = unsafe { MmapOptions::new().len(self.map.len()).map_copy(&file)? };
        let watched = Watched::begin(&map)?;
        for (at, bytes) in places {
            map[at..at + bytes.len()].copy_from_slice(bytes);
        }
        Ok(Mapped { map: map.make_read_only()?, file, before: self.before.clone(), watched })
    }

    /// Whether the file is, as far as one can tell, the same as when it was mapped.
    pub(crate) fn unchanged(&self) -> io::Result<bool> {
        let after = self.file.metadata()?;
        let time = |it: &Metadata| (it.len(), it.mtime(), it.mtime_nsec());
        Ok(!self.watched.cut.load(Ordering::Acquire) && time(&self.before) == time(&after))
    }
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
            cut: AtomicBool::new(false),
        }
    }

    /// Watches a mapping.
    fn begin(map: &[u8]) -> io::Result<&'static Watched> {
        INSTALL.call_once(install);
        let free = WATCHED.iter().find(|it| it.reserve());
        let watched = free.ok_or_else(|| io::Error::other("too many files are mapped at once"))?;
        let start = map.as_ptr() as usize;
        watched.cut.store(false, Ordering::Relaxed);
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

/// Puts zeros behind the end of a watched file that was cut; any other SIGBUS gets what it would
/// have got without this handler.
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
            watched.cut.store(true, Ordering::Release);
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

    #[test]
    fn a_file_that_is_cut_while_it_is_mapped_reads_as_zeros_and_says_so() {
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(1 << 20).expect("it can be lengthened");
        let mapped = Mapped::new(file.try_clone().expect("a handle")).expect("it can be mapped");
        assert!(mapped.unchanged().expect("metadata"));
        file.set_len(5000).expect("it can be cut");
        assert_eq!(mapped.iter().map(|it| u64::from(*it)).sum::<u64>(), 0);
        assert!(!mapped.unchanged().expect("metadata"));
    }

    #[test]
    fn an_overwritten_version_leaves_the_file_as_it_is_and_is_watched_like_it() {
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(1 << 20).expect("it can be lengthened");
        let mapped = Mapped::new(file.try_clone().expect("a handle")).expect("it can be mapped");
        let places = [(4_090, &b"over a page"[..]), ((1 << 20) - 1, b"!")];
        let version = mapped.overwritten(places.into_iter()).expect("it can be mapped");
        assert_eq!(&version[4_089..4_103], b"\0over a page\0\0");
        assert_eq!(version.last(), Some(&b'!'));
        assert!(mapped.iter().all(|it| *it == 0));
        assert!(version.unchanged().expect("metadata"));
        file.set_len(5_000).expect("it can be cut");
        assert_eq!(version[900_000], 0);
        assert!(!version.unchanged().expect("metadata"));
    }

    #[test]
    fn a_file_that_was_cut_and_restored_meanwhile_is_known_by_the_fault() {
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(1 << 20).expect("it can be lengthened");
        let time = file.metadata().expect("metadata").modified().expect("a time");
        let mapped = Mapped::new(file.try_clone().expect("a handle")).expect("it can be mapped");
        file.set_len(5000).expect("it can be cut");
        assert_eq!(mapped[900_000], 0);
        file.set_len(1 << 20).expect("it can be lengthened");
        file.set_modified(time).expect("a time can be set");
        assert!(!mapped.unchanged().expect("metadata"));
    }
}
