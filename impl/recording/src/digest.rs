//! Digests of effects and of logs, so that a recording need not repeat them.

use std::hash::Hasher;

use serde::Serialize;
use steadfast_protocol::{Effect, Record};
use twox_hash::XxHash3_64;

use crate::Effects;

/// Gathers the effects of one input.
#[derive(Clone, Default)]
pub struct EffectsDigest {
    hasher: XxHash3_64,
    count: u64,
    scratch: Vec<u8>,
}

impl std::fmt::Debug for EffectsDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.so_far())
    }
}

impl EffectsDigest {
    /// Adds the next effect. A checkpoint counts by its length and its version vector: its fold follows from
    /// the records that it stands for, and is as large as all files together.
    pub fn add(&mut self, effect: &Effect) {
        self.count += 1;
        self.scratch.clear();
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch = match effect {
            Effect::Checkpoint { checkpoint } => {
                encoded(&(checkpoint.length, checkpoint.fold.vv()), scratch)
            }
            effect => encoded(effect, scratch),
        };
        self.hasher.write(&scratch);
        self.scratch = scratch;
    }

    /// The effects so far.
    #[must_use]
    pub fn so_far(&self) -> Effects {
        Effects { count: self.count, digest: self.hasher.finish() }
    }

    /// The effects so far; begins the next input.
    pub fn finish(&mut self) -> Effects {
        let effects = self.so_far();
        (self.hasher, self.count) = (XxHash3_64::new(), 0);
        effects
    }
}

/// The digest of the records of a log.
#[must_use]
pub fn records_digest(records: &[Record]) -> u64 {
    let mut hasher = XxHash3_64::new();
    let mut scratch = Vec::new();
    for record in records {
        scratch.clear();
        scratch = encoded(record, scratch);
        hasher.write(&scratch);
    }
    hasher.finish()
}

/// Puts the bytes of a value behind those that are there.
pub(crate) fn encoded(value: &impl Serialize, bytes: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(value, bytes)
        .unwrap_or_else(|error| panic!("values-are-encodable: {error}"))
}
