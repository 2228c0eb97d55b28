//! Nodes die in the middle of a write, replay their logs and catch up.

use steadfast_protocol::NodeId;

use super::story::Teller;
use super::{Cast, ScenarioError, Source, Story};

pub(super) fn tell(cast: &Cast<'_>) -> Result<Vec<Story>, ScenarioError> {
    cast.need_nodes(3, "going on while a node is down")?;
    let majority = cast.majority();
    let title = "nodes die in the middle of a write, replay their logs and catch up";
    let mut story = cast.begin("crash-recovery", title, majority, majority)?;
    cast.need_spare_node(story.cluster.setup().settings, "down")?;
    let source = |at: usize| &cast.sources[at % cast.sources.len()];

    story.chapter("one file is replicated");
    let leader = story.leader();
    let first = story.put(leader, source(0));
    story.wait_for_rest();
    story.expect("the first write was acknowledged before any crash", first);

    let follower = NodeId::all(cast.nodes).find(|it| *it != leader).unwrap_or_default();
    crash_a_follower(&mut story, leader, follower, source(1));
    crash_the_leader(&mut story, leader, source(2));
    cut_a_follower_off(&mut story, source(3));

    let survives = NodeId::all(cast.nodes).all(|node| story.shows(node, source(0)));
    story.expect("what was acknowledged before the crashes is on every node", survives);
    Ok(vec![story.finish()])
}

/// Between append and sync.
fn crash_a_follower(story: &mut Teller, leader: NodeId, follower: NodeId, source: &Source) {
    story.chapter("a follower dies between append and sync");
    let write = story.cluster.put(leader, &source.name, source.bytes.clone());
    story.cluster.run_until(std::time::Duration::from_secs(5), |it| it.unsynced(follower) > 0);
    let unsynced = story.cluster.unsynced(follower);
    story.cluster.crash_losing_tail(follower);
    story.expect("the follower died with records that were appended and not synced", unsynced > 0);
    let is_written = story.is_acknowledged(write);
    story.expect("the others acknowledged the write without it", is_written);
    story.report("while the follower is down");
    let starts = story.cluster.starts(follower);
    story.cluster.recover(follower);
    story.wait_for_rest();
    story.report("after it has replayed its log and caught up");
    story.expect("it started again and replayed its log", story.cluster.starts(follower) > starts);
    let catches_up = story.shows(follower, source);
    story.expect("it caught up with what was written while it was down", catches_up);
}

/// In the middle of writing a record.
fn crash_the_leader(story: &mut Teller, leader: NodeId, source: &Source) {
    story.chapter("the leader dies while a record is half written");
    let write = story.cluster.put(leader, &source.name, source.bytes.clone());
    let torn = story.cluster.crash_tearing(leader);
    story.expect("the crash left a torn record at the end of the leader's log", torn);
    let others: Vec<NodeId> = story.cluster.up().iter().collect();
    let next = story.leader_among(&others);
    story.report("under the new leader");
    story.note(
        "The client of the dead leader does not know the outcome and asks the new one again.",
    );
    story.cluster.retry(next, write);
    let is_written = story.is_acknowledged(write);
    story.expect("the torn record was never acknowledged; the retry was", is_written);
    story.cluster.recover(leader);
    story.wait_for_rest();
    let is_clean = story.shows(leader, source);
    story.expect("the old leader cut the torn record off and caught up", is_clean);
}

/// A crash is not a partition: nothing is replayed, because nothing was forgotten.
fn cut_a_follower_off(story: &mut Teller, source: &Source) {
    story.chapter("for comparison, a follower is cut off and does not die");
    let leader = story.leader();
    let up: Vec<NodeId> = story.cluster.up().iter().collect();
    let follower = up.into_iter().find(|it| *it != leader).unwrap_or_default();
    let starts = story.cluster.starts(follower);
    story.cluster.cut([follower]);
    story.wait(30);
    let write = story.cluster.put(leader, &source.name, source.bytes.clone());
    let is_written = story.is_acknowledged(write);
    story.expect("the others acknowledged a write while it was cut off", is_written);
    story.report("while it is cut off");
    story.cluster.heal();
    story.wait_for_rest();
    story.expect(
        "the node that was cut off kept running: it replayed nothing",
        story.cluster.starts(follower) == starts,
    );
}
