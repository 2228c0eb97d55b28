//! Digests of effects and of logs, so that a recording need not repeat them.

use std::hash::Hasher;

use serde::Serialize;
use steadfast_protocol::{Effect, Input, Record};
use twox_hash::XxHash3_64;

use crate::Effects;

/// Gathers an input and its effects.
#[derive(Clone, Default)]
pub struct EffectsDigest {
    /// All of them, encoded.
    bytes: Vec<u8>,
    count: u64,
}

impl std::fmt::Debug for EffectsDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.so_far())
    }
}

impl EffectsDigest {
    /// Begins with an input, so that the digest binds its effects to it.
    pub fn begin(&mut self, input: &Input) {
        self.write(input);
    }

    /// Begins with an input that is encoded already.
    pub(crate) fn begin_encoded(&mut self, input: &[u8]) {
        self.bytes.extend_from_slice(input);
    }

    /// Adds the next effect. A checkpoint counts by its length and its version vector: its fold follows from
    /// the records that it stands for, and is as large as all files together.
    pub fn add(&mut self, effect: &Effect) {
        self.count += 1;
        match effect {
            Effect::Checkpoint { checkpoint } => {
                self.write(&(checkpoint.length, checkpoint.fold.vv()));
            }
            effect => self.write(effect),
        }
    }

    fn write(&mut self, value: &impl Serialize) {
        self.bytes = encoded(value, std::mem::take(&mut self.bytes));
    }

    /// The effects so far.
    #[must_use]
    pub fn so_far(&self) -> Effects {
        Effects { count: self.count, digest: XxHash3_64::oneshot(&self.bytes) }
    }

    /// The effects so far; begins the next input.
    pub fn finish(&mut self) -> Effects {
        let effects = self.so_far();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.count = 0;
        effects
    }
}

/// How much memory a digest keeps from one input to the next, in bytes.
const KEPT_BYTES: usize = 1 << 20;

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
