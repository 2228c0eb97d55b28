//! The entries in the logs of nodes, read as bytes without the node: which write made a version, and which ones replaced it.

use std::collections::BTreeMap;
use std::path::Path;

use steadfast_client::Version;
use steadfast_protocol::{Change, Dot, Entry, NodeId, RequestId, Sequence, VersionVector};
use steadfast_store::codec::{decode_checkpoint, decode_record};
use steadfast_wal::{
    Batch, Location, OpenError, RealDisk, SegmentNumber, read_checkpoint, try_inspect,
};

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) path: String,
    pub(crate) is_delete: bool,
    /// As the interface writes it.
    pub(crate) request: String,
    pub(crate) replaces: Vec<Version>,
    /// The entries that its author had logged.
    pub(crate) context: VersionVector,
}

impl Logged {
    /// Whether its author had logged a version.
    pub(crate) fn has_seen(&self, version: Version) -> bool {
        let Version { origin, sequence } = version;
        self.context.covers(Dot { origin: NodeId(origin), sequence: Sequence(sequence) })
    }
}

/// Everything that the logs of a run were seen to hold.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) entries: BTreeMap<Version, Logged>,
    /// Entries with one name that differ between nodes.
    pub(crate) contradictions: Vec<String>,
}

/// The interface's text for the request that carries this idempotency key.
pub(crate) fn request_of(key: &str) -> String {
    let hash = blake3::hash(key.as_bytes());
    let (client, number) = hash.as_bytes().split_at(8);
    let word = |bytes: &[u8]| bytes.iter().take(8).fold(0, |sum, it| sum << 8 | u64::from(*it));
    in_text(RequestId { client: word(client), number: word(number) })
}

fn in_text(request: RequestId) -> String {
    format!("{:016x}/{}", request.client, request.number)
}

impl Logs {
    /// Reads the log of a node that does not run. Nothing is changed.
    ///
    /// # Errors
    /// The log is damaged, or cannot be read.
    pub(crate) fn read(&mut self, data: &Path) -> Result<(), String> {
        let disk = RealDisk::new(data.join("log"));
        let failed = |error: OpenError| error.to_string();
        let (_, state) = read_checkpoint(&disk).map_err(failed)?;
        if !state.is_empty() {
            let checkpoint = decode_checkpoint(&state).map_err(|it| it.to_string())?;
            checkpoint.fold.heads().for_each(|it| self.note(it));
        }
        let mut unreadable = None;
        try_inspect(&disk, &mut |_, batch| {
            for record in batch.records() {
                match decode_record(record.payload) {
                    Ok(record) => record.entries().for_each(|it| self.note(it)),
                    Err(error) => unreadable = Some(error.to_string()),
                }
            }
            Ok::<(), OpenError>(())
        })
        .map_err(failed)?;
        unreadable.map_or(Ok(()), Err)
    }

    fn note(&mut self, entry: &Entry) {
        let version = |dot: &Dot| Version { origin: dot.origin.0, sequence: dot.sequence.0 };
        let logged = Logged {
            path: entry.path.to_string(),
            is_delete: entry.change == Change::Delete,
            request: in_text(entry.request),
            replaces: entry.replaces.iter().map(version).collect(),
            context: entry.context,
        };
        let name = version(&entry.dot);
        match self.entries.get(&name) {
            Some(other) if *other != logged => {
                self.contradictions.push(format!("{name} is {other:?} and {logged:?}"));
            }
            Some(_) => {}
            None => {
                self.entries.insert(name, logged);
            }
        }
    }

    /// Whether the entries of each origin are known without a gap, so that no write can have been replaced by one that is not here.
    pub(crate) fn are_complete(&self) -> bool {
        let mut counts: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
        for version in self.entries.keys() {
            let (count, last) = counts.entry(version.origin).or_default();
            (*count, *last) = (*count + 1, (*last).max(version.sequence));
        }
        counts.values().all(|(count, last)| count == last)
    }
}

/// The segment, the offset and the length in bytes of each batch with records in the log of a node that does not run, in order.
pub(crate) fn batches(data: &Path) -> Result<Vec<(SegmentNumber, u64, u64)>, String> {
    let mut batches = Vec::new();
    let mut visit = |at: Location, batch: &Batch<'_>| {
        if batch.header.count > 0 {
            batches.push((at.segment, at.offset, u64::from(batch.header.length)));
        }
        Ok::<(), OpenError>(())
    };
    try_inspect(&RealDisk::new(data.join("log")), &mut visit).map_err(|it| it.to_string())?;
    Ok(batches)
}
