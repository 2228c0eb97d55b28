//! An input as a peer gets it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::meter::Spent;
use super::peer_error::PeerError;

/// What a peer took.
pub(super) struct Measured {
    /// To make what is sent; nothing for what only bounds the other step, or has but one.
    pub encode: Option<Spent>,
    /// To make the new version of it; the same.
    pub apply: Option<Spent>,
    /// From the receiver to the sender.
    pub bytes_up: u64,
    /// From the sender to the receiver.
    pub bytes_down: u64,
}

/// An input in memory.
pub(super) struct Pair {
    /// The old version.
    pub old: Vec<u8>,
    /// The new version.
    pub new: Vec<u8>,
}

/// An input as files.
pub(super) struct PairFiles {
    /// Its name.
    pub name: String,
    /// The folder that holds both versions.
    pub folder: PathBuf,
    /// The file of the old version.
    pub old: PathBuf,
    /// The file of the new version.
    pub new: PathBuf,
    /// The length of the longer version.
    pub length_max: u64,
    /// The length of the new version.
    pub length_new: u64,
}

impl PairFiles {
    /// The versions of this input, in the files `old` and `new` of this folder.
    pub(super) fn in_folder(name: &str, folder: &Path) -> io::Result<PairFiles> {
        let (old, new) = (folder.join("old"), folder.join("new"));
        let (length_old, length_new) = (fs::metadata(&old)?.len(), fs::metadata(&new)?.len());
        let (name, folder) = (name.to_owned(), folder.to_owned());
        let length_max = length_old.max(length_new);
        Ok(PairFiles { name, folder, old, new, length_max, length_new })
    }

    /// Whether a file is the new version.
    pub(super) fn check(&self, result: &Path) -> Result<(), PeerError> {
        const PIECE: u64 = 1 << 20;
        let (mut new, mut result) = (File::open(&self.new)?, File::open(result)?);
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        loop {
            expected.clear();
            found.clear();
            new.by_ref().take(PIECE).read_to_end(&mut expected)?;
            result.by_ref().take(PIECE).read_to_end(&mut found)?;
            if expected != found {
                return Err(PeerError::Wrong);
            }
            if expected.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Pair {
    /// Whether a result is the new version.
    pub(super) fn check(&self, result: &[u8]) -> Result<(), PeerError> {
        if result == self.new { Ok(()) } else { Err(PeerError::Wrong) }
    }
}
