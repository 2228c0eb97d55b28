//! The files that a node shows: the fold of its applied entries.

use std::hash::{Hash, Hasher};
use std::ops::Bound;

use im::ordmap::DiffItem;
use im::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::{Change, Decisions, Entry, Path};

/// The heads of each path: the entries that no applied entry of that path replaces. The first head is
/// the visible one, the others are conflict versions. Deleted paths stay in the map until the node forgets the delete
/// ([`Parameters::forgets_deletes`](crate::Parameters::forgets_deletes)).
///
/// The map is persistent: a snapshot of any number of files is a pointer, and a step that changes no
/// file shares it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "OrdMap<Path, Vec<Entry>>", into = "OrdMap<Path, Vec<Entry>>")]
pub struct Files {
    paths: OrdMap<Path, Vec<Entry>>,
    /// The paths whose only head is a delete. They follow from `paths`, so they are neither compared nor written. A
    /// node that forgets deletes looks at these alone.
    deleted: OrdSet<Path>,
}

impl PartialEq for Files {
    fn eq(&self, other: &Files) -> bool {
        self.paths == other.paths
    }
}

impl Eq for Files {}

impl Hash for Files {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.paths.hash(state);
    }
}

impl From<OrdMap<Path, Vec<Entry>>> for Files {
    fn from(paths: OrdMap<Path, Vec<Entry>>) -> Files {
        let deleted = paths.iter().filter(|(_, heads)| is_deleted(heads));
        let deleted = deleted.map(|(path, _)| path.clone()).collect();
        Files { paths, deleted }
    }
}

impl From<Files> for OrdMap<Path, Vec<Entry>> {
    fn from(files: Files) -> Self {
        files.paths
    }
}

/// Whether a path with these heads is deleted, and has no other version.
fn is_deleted(heads: &[Entry]) -> bool {
    matches!(heads, [only] if only.change == Change::Delete)
}

impl Files {
    /// The heads of a path, the visible one first; empty for a path never written.
    #[must_use]
    pub fn heads(&self, path: &Path) -> &[Entry] {
        self.paths.get(path).map_or(&[], Vec::as_slice)
    }

    /// The visible version of a path; a deleted path shows its delete.
    #[must_use]
    pub fn visible(&self, path: &Path) -> Option<&Entry> {
        self.heads(path).first()
    }

    /// All paths ever written, in order, with their heads.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &[Entry])> {
        self.paths.iter().map(|(path, heads)| (path, heads.as_slice()))
    }

    /// The heads of each path that is deleted and has no other version, in the order of the paths.
    pub(crate) fn deleted(&self) -> impl Iterator<Item = &[Entry]> {
        self.deleted.iter().map(|path| self.heads(path))
    }

    /// The paths from `first` on, in order, with their heads; all without one.
    pub(crate) fn from(&self, first: Option<&Path>) -> impl Iterator<Item = (&Path, &[Entry])> {
        let from = first.map_or(Bound::Unbounded, Bound::Included);
        let range =
            self.paths.range::<(Bound<&Path>, Bound<&Path>), Path>((from, Bound::Unbounded));
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
        let range = self.paths.range::<(Bound<Path>, Bound<Path>), Path>((from, Bound::Unbounded));
        let range = range.take_while(move |(path, _)| path.as_str().starts_with(prefix));
        range.map(|(path, heads)| (path, heads.as_slice()))
    }

    /// The number of paths with a version; a delete counts as one until it is forgotten.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether no path has a version.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The paths whose heads differ between two snapshots; cheap when they share most of their
    /// structure.
    #[must_use]
    pub fn changed_since(&self, before: &Files) -> Vec<Path> {
        before
            .paths
            .diff(&self.paths)
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
        if is_deleted(&heads) {
            self.deleted.insert(path.clone());
        } else if !self.deleted.is_empty() {
            self.deleted.remove(path);
        }
        match heads.is_empty() {
            true => self.paths.remove(path),
            false => self.paths.insert(path.clone(), heads),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Content, Counter, Digest, Dot, EntryBody, Incarnation, NodeId, RequestId, Sealed, Sequence,
        Stamp, Steadfast, VersionVector,
    };

    fn entry(sequence: u64, path: &str, change: Change, replaces: &[u64]) -> Entry {
        let dot = |it| Dot { origin: NodeId(0), sequence: Sequence(it) };
        Sealed::new(EntryBody {
            dot: dot(sequence),
            stamp: Stamp { fence: None, counter: Counter(sequence), origin: NodeId(0) },
            context: VersionVector::default(),
            incarnation: Incarnation::default(),
            context_digest: Digest::default(),
            replaces: replaces.iter().copied().map(dot).collect(),
            path: Path::new(path),
            change,
            request: RequestId { client: 1, number: sequence },
        })
    }

    #[test]
    fn deleted_paths_are_those_whose_only_head_is_a_delete() {
        let put = || Change::Put(Content::Inline([7].into()));
        let mut files = Files::default();
        let mut expect = |entry: Entry, expected: &[&str]| {
            files.apply(&entry, &Steadfast);
            let found: Vec<&str> = files.deleted().map(|it| it[0].path.as_str()).collect();
            assert_eq!(found, expected, "after {entry}");
            let again: Files = files.paths.clone().into();
            assert!(again.deleted == files.deleted && again == files);
        };
        expect(entry(1, "a", put(), &[]), &[]);
        expect(entry(2, "b", put(), &[]), &[]);
        expect(entry(3, "a", Change::Delete, &[1]), &["a"]);
        // It leaves the other version in a conflict.
        expect(entry(4, "b", Change::Delete, &[4]), &["a"]);
        expect(entry(5, "b", Change::Delete, &[2, 4]), &["a", "b"]);
        expect(entry(6, "a", put(), &[3]), &["b"]);
        files.put(&Path::new("b"), Vec::new());
        assert!(files.deleted().next().is_none());
    }

    #[test]
    fn a_page_of_paths_begins_behind_the_last_one_and_ends_with_the_prefix() {
        let mut files = Files::default();
        assert!(files.is_empty());
        for (path, sequence) in ["a", "b/1", "b/2", "b/3", "c"].into_iter().zip(1..) {
            files.apply(&entry(sequence, path, Change::Delete, &[]), &Steadfast);
        }
        assert!(!files.is_empty());
        let pages: [(&str, &str, &[&str]); 8] = [
            ("", "", &["a", "b/1", "b/2", "b/3", "c"]),
            ("b/", "", &["b/1", "b/2", "b/3"]),
            ("b/", "a", &["b/1", "b/2", "b/3"]),
            ("b/", "b/1", &["b/2", "b/3"]),
            ("b/1", "b/1", &[]),
            ("b/", "c", &[]),
            // Paths lie between the two.
            ("c", "a", &["c"]),
            ("", "b/3", &["c"]),
        ];
        for (prefix, after, expected) in pages {
            let found = files.from_prefix(prefix, after).map(|it| it.0.as_str());
            assert_eq!(found.collect::<Vec<_>>(), expected, "{prefix:?} behind {after:?}");
        }
    }

    #[test]
    fn files_differ_by_what_has_changed() {
        let files = |last: &str| {
            let mut files = Files::default();
            for (path, sequence) in ["a", "b", last].into_iter().zip(1..) {
                files.apply(&entry(sequence, path, Change::Delete, &[]), &Steadfast);
            }
            files
        };
        assert!(files("c") == files("c") && files("c") != files("d"));
        assert_eq!(files("c").changed_since(&files("d")), ["c", "d"].map(Path::new));
        assert_eq!(files("c").changed_since(&files("c")), []);
        // Another version of b.
        assert_eq!(files("b").changed_since(&files("c")), ["b", "c"].map(Path::new));
        let paths: OrdMap<Path, Vec<Entry>> = files("c").into();
        assert_eq!(paths.keys().map(Path::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
