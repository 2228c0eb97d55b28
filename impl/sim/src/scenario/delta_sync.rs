//! Of a large file that changes, only the changed parts travel.

use std::num::NonZeroU64;
use std::time::Duration;

use steadfast_protocol::NodeId;

use super::fixed_blocks;
use super::story::Teller;
use super::{Cast, ScenarioError, Source, Splice, Story};
use crate::timeline::size;
use crate::{Bytes, Random, Setup, Time};

/// For a shorter file a delta saves nothing: it takes about 150 bytes itself, new bytes included.
const LARGE_MIN: usize = 256;
/// For a shorter file the time that a delta saves, 8 ms at most, drowns in that of syncs and messages.
const TIMED_MIN: usize = 1 << 20;
/// The speed of links, in bytes per second: 1 Gbit/s.
const LINK_BYTES_PER_S: u64 = 125_000_000;
/// A link is at least so fast that it carries the file in this time.
const WHOLE_TAKES_MAX: Duration = Duration::from_millis(80);

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
    let large = cast.sources.iter().max_by_key(|it| it.bytes.len());
    let Some(source) = large.cloned() else {
        return Err(ScenarioError::Unfit("no file: this scenario takes one".to_owned()));
    };
    let speed = link_speed(source.bytes.len());
    let slow = |setup: Setup| Setup { link_bytes_per_s: Some(speed), ..setup };
    let mut story = cast.begin_with("delta-sync", title, majority, majority, slow)?;

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
    story.note(&format!("each direction of a link carries {} a second", size(speed.get())));
    let leader = story.leader();
    let (written, whole_took) = story.put_everywhere(leader, &source);
    story.wait_for_rest();
    story.note(&format!("on every node after {}, whole", shown(whole_took)));
    story.expect(
        format!("{} of {} was acknowledged", source.name, size(source.bytes.len() as u64)),
        written,
    );

    // Not the numbers that a made-up file may consist of.
    let random = &mut Random::new(!cast.seed);
    let mut file = Replicated { leader, source, whole_took };
    for edit in 0..3 {
        let edit = edited(&file.source.bytes, edit, random, cast)?;
        file.change(edit, &mut story);
    }
    Ok(vec![story.finish()])
}

/// The speed of the links, in bytes per second, between nodes that replicate a file of this length.
fn link_speed(length: usize) -> NonZeroU64 {
    let length = u128::try_from(length).unwrap_or(u128::MAX);
    let least = length.saturating_mul(1_000) / WHOLE_TAKES_MAX.as_millis();
    let speed = u64::try_from(least).unwrap_or(u64::MAX).max(LINK_BYTES_PER_S);
    NonZeroU64::new(speed).unwrap_or(NonZeroU64::MAX)
}

fn shown(duration: Duration) -> String {
    (Time::default() + duration).to_string()
}

/// A file that every node shows.
struct Replicated {
    leader: NodeId,
    source: Source,
    /// The time from the first put until every node showed the file, which had travelled whole.
    whole_took: Duration,
}

impl Replicated {
    /// Puts a changed version, and measures the bytes and the time that its way to all nodes takes.
    fn change(&mut self, edit: Edit, story: &mut Teller) {
        story.chapter(edit.title);
        let old = std::mem::replace(&mut self.source.bytes, edit.bytes);
        let before = *story.cluster.ledger();
        let (written, took) = story.put_everywhere(self.leader, &self.source);
        story.wait_for_rest();
        let after = *story.cluster.ledger();
        let copies = after.deltas - before.deltas;
        let sent = after.bytes_received - before.bytes_received;
        let each = sent / copies.max(1);
        let whole = self.source.bytes.len() as u64;
        let blocks = fixed_blocks::cost(&old, &self.source.bytes);
        story.note(&format!(
            "changed {}; sent {copies} deltas, {} each; a whole copy: {}; fixed blocks: {}",
            size(edit.changed),
            size(each),
            size(whole),
            size(blocks)
        ));
        let (delta_time, whole_time) = (shown(took), shown(self.whole_took));
        story.note(&format!("on every node after {delta_time}; the whole file took {whole_time}"));

        let title = edit.title;
        let nodes: Vec<NodeId> = story.cluster.up().iter().collect();
        let exact = nodes.iter().all(|node| story.shows(*node, &self.source));
        story.expect(format!("{title}: every node has it, byte for byte"), written && exact);
        if old.len() >= LARGE_MIN {
            let (sent, instead) = (size(each), size(whole.min(blocks)));
            story.expect(
                format!("{title}: {sent} per follower instead of {instead}"),
                copies > 0 && each < blocks && each < whole,
            );
        }
        if old.len() >= TIMED_MIN {
            story.expect(
                format!("{title}: on every node after {delta_time} instead of {whole_time}"),
                took < self.whole_took,
            );
        }
    }
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
