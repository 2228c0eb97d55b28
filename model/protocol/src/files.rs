//! The files that a node shows: the fold of its applied entries.

use std::ops::Bound;

use im::OrdMap;
use im::ordmap::DiffItem;
use serde::{Deserialize, Serialize};

use crate::{Decisions, Entry, Path};

/// The heads of each path: the entries that no applied entry of that path replaces. The first head is
/// the visible one, the others are conflict versions. Deleted paths stay in the map until the node forgets the delete
/// ([`Parameters::forgets_deletes`](crate::Parameters::forgets_deletes)).
///
/// The map is persistent: a snapshot of any number of files is a pointer, and a step that changes no
/// file shares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Files(OrdMap<Path, Vec<Entry>>);

impl Files {
    /// The heads of a path, the visible one first; empty for a path never written.
    #[must_use]
    pub fn heads(&self, path: &Path) -> &[Entry] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    /// The visible version of a path; a deleted path shows its delete.
    #[must_use]
    pub fn visible(&self, path: &Path) -> Option<&Entry> {
        self.heads(path).first()
    }

    /// All paths ever written, in order, with their heads.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &[Entry])> {
        self.0.iter().map(|(path, heads)| (path, heads.as_slice()))
    }

    /// The paths from `first` on, in order, with their heads; all without one.
    pub(crate) fn from(&self, first: Option<&Path>) -> impl Iterator<Item = (&Path, &[Entry])> {
        let from = first.map_or(Bound::Unbounded, Bound::Included);
        let range = self.0.range::<(Bound<&Path>, Bound<&Path>), Path>((from, Bound::Unbounded));
        range.map(|(path, heads)| (path, heads.as_slice()))
    }

    /// The paths that begin with `prefix` and come behind `after`, in order, with their heads. An empty
    /// `after` leaves none out.
    pub fn from_prefix<'a>(
        &'a self,
        prefix: &'a str,
        after: &str,
    ) -> impl Iterator<Item = (&'a Path, &'a [Entry])> {
        let from = match after < prefix || after.is_empty() {
            true => Bound::Included(Path::new(prefix)),
            false => Bound::Excluded(Path::new(after)),
        };
        let range = self.0.range::<(Bound<Path>, Bound<Path>), Path>((from, Bound::Unbounded));
        let range = range.take_while(move |(path, _)| path.as_str().starts_with(prefix));
        range.map(|(path, heads)| (path, heads.as_slice()))
    }

    /// The number of paths with a version; a delete counts as one until it is forgotten.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no path has a version.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths whose heads differ between two snapshots; cheap when they share most of their
    /// structure.
    #[must_use]
    pub fn changed_since(&self, before: &Files) -> Vec<Path> {
        before
            .0
            .diff(&self.0)
            .map(|item| match item {
                DiffItem::Add(path, _) | DiffItem::Remove(path, _) => path.clone(),
                DiffItem::Update { new: (path, _), .. } => path.clone(),
            })
            .collect()
    }

    /// Adds an entry. Merging is a join: causally closed entries give the same files in whatever order
    /// they arrive.
    // Ensures: G2 and G6, because the highest stamp wins in every order of arrival.
    pub fn apply(&mut self, entry: &Entry, decisions: &dyn Decisions) {
        let mut heads = self.heads(&entry.path).to_vec();
        let is_replaced =
            |head: &Entry| entry.replaces.contains(&head.dot) || decisions.yields(head, entry);
        heads.retain(|head| !is_replaced(head));
        let rank = decisions.rank(entry, &heads);
        heads.insert(rank, entry.clone());
        decisions.keep_heads(&mut heads);
        self.put(&entry.path, heads);
    }

    /// Replaces the heads of a path; without heads the path is gone.
    pub(crate) fn put(&mut self, path: &Path, heads: Vec<Entry>) {
        match heads.is_empty() {
            true => self.0.remove(path),
            false => self.0.insert(path.clone(), heads),
        };
    }
}
