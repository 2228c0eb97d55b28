//! A disk in memory that checks the calls of the log, and fails the test when one breaks a rule.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{Access, Disk, DiskFile};
use crate::format::checkpoint::Root;
use crate::format::header::Header;
use crate::format::names::{CHECKPOINT, FileName, segment_name};
use crate::{DefaultDecisions, LogIndex, SegmentNumber};

/// Clones are the same disk. Loom sees which records are synced and tries all orders of that. It does
/// not see the other calls, but the locks around them.
#[derive(Clone, Default)]
pub(super) struct WatchedDisk {
    watched: Arc<Mutex<Watched>>,
    /// Every record up to this number is synced. There is none outside of a model.
    durable: Option<Arc<AtomicU64>>,
}

/// The files on the disk, and the rules for them.
#[derive(Clone, Default)]
pub(super) struct Watched {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    files: Vec<Vec<u8>>,
    /// The file of the batch that is written and not synced, and its last record.
    on_its_way: Option<(usize, LogIndex)>,
    /// The first segment that the durable checkpoint needs.
    needed: SegmentNumber,
    fails_syncs: bool,
}

pub(super) struct WatchedFile {
    disk: WatchedDisk,
    inode: usize,
}

impl WatchedDisk {
    pub(super) fn of(watched: &Watched) -> WatchedDisk {
        let watched = Arc::new(Mutex::new(watched.clone()));
        WatchedDisk { watched, durable: Some(Arc::default()) }
    }

    fn on<T>(&self, act: impl FnOnce(&mut Watched) -> T) -> T {
        act(&mut self.watched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn watched(&self) -> Watched {
        self.on(|it| it.clone())
    }

    /// Every record up to this number is synced.
    pub(super) fn durable(&self) -> LogIndex {
        LogIndex(self.durable.as_ref().map_or(0, |it| it.load(Ordering::Acquire)))
    }

    pub(super) fn fail_syncs(&self) {
        self.on(|it| it.fails_syncs = true);
    }

    fn file(&self, inode: usize) -> WatchedFile {
        WatchedFile { disk: self.clone(), inode }
    }
}

impl Watched {
    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A segment loses its name.
    fn give_up(&self, name: &str) {
        if let Some(FileName::Segment(number)) = FileName::parse(name) {
            let needed = self.needed;
            assert!(number < needed, "segment {number} given up, {needed} is the first not needed");
        }
    }

    fn on_batch(&mut self, inode: usize, header: &Header) {
        assert!(self.on_its_way.is_none(), "two batches are on their way");
        let name = segment_name(header.segment);
        assert!(self.durable_names.get(&name) == Some(&inode), "the name of {name} is not durable");
        let last = LogIndex(header.first.0 + u64::from(header.count)).previous();
        self.on_its_way = Some((inode, last));
    }
}

impl Disk for WatchedDisk {
    type File = WatchedFile;
    type Lock = ();

    fn directory(&self) -> String {
        "the watched disk".to_owned()
    }

    fn create_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.on(|it| it.names.keys().cloned().collect()))
    }

    fn lock(&self, _: &str, _: Access) -> io::Result<Option<()>> {
        Ok(Some(()))
    }

    fn create(&self, name: &str, _: Access) -> io::Result<WatchedFile> {
        let inode = self.on(|it| {
            if it.names.contains_key(name) {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists));
            }
            it.files.push(Vec::new());
            it.names.insert(name.to_owned(), it.files.len() - 1);
            Ok(it.files.len() - 1)
        })?;
        Ok(self.file(inode))
    }

    fn open(&self, name: &str, _: Access) -> io::Result<WatchedFile> {
        Ok(self.file(self.on(|it| it.find(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.on(|it| {
            let inode = it.find(from)?;
            it.give_up(from);
            it.names.remove(from);
            it.names.insert(to.to_owned(), inode);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.on(|it| {
            it.find(name)?;
            it.give_up(name);
            it.names.remove(name);
            Ok(())
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.on(|it| {
            it.durable_names = it.names.clone();
            if let Some(inode) = it.names.get(CHECKPOINT) {
                let root =
                    Root::decode(&it.files[*inode], &DefaultDecisions).expect("a checkpoint").0;
                it.needed = root.start.segment;
            }
        });
        Ok(())
    }
}

impl DiskFile for WatchedFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.on(|it| {
            let file = &it.files[self.inode];
            let from = usize::try_from(offset).expect("small").min(file.len());
            let count = bytes.len().min(file.len() - from);
            bytes[..count].copy_from_slice(&file[from..from + count]);
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.on(|it| {
            if let Ok((header, _)) = Header::decode(bytes, &DefaultDecisions) {
                it.on_batch(self.inode, &header);
            }
            let file = &mut it.files[self.inode];
            let from = usize::try_from(offset).expect("small");
            file.resize(file.len().max(from + bytes.len()), 0);
            file[from..from + bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.disk.on(|it| {
            if it.fails_syncs {
                return Err(io::Error::from(io::ErrorKind::Other));
            }
            Ok(it.on_its_way.take_if(|it| it.0 == self.inode).map(|it| it.1))
        })?;
        if let (Some(durable), Some(synced)) = (&self.disk.durable, synced) {
            durable.store(synced.0, Ordering::Release);
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.on(|it| it.files[self.inode].len()) as u64)
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.disk.on(|it| it.files[self.inode].resize(usize::try_from(bytes).expect("small"), 0));
        Ok(())
    }
}
