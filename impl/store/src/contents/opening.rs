//! Opening a directory of contents.

use std::collections::BTreeMap;

use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Access, Call, Disk};

use super::manifests::{make_manifest, rename, write_manifest};
use super::names::{self, Name};
use super::{ContentDecisions, ContentError, Index};

/// Locks the directory and finds the contents in it.
pub(super) fn open<D: Disk>(
    disk: &D,
    decisions: &dyn ContentDecisions,
) -> Result<(D::Lock, Index), ContentError> {
    let directory = disk.directory();
    disk.create_directory().map_err(ContentError::disk(Call::CreateDirectory, &directory))?;
    let lock = disk.lock(names::LOCK, Access::Write);
    let lock = lock.map_err(ContentError::disk(Call::Lock, names::LOCK))?;
    let lock = lock.ok_or_else(|| {
        let is_this_process = disk.is_locked_by_this_process(names::LOCK);
        ContentError::InUse { directory: directory.clone(), is_this_process }
    })?;
    let found = Found::list(disk, decisions)?;
    let index = found.complete(disk, decisions)?;
    // A process that died may have left names that are seen and not durable.
    if decisions.syncs_directory_when_opening() {
        disk.sync_directory().map_err(ContentError::disk(Call::SyncDirectory, &directory))?;
    }
    Ok((lock, index))
}

/// The names in a directory.
struct Found {
    /// In order.
    contents: Vec<ContentId>,
    /// In the order of their contents.
    manifests: Vec<(ContentId, u64)>,
}

impl Found {
    fn list<D: Disk>(disk: &D, decisions: &dyn ContentDecisions) -> Result<Found, ContentError> {
        let directory = disk.directory();
        let mut found = Found { contents: Vec::new(), manifests: Vec::new() };
        for name in disk.list().map_err(ContentError::disk(Call::List, &directory))? {
            match names::parse(&name) {
                Name::Content(content) => found.contents.push(content),
                Name::Manifest(content, length) => found.manifests.push((content, length)),
                Name::Draft if decisions.removes_temporary_files() => {
                    disk.remove(&name).map_err(ContentError::disk(Call::Remove, &name))?;
                }
                Name::Draft | Name::Other => {}
            }
        }
        found.contents.sort_unstable();
        found.manifests.sort_unstable();
        Ok(found)
    }

    /// Pairs contents with manifests. Removes a manifest without a content, and makes one for a content
    /// without.
    fn complete<D: Disk>(
        self,
        disk: &D,
        decisions: &dyn ContentDecisions,
    ) -> Result<Index, ContentError> {
        let mut manifests = self.manifests.into_iter().peekable();
        let (mut lengths, mut alone) = (Vec::with_capacity(self.contents.len()), Vec::new());
        let mut useless = Vec::new();
        for content in self.contents {
            while let Some(before) = manifests.next_if(|it| it.0 < content) {
                useless.push(before);
            }
            match manifests.next_if(|it| it.0 == content) {
                Some((_, length)) => lengths.push((content, length)),
                None => alone.push(content),
            }
            while let Some(second) = manifests.next_if(|it| it.0 == content) {
                // A content has one length, so at least one of the two is no manifest of it. A reader makes
                // a good one if this is the bad one.
                useless.push(second);
            }
        }
        useless.extend(manifests);
        for (content, length) in useless {
            let name = names::manifest(content, length);
            disk.remove(&name).map_err(ContentError::disk(Call::Remove, &name))?;
        }
        let bytes = lengths.iter().map(|it| it.1).sum();
        let lengths: BTreeMap<ContentId, u64> = lengths.into_iter().collect();
        let mut index = Index { lengths, bytes, ..Index::default() };
        for content in alone {
            complete_alone(disk, content, decisions, &mut index)?;
        }
        Ok(index)
    }
}

/// A content without a manifest: it is read, and gets a manifest if it is the one that its name says.
/// Otherwise it is kept as a bad copy.
fn complete_alone<D: Disk>(
    disk: &D,
    content: ContentId,
    decisions: &dyn ContentDecisions,
    index: &mut Index,
) -> Result<(), ContentError> {
    let name = names::content(content);
    let file = disk.open(&name, Access::Read).map_err(ContentError::disk(Call::Open, &name))?;
    let manifest = make_manifest(&file, &name)?;
    index.insert(content, manifest.length());
    if manifest.root().0 != content.0 && !decisions.believes_content_without_manifest() {
        index.bad.insert(content);
        return Ok(());
    }
    let draft = names::draft(0);
    write_manifest(disk, &manifest, &draft)?;
    rename(disk, &draft, &names::manifest(content, manifest.length()))
}
