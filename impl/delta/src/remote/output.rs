//! The new content as the receiver makes it.

use std::ops::Range;

use super::effect::Effect;
use super::error::RemoteError;
use crate::apply::driver::{Failure, Target, judge, run};
use crate::manifest::{Manifest, ManifestBuilder};
use crate::wire::operations::Changes;
use crate::wire::reader::PatchReader;
use crate::wire::source::InMemory;

/// Makes effects, and the manifest of the content that they make.
pub(super) struct Output<'a> {
    old: &'a [u8],
    manifest: ManifestBuilder,
    /// The bytes that are still to come.
    left: u64,
    /// The memory that the effects of a delta may still take. In the other messages they are bounded
    /// as they are.
    room: u64,
    /// The sender sent more bytes than it named, or more than there is room for. Colliding names can cause
    /// this, so it is no error: the result has another root.
    is_too_long: bool,
    effects: Vec<Effect>,
}

/// A delta of a few bytes can ask for any number of effects. If they take more memory than this and more
/// than [`DELTA_ROOM_PER_BYTE`] times the length of the delta, the receiver asks for an offer instead, whose
/// messages are bounded.
const DELTA_ROOM: u64 = 64 << 20;
/// See [`DELTA_ROOM`]. A delta of ordinary contents has far fewer effects.
const DELTA_ROOM_PER_BYTE: u64 = 16;

impl<'a> Output<'a> {
    /// Room for a new content of this length; much of it is probably in the old content, which has this manifest.
    pub(super) fn new(old: &'a [u8], length: u64, like: &Manifest) -> Output<'a> {
        Output {
            old,
            manifest: ManifestBuilder::like(like),
            left: length,
            room: u64::MAX,
            is_too_long: false,
            effects: vec![],
        }
    }

    /// Everything that a patch makes.
    pub(super) fn of_patch(
        old: &'a [u8],
        patch: &[u8],
        length: u64,
        like: &Manifest,
    ) -> Result<Output<'a>, RemoteError> {
        let mut reader = PatchReader::open(InMemory(patch))?;
        judge(&mut reader, old.len() as u64, length)?;
        let mut output = Output::new(old, length, like);
        output.room = DELTA_ROOM + DELTA_ROOM_PER_BYTE * patch.len() as u64;
        run(&mut reader, &mut output)?;
        Ok(output)
    }

    pub(super) fn append_old(&mut self, range: Range<u64>) {
        let length = range.end - range.start;
        if self.takes(length, 0) {
            self.manifest.update(&self.old[range.start as usize..range.end as usize]);
            self.effects.push(Effect::Copy { offset: range.start, length });
        }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if self.takes(length, length) {
            self.manifest.update(bytes);
            self.effects.push(Effect::Write(bytes.to_vec()));
        }
    }

    /// Whether there is room for an effect that makes `length` bytes and holds this number of them.
    fn takes(&mut self, length: u64, held: u64) -> bool {
        let room = self.room.checked_sub(size_of::<Effect>() as u64 + held);
        match (self.left.checked_sub(length), room) {
            (Some(left), Some(room)) => (self.left, self.room) = (left, room),
            _ => self.is_too_long = true,
        }
        !self.is_too_long
    }

    /// The effects since the last time.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The last effects, and the manifest of all that was made, if that is not too much.
    pub(super) fn finish(self) -> (Vec<Effect>, Option<Manifest>) {
        (self.effects, (!self.is_too_long).then(|| self.manifest.finish()))
    }
}

impl Target for Output<'_> {
    fn literals(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.append(bytes);
        Ok(())
    }

    fn copy(&mut self, old: Range<u64>, changes: &mut Changes<'_>) -> Result<(), Failure> {
        let length = old.end - old.start;
        if changes.unchanged(length) != length {
            return Err(Failure::Broken("the patch of a delta changes what it copies"));
        }
        changes.pass(length);
        self.append_old(old);
        Ok(())
    }

    fn read_old(&mut self, _: Range<u64>, _: &mut Vec<u8>) -> Result<(), Failure> {
        Err(Failure::Broken("the patch of a delta needs skipped bytes"))
    }
}
