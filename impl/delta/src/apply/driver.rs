//! Runs the operations of a patch against whatever makes the new content.

use std::ops::Range;

use crate::error::PatchError;
use crate::skipped::Skipped;
use crate::wire::frame::{Broken, PackedFrame};
use crate::wire::header::{Header, Trailer};
use crate::wire::operations::{Changes, Operations, Progress};
use crate::wire::reader::PatchReader;
use crate::wire::source::Source;

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

/// Refuses a patch for an old content of another length, or for too long a new one, or, if that
/// is what is wrong, one with a damaged header.
pub(crate) fn judge<S: Source>(
    reader: &mut PatchReader<S>,
    old_length: u64,
    limit: u64,
) -> Result<(), PatchError> {
    let Header { old_length: expected, new_length } = reader.header();
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
    while progress.new < header.new_length {
        let frame = reader.frames_read();
        let body = reader.next_body()?;
        progress = run_frame(body, header, progress, target).map_err(|failure| match failure {
            Failure::Broken(rule) => PatchError::Malformed { frame, rule },
            Failure::Patch(error) => error,
        })?;
    }
    reader.trailer()
}

fn run_frame<T: Target>(
    body: &[u8],
    header: Header,
    progress: Progress,
    target: &mut T,
) -> Result<Progress, Failure> {
    let packed = PackedFrame::parse(body)?;
    let frame = packed.unpack_operations()?;
    let length = packed.literals_length();
    let operations = || Operations::new(&frame, length, header, progress);
    let skipped = match packed.needs_skipped() {
        true => read_skipped(operations(), target)?,
        false => Vec::new(),
    };
    let literals = packed.unpack_literals(&skipped)?;
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
        if !operation.copy.is_empty() {
            target.copy(operation.copy, &mut changes)?;
        }
    }
    changes.finish()?;
    let progress = operations.finish()?;
    if progress.new == before {
        return Err(Failure::Broken("it makes nothing"));
    }
    Ok(progress)
}

fn read_skipped<T: Target>(
    mut operations: Operations<'_>,
    target: &mut T,
) -> Result<Vec<u8>, Failure> {
    let mut skipped = Skipped::default();
    while let Some(operation) = operations.next()? {
        if !operation.copy.is_empty() {
            skipped.copy(operation.literal, operation.copy);
        }
    }
    let mut bytes = Vec::new();
    for range in skipped.take() {
        target.read_old(range, &mut bytes)?;
    }
    Ok(bytes)
}
