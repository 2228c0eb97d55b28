//! The contents of a simulation, none of them in memory: the user's files, mapped, and
//! changed versions of them.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memmap2::{Mmap, MmapOptions};
use steadfast_sim::Bytes;
use steadfast_sim::scenario::{Scratch, Splice, write_spliced};

use crate::failure::Failure;
use crate::whole::Whole;

/// The files that a simulation uses and that must not change meanwhile.
#[derive(Debug, Default)]
pub(crate) struct MappedFiles {
    /// The files that are not ours, and the versions that share pages with them.
    foreign: RefCell<Vec<Bytes>>,
}

impl MappedFiles {
    /// Takes in a file of the user's.
    pub(crate) fn keep_foreign(&self, whole: Whole) -> Bytes {
        let bytes = Bytes::new(whole);
        self.foreign.borrow_mut().push(bytes.clone());
        bytes
    }

    /// Fails if another process changed a file while it was read, so that a result from it is void.
    pub(crate) fn assert_unchanged(&self) -> Result<(), Failure> {
        let foreign = self.foreign.borrow();
        foreign.iter().filter_map(Bytes::owner::<Whole>).try_for_each(Whole::assert_unchanged)
    }

    /// Overwritten places take the memory of their pages.
    fn overwrite(&self, old: &Bytes, splices: &[Splice]) -> Option<io::Result<Bytes>> {
        let whole = old.owner::<Whole>()?;
        if splices.iter().any(|it| it.removed != it.fresh.len()) {
            return None;
        }
        let version = whole.overwritten(splices.iter().map(|it| (it.at, &*it.fresh)))?;
        Some(version.map(|version| self.keep_foreign(version)))
    }
}

impl Scratch for MappedFiles {
    fn keep(&self, old: &Bytes, splices: &[Splice]) -> io::Result<Bytes> {
        if let Some(overwritten) = self.overwrite(old, splices) {
            return overwritten;
        }
        if let Some(temporary) = old.owner::<Temporary>()
            && let [Splice { at, removed: 0, fresh }] = splices
            && *at == old.len()
            && let Some(grown) = temporary.grown(fresh)
        {
            return grown.map(Bytes::new);
        }
        Temporary::spliced(old, splices).map(Bytes::new)
    }
}

/// A temporary file without a name, where the system keeps such files, and all of it or what came
/// first in it mapped.
#[derive(Debug)]
struct Temporary {
    map: Mmap,
    file: File,
}

impl Temporary {
    fn spliced(old: &[u8], splices: &[Splice]) -> io::Result<Temporary> {
        let mut file = tempfile::tempfile()?;
        write_spliced(old, splices, &mut file)?;
        Temporary::map(file)
    }

    /// The same file, and more behind it; `None` if there is something behind it already.
    fn grown(&self, more: &[u8]) -> Option<io::Result<Temporary>> {
        let length = self.map.len() as u64;
        let is_all = self.file.metadata().is_ok_and(|it| it.len() == length);
        is_all.then(|| {
            let file = self.file.try_clone()?;
            file.write_all_at(more, length)?;
            Temporary::map(file)
        })
    }

    fn map(file: File) -> io::Result<Temporary> {
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        // SAFETY: a mapping is only sound while nobody changes or cuts the file. This one was made
        // here, has no name that anybody could open it by, and is only ever written to behind what
        // is mapped.
        #[allow(unsafe_code)]
        let map = unsafe { MmapOptions::new().len(length).map(&file)? };
        Ok(Temporary { map, file })
    }
}

impl AsRef<[u8]> for Temporary {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use steadfast_sim::scenario::InMemory;

    use super::*;

    fn open(files: &MappedFiles, path: &Path) -> Bytes {
        files.keep_foreign(Whole::open(path).expect("a file"))
    }

    fn splice(at: usize, removed: usize, fresh: &[u8]) -> Splice {
        Splice { at, removed, fresh: fresh.to_vec() }
    }

    #[test]
    fn versions_are_those_that_memory_would_hold() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, [7; 20_000]).expect("a file");
        let files = MappedFiles::default();
        let (mut mapped, mut held) = (open(&files, &path), Bytes::new([7; 20_000]));
        for splices in [
            vec![splice(0, 3, b"abc"), splice(4_094, 4, b"wxyz")],
            vec![splice(10, 0, b"inserted"), splice(19_000, 100, b"")],
            vec![splice(19_908, 0, b"appended")],
            vec![splice(19_916, 0, b"and again")],
            vec![splice(0, 19_925, b"")],
            vec![splice(0, 0, b"more than nothing")],
        ] {
            mapped = files.keep(&mapped, &splices).expect("room for it");
            held = InMemory.keep(&held, &splices).expect("room for it");
            assert_eq!(*mapped, *held);
        }
        assert_eq!(std::fs::read(&path).expect("the file"), [7; 20_000]);
        files.assert_unchanged().expect("nobody changed it");
    }

    #[test]
    fn of_two_versions_that_grow_from_one_each_is_its_own() {
        let files = MappedFiles::default();
        let old = files.keep(&Bytes::new([1; 10]), &[splice(5, 0, b"x")]).expect("room for it");
        let grow = |fresh: &[u8]| files.keep(&old, &[splice(11, 0, fresh)]).expect("room for it");
        let (one, other) = (grow(b"one"), grow(b"other"));
        assert_eq!((&one[10..], &other[10..]), (&b"\x01one"[..], &b"\x01other"[..]));
    }

    #[test]
    fn a_file_that_is_cut_is_known_by_its_name_also_when_only_a_version_met_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, [7; 20_000]).expect("a file");
        let files = MappedFiles::default();
        let mapped = open(&files, &path);
        let version = files.keep(&mapped, &[splice(0, 1, b"!")]).expect("room for it");
        let file = File::options().write(true).open(&path).expect("the file");
        let time = file.metadata().expect("metadata").modified().expect("a time");
        file.set_len(1).expect("it can be cut");
        assert_eq!(version[19_000], 0);
        file.set_len(20_000).expect("it can be lengthened");
        file.set_modified(time).expect("a time can be set");
        let failure = format!("{:?}", files.assert_unchanged().expect_err("it was cut"));
        assert!(failure.contains(path.to_str().expect("a name")), "{failure}");
    }
}
