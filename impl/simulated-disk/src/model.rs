//! A disk as a value: the files as a reader sees them, and the files as they are durable.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A file, whatever it is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Inode(u32);

/// A change of names that happens as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set(Arc<str>, Inode),
    Rename(Arc<str>, Arc<str>, Inode),
    Remove(Arc<str>),
}

/// A change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Bytes(u64, Arc<[u8]>),
    Length(u64),
}

/// A change of a file that is not durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) write: Write,
    /// Whether a sync of it has failed: later syncs leave it out.
    pub(crate) is_abandoned: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileModel {
    pub(crate) seen: Arc<Vec<u8>>,
    pub(crate) durable: Arc<Vec<u8>>,
    pub(crate) pending: Vec<Pending>,
}

/// The names of files.
pub(crate) type Names = BTreeMap<Arc<str>, Inode>;

/// A disk with one directory on it. Cloning it is cheap: clones share whatever neither changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskModel {
    is_there: bool,
    pub(crate) names: Arc<Names>,
    pub(crate) durable_names: Arc<Names>,
    pub(crate) changes: Vec<Change>,
    pub(crate) files: BTreeMap<Inode, Arc<FileModel>>,
    next: u32,
}

impl DiskModel {
    /// A disk with these files on it, all durable.
    #[must_use]
    pub fn of(files: &[(&str, &[u8])]) -> DiskModel {
        let mut model = DiskModel { is_there: true, ..DiskModel::default() };
        for (name, bytes) in files {
            let inode = model.fresh();
            let bytes = Arc::new(bytes.to_vec());
            let file = FileModel { seen: Arc::clone(&bytes), durable: bytes, pending: Vec::new() };
            model.files.insert(inode, Arc::new(file));
            Arc::make_mut(&mut model.names).insert((*name).into(), inode);
        }
        model.durable_names = Arc::clone(&model.names);
        model
    }

    /// The files as a reader sees them, in order of their names.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.names.iter().map(|(name, inode)| (&**name, self.files[inode].seen.as_slice()))
    }

    /// The bytes of a file as a reader sees them.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.names.get(name).map(|it| self.files[it].seen.as_slice())
    }

    /// Replaces the bytes of a file, durably; makes it if it is not there.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        let inode = self.names.get(name).copied().unwrap_or_else(|| self.fresh());
        let bytes = Arc::new(bytes);
        let file = FileModel { seen: Arc::clone(&bytes), durable: bytes, pending: Vec::new() };
        self.files.insert(inode, Arc::new(file));
        Arc::make_mut(&mut self.names).insert(name.into(), inode);
        Arc::make_mut(&mut self.durable_names).insert(name.into(), inode);
    }

    /// Removes a file, durably.
    pub fn take(&mut self, name: &str) {
        Arc::make_mut(&mut self.names).remove(name);
        Arc::make_mut(&mut self.durable_names).remove(name);
    }

    /// This disk with other files on it, all durable.
    pub(crate) fn with(
        &self,
        names: Arc<Names>,
        files: BTreeMap<Inode, Arc<FileModel>>,
    ) -> DiskModel {
        DiskModel {
            is_there: self.is_there,
            durable_names: Arc::clone(&names),
            names,
            changes: Vec::new(),
            files,
            next: self.next,
        }
    }

    fn fresh(&mut self) -> Inode {
        self.next += 1;
        Inode(self.next)
    }

    pub(crate) fn create_directory(&mut self) {
        self.is_there = true;
    }

    pub(crate) fn list(&self) -> io::Result<Vec<String>> {
        if !self.is_there {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(self.names.keys().map(|it| it.to_string()).collect())
    }

    pub(crate) fn find(&self, name: &str) -> io::Result<Inode> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn create(&mut self, name: &str) -> io::Result<Inode> {
        if !self.is_there {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.fresh();
        self.files.insert(inode, Arc::default());
        self.change(Change::Set(name.into(), inode));
        Ok(inode)
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.find(from)?;
        self.change(Change::Rename(from.into(), to.into(), inode));
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.find(name)?;
        self.change(Change::Remove(name.into()));
        Ok(())
    }

    fn change(&mut self, change: Change) {
        change.apply(Arc::make_mut(&mut self.names));
        self.changes.push(change);
    }

    pub(crate) fn sync_directory(&mut self) {
        self.durable_names = Arc::clone(&self.names);
        self.changes.clear();
    }

    pub(crate) fn length(&self, inode: Inode) -> u64 {
        self.files[&inode].seen.len() as u64
    }

    /// The length of all files together.
    pub(crate) fn bytes(&self) -> u64 {
        self.names.values().map(|it| self.length(*it)).sum()
    }

    pub(crate) fn read(&self, inode: Inode, bytes: &mut [u8], offset: u64) -> usize {
        let seen = &self.files[&inode].seen;
        let from = usize::try_from(offset).map_or(seen.len(), |it| it.min(seen.len()));
        let count = bytes.len().min(seen.len() - from);
        bytes[..count].copy_from_slice(&seen[from..from + count]);
        count
    }

    pub(crate) fn write(&mut self, inode: Inode, bytes: &[u8], offset: u64) {
        self.pend(inode, Write::Bytes(offset, bytes.into()));
    }

    pub(crate) fn set_length(&mut self, inode: Inode, bytes: u64) {
        self.pend(inode, Write::Length(bytes));
    }

    fn pend(&mut self, inode: Inode, write: Write) {
        if let Some(file) = self.files.get_mut(&inode).map(Arc::make_mut) {
            write.apply(Arc::make_mut(&mut file.seen));
            file.pending.push(Pending { write, is_abandoned: false });
        }
    }

    pub(crate) fn sync(&mut self, inode: Inode) {
        let Some(file) = self.files.get_mut(&inode).map(Arc::make_mut) else {
            return;
        };
        if file.pending.iter().any(|it| it.is_abandoned) {
            let durable = Arc::make_mut(&mut file.durable);
            file.pending.retain(|it| {
                if !it.is_abandoned {
                    it.write.apply(durable);
                }
                it.is_abandoned
            });
        } else if file.pending.iter().map(|it| it.write.bytes()).sum::<usize>()
            < file.seen.len() / 4
        {
            // To share the bytes would make the next write copy them all.
            let durable = Arc::make_mut(&mut file.durable);
            file.pending.drain(..).for_each(|it| it.write.apply(durable));
        } else {
            file.durable = Arc::clone(&file.seen);
            file.pending.clear();
        }
    }

    /// Notes that a sync has failed: the changes that it was to make durable are abandoned.
    pub(crate) fn fail_sync(&mut self, inode: Inode) {
        if let Some(file) = self.files.get_mut(&inode).map(Arc::make_mut) {
            file.pending.iter_mut().for_each(|it| it.is_abandoned = true);
        }
    }
}

impl Change {
    pub(crate) fn apply(&self, names: &mut Names) {
        match self {
            Change::Set(name, inode) => {
                names.insert(Arc::clone(name), *inode);
            }
            Change::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(Arc::clone(to), *inode);
            }
            Change::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Write {
    /// How many bytes are written.
    fn bytes(&self) -> usize {
        match self {
            Write::Bytes(_, new) => new.len(),
            Write::Length(_) => 0,
        }
    }

    /// The length of a file of this length after the change.
    pub(crate) fn length_after(&self, length: usize) -> usize {
        match self {
            Write::Bytes(offset, new) => {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                length.max(from + new.len())
            }
            Write::Length(length) => usize::try_from(*length).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Write::Bytes(offset, new) => {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                let end = from + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[from..end].copy_from_slice(new);
            }
            Write::Length(length) => {
                bytes.resize(usize::try_from(*length).unwrap_or(usize::MAX), 0);
            }
        }
    }
}
