//! Runs the operations of a patch against whatever makes the new content.

use std::ops::Range;

use crate::error::PatchError;
use crate::skipped::Skipped;
use crate::wire::frame::{Broken, PackedFrame};
use crate::wire::header::{Header, Trailer};
use crate::wire::operations::{Changes, Operations};
use crate::wire::progress::Progress;
use crate::wire::reader::PatchReader;
use crate::wire::source::Source;

/// The length in bytes of the parts in which kept literals are changed.
const REPEATED_STEP: usize = 64 << 10;

/// Makes the new content, front to back.
pub(crate) trait Target {
    /// Appends literals.
    fn literals(&mut self, bytes: &[u8]) -> Result<(), Failure>;

    /// Appends a piece of the old content, in which the next changes are to be made.
    fn copy(&mut self, old: Range<u64>, changes: &mut Changes<'_>) -> Result<(), Failure>;

    /// Reads a piece of the old content, which lies within it.
    fn read_old(&mut self, old: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure>;
}

/// Why an operation fails: it breaks a rule, or its surroundings do.
pub(crate) enum Failure {
    Broken(Broken),
    Patch(PatchError),
}

impl From<Broken> for Failure {
    fn from(rule: Broken) -> Failure {
        Failure::Broken(rule)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Patch(PatchError::Io(error))
    }
}

/// Refuses a patch for an old content of another length, and one for a new content beyond `limit`. If a
/// damaged header is the cause, the error says so.
pub(crate) fn judge<S: Source>(
    reader: &mut PatchReader<S>,
    old_length: u64,
    limit: u64,
) -> Result<(), PatchError> {
    let Header { old_length: expected, new_length, .. } = reader.header();
    if old_length == expected && new_length <= limit {
        return Ok(());
    }
    reader.vouch_for_header()?;
    if old_length != expected {
        return Err(PatchError::OtherOldLength { expected, found: old_length });
    }
    Err(PatchError::TooLarge { found: new_length, limit })
}

/// Runs all frames and reads the trailer.
pub(crate) fn run<S: Source, T: Target>(
    reader: &mut PatchReader<S>,
    target: &mut T,
) -> Result<Trailer, PatchError> {
    let header = reader.header();
    let mut progress = Progress::default();
    let mut kept = Vec::new();
    while progress.new < header.new_length {
        let frame = reader.frames_read();
        let body = reader.next_body()?;
        progress =
            run_frame(body, header, progress, &mut kept, target).map_err(
                |failure| match failure {
                    Failure::Broken(rule) => PatchError::Malformed { frame, rule },
                    Failure::Patch(error) => error,
                },
            )?;
    }
    reader.trailer()
}

fn run_frame<T: Target>(
    body: &[u8],
    header: Header,
    progress: Progress,
    kept: &mut Vec<u8>,
    target: &mut T,
) -> Result<Progress, Failure> {
    let packed = PackedFrame::parse(body, header)?;
    let progress = packed.keep(progress)?;
    let frame = packed.unpack_operations()?;
    let length = packed.literals_length();
    let operations = || Operations::new(&frame, length, header, progress);
    let skipped = match packed.needs_skipped() {
        true => read_skipped(operations(), header.old_length, target)?,
        false => Vec::new(),
    };
    let literals = packed.unpack_literals(&skipped)?;
    if packed.keeps() {
        kept.extend_from_slice(&literals);
    }
    let mut literals = &literals[..];
    let mut changes = Changes::new(&frame)?;
    let mut operations = operations();
    let before = progress.new;
    while let Some(operation) = operations.next()? {
        let (literal, rest) = literals.split_at(operation.literal);
        literals = rest;
        if !literal.is_empty() {
            target.literals(literal)?;
        }
        let copy = operation.copy;
        if copy.start >= header.old_length {
            let bytes = copy.start - header.old_length..copy.end - header.old_length;
            repeat(&kept[bytes.start as usize..bytes.end as usize], &mut changes, target)?;
        } else if !copy.is_empty() {
            target.copy(copy, &mut changes)?;
        }
    }
    changes.finish()?;
    let progress = operations.finish()?;
    if progress.new == before {
        return Err(Failure::Broken("it makes nothing"));
    }
    Ok(progress)
}

/// Appends kept literals, in which the next changes are to be made.
fn repeat<T: Target>(
    kept: &[u8],
    changes: &mut Changes<'_>,
    target: &mut T,
) -> Result<(), Failure> {
    for kept in kept.chunks(REPEATED_STEP) {
        let length = kept.len() as u64;
        if changes.unchanged(length) == length {
            changes.pass(length);
            target.literals(kept)?;
        } else {
            let mut bytes = kept.to_vec();
            changes.apply(&mut bytes)?;
            target.literals(&bytes)?;
        }
    }
    Ok(())
}

fn read_skipped<T: Target>(
    mut operations: Operations<'_>,
    old_length: u64,
    target: &mut T,
) -> Result<Vec<u8>, Failure> {
    let mut skipped = Skipped::default();
    while let Some(operation) = operations.next()? {
        if !operation.copy.is_empty() && operation.copy.end <= old_length {
            skipped.copy(operation.literal, operation.copy);
        }
    }
    let mut bytes = Vec::new();
    for range in skipped.take() {
        target.read_old(range, &mut bytes)?;
    }
    Ok(bytes)
}
