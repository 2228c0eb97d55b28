//! Going on from a checkpoint.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Checkpoint, CheckpointError, In, MAGIC, Wrong, belongs_to, io_error};
use crate::breadth::Begun;
use crate::flaw::Flaw;
use crate::frontier::Chunk;
use crate::print::Print;
use crate::report::Level;
use crate::run::{Run, locked};
use crate::system::Portable;

/// Takes a saved search over into one that has not begun.
pub(crate) fn read<S: Portable, P: Print>(
    run: &mut Run<'_, S, P>,
    checkpoint: &Checkpoint,
) -> Result<(Vec<Level>, Begun), CheckpointError> {
    let file = || checkpoint.file.display().to_string();
    let opened = File::open(&checkpoint.file).map_err(io_error(&checkpoint.file))?;
    let left = opened.metadata().map_err(io_error(&checkpoint.file))?.len();
    let from = BufReader::with_capacity(1 << 20, opened);
    let mut from = In { from, sum: DefaultHasher::new(), left };
    let wrong = |wrong| match wrong {
        Wrong::Io(error) => CheckpointError::Io { file: file(), error },
        Wrong::Damaged(detail) => CheckpointError::Damaged { file: file(), detail },
    };
    if from.word().map_err(wrong)? != MAGIC {
        return Err(wrong("it does not begin like one".into()));
    }
    let ours = belongs_to::<S, P>(run.remembered.system, run.options, &checkpoint.build);
    for (what, ours) in ours {
        let theirs = from.text().map_err(wrong)?;
        if theirs != ours {
            return Err(CheckpointError::Other { file: file(), what, theirs, ours });
        }
    }
    body(run, &mut from).map_err(wrong)
}

fn body<S: Portable, P: Print>(
    run: &mut Run<'_, S, P>,
    from: &mut In,
) -> Result<(Vec<Level>, Begun), Wrong> {
    let (levels, begun) = counts(run, from)?;
    findings(run, from)?;
    visited(run, from)?;
    states(run, from)?;
    let sum = from.sum.finish();
    match from.word()? == sum && from.left == 0 {
        true => Ok((levels, begun)),
        false => Err("its checksum is wrong".into()),
    }
}

fn counts<S: Portable, P: Print>(
    run: &Run<'_, S, P>,
    from: &mut In,
) -> Result<(Vec<Level>, Begun), Wrong> {
    let counts = &run.counts;
    let shared =
        [&counts.generated, &counts.sampled, &counts.dropped, &counts.peak_bytes, &counts.expanded];
    for count in shared {
        count.store(from.word()?, Ordering::Relaxed);
    }
    let (depth, states, generated) = (from.word()?, from.word()?, from.word()?);
    let begun = Begun { depth, states, generated, at: Instant::now() };
    let mut levels = Vec::new();
    for _ in 0..from.len(40)? {
        levels.push(Level {
            depth: from.word()?,
            states: from.word()?,
            generated: from.word()?,
            new: from.word()?,
            wall: Duration::from_nanos(from.word()?),
        });
    }
    Ok((levels, begun))
}

fn findings<S: Portable, P: Print>(run: &Run<'_, S, P>, from: &mut In) -> Result<(), Wrong> {
    for at in 0..run.properties.len() {
        let (is_over, is_some) = (from.word()? != 0, from.word()? != 0);
        let print = P::from_words([from.word()?, from.word()?]);
        run.set_found(at, is_over, is_some.then_some(print));
    }
    for mark in locked(&run.marks).iter_mut() {
        *mark = from.word()? != 0;
    }
    for taken in locked(&run.taken).iter_mut() {
        *taken = from.word()?;
    }
    Ok(())
}

fn visited<S: Portable, P: Print>(run: &Run<'_, S, P>, from: &mut In) -> Result<(), Wrong> {
    let mut visited = run.visited.write().expect("nobody else has it yet");
    let mut entry = vec![0; visited.stride()];
    for _ in 0..from.len(8 * entry.len() as u64)? {
        for word in &mut entry {
            *word = from.word()?;
        }
        if entry[0] == 0 {
            return Err("a visited state is none".into());
        }
        visited.restore(&entry);
    }
    Ok(())
}

fn states<S: Portable, P: Print>(run: &mut Run<'_, S, P>, from: &mut In) -> Result<(), Wrong> {
    let places = usize::try_from(from.word()?).ok().filter(|it| *it <= usize::from(u16::MAX) + 1);
    run.remembered.places = places.ok_or("too many places")?;
    let mut components = Vec::new();
    for _ in 0..from.len(8)? {
        let bytes = from.bytes()?;
        let component = run.remembered.system.decode(&bytes);
        components.push(Arc::new(component.ok_or("a component cannot be decoded")?));
    }
    let current = chunks(run, from, &components)?;
    let next = chunks(run, from, &components)?;
    let mut frontier = locked(&run.frontier);
    for chunk in current.into_iter().rev() {
        frontier.give_back(chunk);
    }
    next.into_iter().for_each(|it| frontier.add(it));
    Ok(())
}

fn chunks<S: Portable, P: Print>(
    run: &Run<'_, S, P>,
    from: &mut In,
    components: &[Arc<S::Component>],
) -> Result<Vec<Chunk<P>>, Wrong> {
    let places = run.remembered.places;
    let (mut chunks, mut chunk, mut awake) = (Vec::new(), Chunk::new(places), Vec::new());
    for _ in 0..from.len(24 + 8 * places as u64)? {
        let print = P::from_words([from.word()?, from.word()?]);
        awake.push(from.word()?);
        let mut state = Vec::with_capacity(places);
        for _ in 0..places {
            let number = usize::try_from(from.word()?).ok();
            let component = number.and_then(|it| components.get(it));
            state.push(Arc::clone(component.ok_or("a state names a component that is not there")?));
        }
        let (numbers, now) = run.number(&state).map_err(|flaw| Wrong::Damaged(flaw.to_string()))?;
        if now != print {
            return Err(
                "a decoded state has another fingerprint than the state that was saved".into()
            );
        }
        // As in every state that waits, each rule and each property was asked here or before.
        let flawed = |flaw: Box<Flaw>| Wrong::Damaged(flaw.to_string());
        run.without_dead(&numbers, now).map_err(flawed)?;
        run.ask_properties(&numbers).map_err(flawed)?;
        chunk.push(&numbers, &[], print);
        if chunk.is_full() {
            chunk.set_awake(std::mem::take(&mut awake));
            chunks.push(std::mem::replace(&mut chunk, Chunk::new(places)));
        }
    }
    chunk.set_awake(awake);
    chunks.push(chunk);
    chunks.retain(|it| it.len() > 0);
    Ok(chunks)
}
