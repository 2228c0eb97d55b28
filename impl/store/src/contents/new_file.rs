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
    /// The file to reflink at the first use.
    begins_like: Option<Arc<D::File>>,
    /// The file that this one is a reflink of.
    like: Option<Arc<D::File>>,
    /// The bytes that were written since the last sync began.
    unsynced: u64,
    syncing: Syncing,
    is_concurrent: bool,
    keeps_moved: bool,
}

/// A sync that runs in another thread while the file is written. Dropping it waits for the thread, so that each file
/// has at most one.
#[derive(Default)]
struct Syncing(Option<JoinHandle<io::Result<()>>>);

impl Syncing {
    /// Waits for its end.
    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.0.take() else { return Ok(()) };
        thread.join().map_err(|_| io::Error::other("the thread panicked"))?
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        let _ = self.end();
    }
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
        let (begins_like, like, unsynced, syncing) = (None, None, 0, Syncing::default());
        Ok(NewFile {
            file,
            draft,
            begins_like,
            like,
            unsynced,
            syncing,
            is_concurrent,
            keeps_moved,
        })
    }

    fn failed(&self, call: Call) -> impl FnOnce(io::Error) -> ContentError + use<D> {
        let name = self.draft.name();
        move |source| ContentError::disk(call, &name)(source)
    }

    /// Makes the file a reflink of `old` at its first use, if the disk can do that. A delta that is refused before its
    /// first byte then costs no reflink.
    pub(super) fn begin_like(&mut self, old: Arc<D::File>) {
        self.begins_like = Some(old);
    }

    fn begin(&mut self) -> Result<(), ContentError> {
        let Some(old) = self.begins_like.take() else { return Ok(()) };
        let shares = self.file.reflink(&old).map_err(self.failed(Call::Reflink))?;
        self.like = shares.then_some(old);
        Ok(())
    }

    pub(super) fn set_length(&mut self, length: u64) -> Result<(), ContentError> {
        self.begin()?;
        self.file.set_length(length).map_err(self.failed(Call::SetLength))
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), ContentError> {
        self.begin()?;
        write_full(&*self.file, bytes, offset).map_err(self.failed(Call::Write))?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.begin_sync()?;
        }
        Ok(())
    }

    /// Writes bytes that were read from `old` at `old_offset`. Skips the write if this file is a reflink of that very
    /// file and the offsets are equal.
    pub(super) fn copy(
        &mut self,
        bytes: &[u8],
        offset: u64,
        old: &Arc<D::File>,
        old_offset: u64,
    ) -> Result<(), ContentError> {
        self.begin()?;
        let began_with_them = self.like.as_ref().is_some_and(|it| Arc::ptr_eq(it, old));
        match began_with_them && (offset == old_offset || self.keeps_moved) {
            true => Ok(()),
            false => self.write(bytes, offset),
        }
    }

    /// Whether the file is a reflink, so that it may be longer than its content.
    pub(super) fn is_copy(&self) -> bool {
        self.like.is_some()
    }

    /// Syncs, in another thread if that pays.
    fn begin_sync(&mut self) -> Result<(), ContentError> {
        self.syncing.end().map_err(self.failed(Call::Sync))?;
        if self.is_concurrent {
            let file = Arc::clone(&self.file);
            let thread = thread::Builder::new().name("content-sync".to_owned());
            self.syncing = Syncing(thread.spawn(move || file.sync()).ok());
        }
        // Without a thread, this one syncs.
        match self.syncing {
            Syncing(Some(_)) => Ok(()),
            Syncing(None) => self.file.sync().map_err(self.failed(Call::Sync)),
        }
    }

    /// Makes the bytes durable.
    pub(super) fn sync(&mut self) -> Result<(), ContentError> {
        self.syncing.end().map_err(self.failed(Call::Sync))?;
        self.file.sync().map_err(self.failed(Call::Sync))
    }

    /// The file under its temporary name.
    pub(super) fn into_draft(self) -> Draft<D> {
        self.draft
    }
}
