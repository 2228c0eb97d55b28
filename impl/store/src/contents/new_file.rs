//! The file of a content that is being written.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use steadfast_wal::disk::{Access, Call, Disk, DiskFile};

use super::manifests::{discard, write_full};
use super::{ContentError, Contents, names};

/// A file is synced whenever this many bytes have been written, so that the last sync, for which the node
/// waits, is short, and other syncs of the disk are not held up for long.
const SYNC_BYTES: u64 = 16 << 20;

/// A temporary file, removed when dropped unless it was renamed.
pub(super) struct Draft<D: Disk> {
    disk: Arc<D>,
    number: u64,
    pub(super) is_gone: bool,
}

impl<D: Disk> Drop for Draft<D> {
    fn drop(&mut self) {
        if !self.is_gone {
            discard(&*self.disk, self.number);
        }
    }
}

impl<D: Disk> Draft<D> {
    pub(super) fn of(contents: &Contents<D>) -> Draft<D> {
        let number = contents.next_draft();
        Draft { disk: Arc::clone(&contents.disk), number, is_gone: false }
    }

    pub(super) fn name(&self) -> String {
        names::draft(self.number)
    }
}

/// The file of a content until it has its name.
pub(super) struct NewFile<D: Disk> {
    file: Arc<D::File>,
    draft: Draft<D>,
    /// The file whose bytes this one began with.
    like: Option<Arc<D::File>>,
    /// The bytes that were written since the last sync began.
    unsynced: u64,
    /// The sync that goes on while more bytes come.
    syncing: Option<JoinHandle<io::Result<()>>>,
    is_concurrent: bool,
    keeps_moved: bool,
}

impl<D: Disk> fmt::Debug for NewFile<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewFile").field("draft", &self.draft.name()).finish_non_exhaustive()
    }
}

impl<D: Disk> NewFile<D> {
    pub(super) fn create(contents: &Contents<D>) -> Result<NewFile<D>, ContentError> {
        let draft = Draft::of(contents);
        let name = draft.name();
        let file = contents.disk.create(&name, Access::Write);
        let file = Arc::new(file.map_err(ContentError::disk(Call::Create, &name))?);
        let is_concurrent = contents.disk.is_concurrent();
        let keeps_moved = contents.decisions.keeps_moved_bytes();
        let (unsynced, syncing) = (0, None);
        Ok(NewFile { file, draft, like: None, unsynced, syncing, is_concurrent, keeps_moved })
    }

    fn failed(&self, call: Call) -> impl FnOnce(io::Error) -> ContentError + use<D> {
        let name = self.draft.name();
        move |source| ContentError::disk(call, &name)(source)
    }

    /// Begins with the bytes of another file, before anything is written, if the disk lets files share blocks.
    /// Returns whether it does.
    pub(super) fn begin_like(&mut self, old: &Arc<D::File>) -> Result<bool, ContentError> {
        let shares = self.file.reflink(old).map_err(self.failed(Call::Reflink))?;
        self.like = shares.then(|| Arc::clone(old));
        Ok(shares)
    }

    pub(super) fn set_length(&self, length: u64) -> Result<(), ContentError> {
        self.file.set_length(length).map_err(self.failed(Call::SetLength))
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), ContentError> {
        write_full(&*self.file, bytes, offset).map_err(self.failed(Call::Write))?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.begin_sync()?;
        }
        Ok(())
    }

    /// As [`NewFile::write`], of bytes that were read from `old` at `old_offset`: they are there already if this
    /// file began with those of `old` and they stay where they were.
    pub(super) fn copy(
        &mut self,
        bytes: &[u8],
        offset: u64,
        old: &Arc<D::File>,
        old_offset: u64,
    ) -> Result<(), ContentError> {
        let began_with_them = self.like.as_ref().is_some_and(|it| Arc::ptr_eq(it, old));
        match began_with_them && (offset == old_offset || self.keeps_moved) {
            true => Ok(()),
            false => self.write(bytes, offset),
        }
    }

    /// Syncs, in another thread if that pays.
    fn begin_sync(&mut self) -> Result<(), ContentError> {
        self.end_sync()?;
        if self.is_concurrent {
            let file = Arc::clone(&self.file);
            let thread = thread::Builder::new().name("content-sync".to_owned());
            self.syncing = thread.spawn(move || file.sync()).ok();
        }
        // Here, if no thread can be started.
        match self.syncing {
            Some(_) => Ok(()),
            None => self.file.sync().map_err(self.failed(Call::Sync)),
        }
    }

    /// Waits for the sync that goes on.
    fn end_sync(&mut self) -> Result<(), ContentError> {
        let Some(syncing) = self.syncing.take() else { return Ok(()) };
        let synced = syncing.join().map_err(|_| io::Error::other("the thread panicked"));
        synced.and_then(|it| it).map_err(self.failed(Call::Sync))
    }

    /// Makes the bytes durable.
    pub(super) fn sync(&mut self) -> Result<(), ContentError> {
        self.end_sync()?;
        self.file.sync().map_err(self.failed(Call::Sync))
    }

    /// The file under its temporary name.
    pub(super) fn into_draft(self) -> Draft<D> {
        self.draft
    }
}
