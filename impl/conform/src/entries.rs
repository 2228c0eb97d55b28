//! All entries of a run, by dot and by path.

use std::collections::{BTreeSet, HashMap};

use steadfast_protocol::{ContentId, Dot, Entry, NodeId, NodeSet, Path, Record};

/// The entries that any node has logged, in the order in which they first appeared.
#[derive(Debug, Default)]
pub(super) struct Entries {
    by_path: HashMap<Path, Vec<Entry>>,
    /// The path of each dot, and the place of its entry there.
    places: HashMap<Dot, (Path, usize)>,
    /// The paths whose entries have named each content.
    by_content: HashMap<ContentId, BTreeSet<Path>>,
}

impl Entries {
    /// Notes an entry that a node has logged. Returns false if another entry has the same dot, unless the log
    /// of its origin was rolled back.
    pub(super) fn note(&mut self, entry: &Entry, rolled_back: NodeSet) -> bool {
        if let Some((path, place)) = self.places.get(&entry.dot) {
            let held = &self.by_path[path][*place];
            if held == entry {
                return true;
            }
            if !rolled_back.contains(entry.dot.origin) {
                return false;
            }
            self.remove(entry.dot);
        }
        if let Some(content) = entry.change.named() {
            self.by_content.entry(content).or_default().insert(entry.path.clone());
        }
        let of_path = self.by_path.entry(entry.path.clone()).or_default();
        self.places.insert(entry.dot, (entry.path.clone(), of_path.len()));
        of_path.push(entry.clone());
        true
    }

    /// A crash took records from the log of a node. Its own entries among them never left it, and it will use
    /// their dots again.
    pub(super) fn forget(&mut self, node: NodeId, gone: &[Record]) {
        let own = gone.iter().filter_map(Record::entry).filter(|it| it.dot.origin == node);
        own.for_each(|it| self.remove(it.dot));
    }

    /// The entries of the same path that appeared after this one.
    pub(super) fn behind(&self, entry: &Entry) -> &[Entry] {
        let of_path = self.by_path.get(&entry.path).map_or(&[][..], Vec::as_slice);
        let begin = self.places.get(&entry.dot).map_or(0, |(_, place)| place + 1);
        of_path.get(begin..).unwrap_or_default()
    }

    /// The paths whose entries have named a content.
    pub(super) fn paths_of(&self, content: ContentId) -> impl Iterator<Item = &Path> {
        self.by_content.get(&content).into_iter().flatten()
    }

    fn remove(&mut self, dot: Dot) {
        let Some((path, place)) = self.places.remove(&dot) else { return };
        if let Some(entries) = self.by_path.get_mut(&path) {
            entries.remove(place);
            for (at, entry) in entries.iter().enumerate().skip(place) {
                if let Some((_, its)) = self.places.get_mut(&entry.dot) {
                    *its = at;
                }
            }
        }
    }
}
