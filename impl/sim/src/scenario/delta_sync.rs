//! Of a large file that changes, only the changed parts travel.

use steadfast_protocol::NodeId;

use super::fixed_blocks;
use super::story::Teller;
use super::{Cast, ScenarioError, Source, Splice, Story};
use crate::timeline::size;
use crate::{Bytes, Random};

/// For a shorter file a delta saves nothing: it takes about 150 bytes itself, new bytes included.
const LARGE_MIN: usize = 256;

/// How a file is changed.
struct Edit {
    title: &'static str,
    changed: u64,
    bytes: Bytes,
}

pub(super) fn tell(cast: &Cast<'_>) -> Result<Vec<Story>, ScenarioError> {
    cast.need_nodes(2, "sending a delta")?;
    let majority = cast.majority();
    let title = "of a large file that changes, only what changed travels";
    let mut story = cast.begin("delta-sync", title, majority, majority)?;
    let large = cast.sources.iter().max_by_key(|it| it.bytes.len());
    let Some(source) = large.cloned() else {
        return Err(ScenarioError::Unfit("no file: this scenario takes one".to_owned()));
    };

    story.chapter("a large file is replicated whole");
    if let others @ 1.. = cast.sources.len() - 1 {
        let name = &source.name;
        story.note(&format!("told on {name} only, the largest file; {others} others are not used"));
    }
    if source.bytes.len() < LARGE_MIN {
        let length = size(source.bytes.len() as u64);
        story.note(&format!(
            "{length} are too short for a delta to save anything: how much travels is not judged; \
             take a file of {LARGE_MIN} B or more"
        ));
    }
    let leader = story.leader();
    let written = story.put(leader, &source);
    story.wait_for_rest();
    story.expect(
        format!("{} of {} was acknowledged", source.name, size(source.bytes.len() as u64)),
        written,
    );

    // Not the numbers that a made-up file may consist of.
    let random = &mut Random::new(!cast.seed);
    let mut old = source.bytes.clone();
    for edit in 0..3 {
        let edit = edited(&old, edit, random, cast)?;
        change(&mut story, leader, &source.name, &old, &edit);
        old = edit.bytes;
    }
    Ok(vec![story.finish()])
}

/// Puts a changed version and counts the bytes that travel.
fn change(story: &mut Teller, leader: NodeId, name: &str, old: &Bytes, edit: &Edit) {
    story.chapter(edit.title);
    let before = *story.cluster.ledger();
    let source = Source { name: name.to_owned(), bytes: edit.bytes.clone() };
    let written = story.put(leader, &source);
    story.wait_for_rest();
    let after = *story.cluster.ledger();
    let (copies, sent) = (after.deltas - before.deltas, after.bytes_sent - before.bytes_sent);
    let each = sent / copies.max(1);
    let whole = source.bytes.len() as u64;
    let blocks = fixed_blocks::cost(old, &source.bytes);
    story.note(&format!(
        "changed {}; sent {copies} deltas, {} each; a whole copy: {}; fixed blocks: {}",
        size(edit.changed),
        size(each),
        size(whole),
        size(blocks)
    ));
    let nodes: Vec<NodeId> = story.cluster.up().iter().collect();
    let exact = nodes.iter().all(|node| story.shows(*node, &source));
    story.expect(format!("{}: every node has it, byte for byte", edit.title), written && exact);
    if old.len() < LARGE_MIN {
        return;
    }
    story.expect(
        format!(
            "{}: {} per follower instead of {}",
            edit.title,
            size(each),
            size(whole.min(blocks))
        ),
        copies > 0 && each < blocks && each < whole,
    );
}

/// The next version of a file.
fn edited(
    old: &Bytes,
    number: usize,
    random: &mut Random,
    cast: &Cast<'_>,
) -> Result<Edit, ScenarioError> {
    let insertion = |at, fresh| vec![Splice { at, removed: 0, fresh }];
    let (title, splices) = match number {
        0 => ("bytes are overwritten here and there", overwriting(old, random)),
        1 => {
            let fresh = noise(random, (old.len() / 1_000).clamp(64, 1_024));
            ("some bytes are inserted a third into it", insertion(old.len() / 3, fresh))
        }
        _ => {
            let fresh = noise(random, (old.len() / 100).clamp(64, 1 << 20));
            ("it grows at the end", insertion(old.len(), fresh))
        }
    };
    let changed = splices.iter().map(|it| it.fresh.len() as u64).sum();
    Ok(Edit { title, changed, bytes: cast.scratch.keep(old, &splices)? })
}

/// Up to a hundred places of sixteen bytes.
fn overwriting(old: &[u8], random: &mut Random) -> Vec<Splice> {
    const LENGTH: usize = 16;
    let places = (old.len() / 4_096).clamp(1, 100);
    let stride = old.len() / places;
    let splice = |place| {
        let at = place * stride + random.below(stride.saturating_sub(LENGTH).max(1));
        let length = LENGTH.min(old.len() - at);
        Splice { at, removed: length, fresh: noise(random, length) }
    };
    (0..places).map(splice).collect()
}

fn noise(random: &mut Random, length: usize) -> Vec<u8> {
    let words = (0..length.div_ceil(8)).flat_map(|_| random.bits().to_le_bytes());
    words.take(length).collect()
}
