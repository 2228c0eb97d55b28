//! Writing a checkpoint.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, BufWriter};
use std::sync::atomic::Ordering;

use super::{Checkpoint, CheckpointError, MAGIC, Out, belongs_to, encoded, io_error};
use crate::breadth::Begun;
use crate::frontier::Chunk;
use crate::print::Print;
use crate::report::Level;
use crate::run::{Run, locked};
use crate::system::Portable;

/// Saves a search whose threads have paused.
pub(crate) fn write<S: Portable, P: Print>(
    run: &Run<'_, S, P>,
    levels: &[Level],
    begun: &Begun,
    checkpoint: &Checkpoint,
) -> Result<(), CheckpointError> {
    if run.remembered.components.counts().1 > 0 {
        return Err(CheckpointError::Ties);
    }
    let mut name = checkpoint.file.clone().into_os_string();
    name.push(".new");
    let beside = std::path::PathBuf::from(name);
    let written = write_to(&beside, run, levels, begun, checkpoint);
    if written.is_err() {
        // Half a file is of no use; the first error already reports a full disk.
        let _ = std::fs::remove_file(&beside);
    }
    written.map_err(io_error(&beside))?;
    std::fs::rename(&beside, &checkpoint.file).map_err(io_error(&checkpoint.file))
}

fn write_to<S: Portable, P: Print>(
    file: &std::path::Path,
    run: &Run<'_, S, P>,
    levels: &[Level],
    begun: &Begun,
    checkpoint: &Checkpoint,
) -> io::Result<()> {
    let to = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut out = Out { to, sum: DefaultHasher::new() };
    out.word(MAGIC)?;
    for (_, text) in belongs_to::<S, P>(run.remembered.system, run.options, &checkpoint.build) {
        out.bytes(text.as_bytes())?;
    }
    counts(&mut out, run, levels, begun)?;
    findings(&mut out, run)?;
    visited(&mut out, run)?;
    states(&mut out, run)?;
    let sum = out.sum.finish();
    out.word(sum)?;
    out.to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn counts<S: Portable, P: Print>(
    out: &mut Out,
    run: &Run<'_, S, P>,
    levels: &[Level],
    begun: &Begun,
) -> io::Result<()> {
    let counts = &run.counts;
    let shared =
        [&counts.generated, &counts.sampled, &counts.dropped, &counts.peak_bytes, &counts.expanded];
    for count in shared {
        out.word(count.load(Ordering::Relaxed))?;
    }
    for word in [begun.depth, begun.states, begun.generated] {
        out.word(word)?;
    }
    out.word(levels.len() as u64)?;
    for level in levels {
        let nanos = u64::try_from(level.wall.as_nanos()).unwrap_or(u64::MAX);
        for word in [level.depth, level.states, level.generated, level.new, nanos] {
            out.word(word)?;
        }
    }
    Ok(())
}

fn findings<S: Portable, P: Print>(out: &mut Out, run: &Run<'_, S, P>) -> io::Result<()> {
    for (is_over, print) in run.all_found() {
        let [low, high] = print.unwrap_or(P::ZERO).to_words();
        for word in [u64::from(is_over), u64::from(print.is_some()), low, high] {
            out.word(word)?;
        }
    }
    for mark in locked(&run.marks).iter() {
        out.word(u64::from(*mark))?;
    }
    for taken in locked(&run.taken).iter() {
        out.word(*taken)?;
    }
    Ok(())
}

fn visited<S: Portable, P: Print>(out: &mut Out, run: &Run<'_, S, P>) -> io::Result<()> {
    let visited = run.visited();
    out.word(visited.len() as u64)?;
    for entry in visited.entries() {
        for word in entry {
            out.word(word)?;
        }
    }
    Ok(())
}

/// The components in use, and then the states that wait: of this level, and of the next.
fn states<S: Portable, P: Print>(out: &mut Out, run: &Run<'_, S, P>) -> io::Result<()> {
    let frontier = locked(&run.frontier);
    let mut used = Vec::new();
    let mut numbers = HashMap::new();
    let chunks = || frontier.current.iter().chain(&frontier.next);
    for component in chunks().flat_map(|it| (it.expanded..it.len()).flat_map(|nth| it.state(nth))) {
        numbers.entry(*component).or_insert_with(|| {
            used.push(*component);
            used.len() as u64 - 1
        });
    }
    out.word(run.remembered.places as u64)?;
    out.word(used.len() as u64)?;
    for component in used {
        let component = run.remembered.components.value(component);
        out.bytes(&encoded(run.remembered.system, &component))?;
    }
    for chunks in [frontier.current.iter().collect::<Vec<_>>(), frontier.next.iter().collect()] {
        out.word(chunks.iter().map(|it| it.left() as u64).sum())?;
        for chunk in chunks {
            for nth in chunk.expanded..chunk.len() {
                state(out, chunk, nth, &numbers)?;
            }
        }
    }
    Ok(())
}

fn state<P: Print>(
    out: &mut Out,
    chunk: &Chunk<P>,
    nth: usize,
    numbers: &HashMap<u32, u64>,
) -> io::Result<()> {
    let [low, high] = chunk.print(nth).to_words();
    for word in [low, high, chunk.awake(nth)] {
        out.word(word)?;
    }
    for component in chunk.state(nth) {
        out.word(numbers[component])?;
    }
    Ok(())
}
