//! Concurrent writes to one file are decided by logical clocks; the loser is listed and restored.

use std::fmt::Write;
use std::time::Duration;

use steadfast_protocol::NodeId;

use super::story::Teller;
use super::{Cast, ScenarioError, Source, Story};
use crate::Time;

/// By how much the clock of one node is wrong.
const WRONG_BY: Duration = Duration::from_secs(24 * 60 * 60);

/// A write, with the time of its node's wall clock.
struct Written {
    node: NodeId,
    what: &'static str,
    wall: Time,
    source: Source,
}

pub(super) fn tell(cast: &Cast<'_>) -> Result<Vec<Story>, ScenarioError> {
    cast.need_nodes(2, "a conflict")?;
    let title = "concurrent writes, a clock that is wrong by a day, and nothing lost";
    let mut story = cast.begin("conflict-resolution", title, 1, 1)?;
    let settings = story.cluster.setup().settings;
    if settings.is_consistent() {
        return Err(ScenarioError::Unfit(format!(
            "E={} W={}: a consistent cluster has no conflicts; this scenario takes E+W<=N",
            settings.elect(),
            settings.write()
        )));
    }

    story.chapter("one file is on every node");
    let wrong = story.leader();
    let source = &cast.sources[0];
    story.put(wrong, source);
    story.wait_for_rest();

    story.chapter("the cluster splits; one side writes once, the other twice, and nobody waits");
    let others: Vec<NodeId> = NodeId::all(cast.nodes).filter(|it| *it != wrong).collect();
    story.cluster.cut([wrong]);
    // Before it notices that it is alone and steps down, if it needs others to acknowledge.
    let alone = write(&mut story, wrong, source, "the write of the lonely side", Some(WRONG_BY));
    let right = story.leader_among(&others);
    let first = write(&mut story, right, source, "the first write of the other side", None);
    let second = write(&mut story, right, source, "its second write", None);
    story.note(&format!(
        "The clock of {wrong} is a day ahead. By wall clocks the last write would be: {}.",
        newest(&[&first, &second, &alone]).what
    ));
    story.report("before healing");

    story.chapter("the network heals, and the writes are compared");
    story.cluster.heal();
    story.wait_for_rest();
    story.report("after healing");
    let by_wall_clock = newest(&[&first, &second, &alone]);
    let logical = story.shows(wrong, &second.source) && story.shows(right, &second.source);
    story.expect("the logically newest write is visible on both sides", logical);
    story.expect(
        format!("wall clocks would have chosen another one, made at {}", by_wall_clock.node),
        by_wall_clock.node != second.node,
    );
    story.expect("the loser is listed", story.cluster.versions(right, &source.name) == 2);

    restore(&mut story, &source.name, &alone.source);
    Ok(vec![story.finish()])
}

fn write(
    story: &mut Teller,
    node: NodeId,
    source: &Source,
    what: &'static str,
    ahead: Option<Duration>,
) -> Written {
    let mut bytes = source.bytes[..source.bytes.len().min(4_000)].to_vec();
    bytes.extend_from_slice(what.as_bytes());
    let source = Source { name: source.name.clone(), bytes: bytes.into() };
    story.put(node, &source);
    let wall = story.cluster.now() + ahead.unwrap_or_default();
    let mut note = String::new();
    let _ = write!(note, "{what}: made at {node}, whose clock says {wall}");
    story.note(&note);
    Written { node, what, wall, source }
}

fn newest<'a>(writes: &[&'a Written]) -> &'a Written {
    let newest = writes.iter().max_by_key(|it| it.wall);
    newest.unwrap_or_else(|| unreachable!("there are three writes"))
}

/// A client finds the listed conflict and restores it.
fn restore(story: &mut Teller, path: &str, loser: &Source) {
    story.chapter("a client restores the loser");
    let leader = story.leader();
    let Some(version) = story.cluster.conflicts(leader, path).first().copied() else {
        return story.expect("the loser can be restored", false);
    };
    let request = story.cluster.restore(leader, path, version);
    let is_written = story.is_acknowledged(request);
    story.wait_for_rest();
    story.report("after restoring");
    let shown = story.cluster.up().iter().all(|node| story.shows(node, loser));
    story.expect("the loser was restored and is visible on every node", is_written && shown);
}
