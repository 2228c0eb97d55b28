//! Fingerprints of the disks that a crash may leave.

use std::hash::{BuildHasher, Hash, Hasher};

use ahash::RandomState;
use steadfast_simulated_disk::DiskModel;

/// Fingerprints that are the same in every run.
pub(crate) fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

/// Fingerprints of the disks that crashes of one disk leave. The files that a crash leaves alone are
/// shared with that disk and hashed once.
pub(crate) struct Fingerprints<'a> {
    state: &'a RandomState,
    /// The files of the disk, with their hashes.
    known: Vec<(&'a [u8], u64)>,
}

impl<'a> Fingerprints<'a> {
    pub(crate) fn new(model: &'a DiskModel, state: &'a RandomState) -> Fingerprints<'a> {
        let known = model.files().map(|it| (it.1, state.hash_one(it.1))).collect();
        Fingerprints { state, known }
    }

    /// The fingerprint of the names and contents of the files on a disk.
    pub(crate) fn of(&self, image: &DiskModel) -> u64 {
        let mut hasher = self.state.build_hasher();
        for (name, bytes) in image.files() {
            name.hash(&mut hasher);
            let known = self.known.iter().find(|it| std::ptr::eq(it.0, bytes));
            known.map_or_else(|| self.state.hash_one(bytes), |it| it.1).hash(&mut hasher);
        }
        hasher.finish()
    }
}
