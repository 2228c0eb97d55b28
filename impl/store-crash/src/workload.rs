//! The operations of a run.

use std::ops::Range;
use std::sync::OnceLock;

use steadfast_delta::manifest::{Depth, Manifest, Root};
use steadfast_protocol::ContentId;

/// One of two contents of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Letter {
    /// The first.
    A,
    /// The second.
    B,
}

/// The length of each content: more than a sector.
const LENGTH: usize = 700;
/// The bytes that both contents have at the same place.
pub(crate) const COMMON: Range<usize> = 0..300;
/// The bytes of the second content that the first one has elsewhere.
pub(crate) const MOVED: Range<usize> = 300..500;
/// How much further on the first one has them.
pub(crate) const MOVED_BY: usize = 100;

impl Letter {
    /// Both.
    pub const ALL: [Letter; 2] = [Letter::A, Letter::B];

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn other(self) -> Letter {
        match self {
            Letter::A => Letter::B,
            Letter::B => Letter::A,
        }
    }

    pub(crate) fn bytes(self) -> &'static [u8] {
        static BYTES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
        let a = |at: usize| (at * 7).to_le_bytes()[0];
        let b = |at: usize| match at {
            _ if COMMON.contains(&at) => a(at),
            _ if MOVED.contains(&at) => a(at + MOVED_BY),
            _ => (at * 11).to_le_bytes()[0],
        };
        let make = || [(0..LENGTH).map(a).collect(), (0..LENGTH).map(b).collect()];
        &BYTES.get_or_init(make)[self.index()]
    }

    pub(crate) fn id(self) -> ContentId {
        static IDS: OnceLock<[ContentId; 2]> = OnceLock::new();
        let id = |it: Letter| ContentId(Manifest::of(it.bytes(), Depth::Chunks).root().0);
        IDS.get_or_init(|| Letter::ALL.map(id))[self.index()]
    }

    /// The name of its file.
    pub(crate) fn file(self) -> String {
        Root(self.id().0).to_string()
    }

    /// The name of its manifest.
    pub(crate) fn manifest(self) -> String {
        format!("{}-{LENGTH}", self.file())
    }
}

/// A step of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The content is written and finished. It replaces the copy that is there.
    Put(Letter),
    /// The second content is received as one that shares bytes with the first, if there is a good copy of that; else
    /// it is written.
    PutLike,
    /// The content is written in two pieces and dropped.
    Abandon(Letter),
    /// The bytes of the other content are finished under the name of this one, which must be refused.
    PutOther(Letter),
    /// The content is removed.
    Remove(Letter),
    /// All contents are scrubbed.
    Scrub,
    /// The contents are closed and opened again.
    Reopen,
    /// A bit of the content's file flips.
    Rot(Letter),
    /// The manifest of the content is lost.
    LoseManifest(Letter),
    /// The files of the two contents, if both are there, change their names, and so do the manifests.
    Swap,
}

/// Operations in their order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workload(pub Vec<Operation>);

const OPERATIONS: [Operation; 11] = [
    Operation::Put(Letter::A),
    Operation::Put(Letter::B),
    Operation::PutLike,
    Operation::Abandon(Letter::A),
    Operation::PutOther(Letter::A),
    Operation::Remove(Letter::A),
    Operation::Scrub,
    Operation::Reopen,
    Operation::Rot(Letter::A),
    Operation::LoseManifest(Letter::A),
    Operation::Swap,
];

/// All workloads of one to this many operations.
#[must_use]
pub fn short_workloads(length_max: usize) -> Vec<Workload> {
    let mut all = Vec::new();
    let mut of_length = vec![Vec::new()];
    for _ in 0..length_max {
        of_length = of_length.iter().flat_map(|before| longer(before)).collect();
        all.extend(of_length.iter().cloned().map(Workload));
    }
    all
}

fn longer(before: &[Operation]) -> impl Iterator<Item = Vec<Operation>> {
    OPERATIONS.iter().map(move |next| [before, &[*next]].concat())
}

/// Longer workloads: contents that go bad and are replaced, removed and written again.
#[must_use]
pub fn long_workloads() -> Vec<Workload> {
    use Letter::{A, B};
    use Operation::{LoseManifest, Put, PutLike, Remove, Reopen, Rot, Scrub, Swap};
    [
        vec![Put(A), Rot(A), Scrub, Put(A)],
        vec![Put(A), Rot(A), Put(A), Scrub],
        vec![Put(A), Rot(A), Reopen, Scrub, Put(A), Put(A)],
        vec![Put(A), Rot(A), LoseManifest(A)],
        vec![Put(A), Rot(A), LoseManifest(A), Reopen],
        vec![Put(A), Rot(A), LoseManifest(A), Reopen, Put(A)],
        vec![Put(A), Put(B), Swap, Scrub],
        vec![Put(A), Put(B), Swap, Put(A), Put(B)],
        vec![Put(A), Remove(A), Put(A), Remove(A)],
        vec![Put(A), Remove(A), Put(B), Put(A)],
        vec![Put(A), Put(B), Remove(A), Scrub, Reopen],
        vec![Put(A), LoseManifest(A), Remove(A), Reopen, Put(A)],
        vec![Put(A), PutLike, Remove(A), Scrub, Reopen],
        vec![Put(A), PutLike, Rot(A), Put(A), PutLike],
    ]
    .map(Workload)
    .to_vec()
}
