//! The leader's writes reach all followers.

use steadfast_protocol::NodeId;

use super::{Cast, ScenarioError, Story};

pub(super) fn tell(cast: &Cast<'_>) -> Result<Vec<Story>, ScenarioError> {
    let majority = cast.majority();
    let title = "the leader's writes reach all followers";
    let mut story = cast.begin("basic-replication", title, majority, majority)?;

    story.chapter("the nodes start, and one of them is elected");
    let leader = story.leader();
    story.report("before the first write");

    story.chapter("clients put files at the leader");
    let mut acknowledged = 0;
    for source in &cast.sources {
        acknowledged += usize::from(story.put(leader, source));
    }
    story.wait_for_rest();

    let files = cast.sources.len();
    story.expect(
        format!("{acknowledged} of {files} writes were acknowledged"),
        acknowledged == files,
    );
    let nodes = NodeId::all(cast.nodes);
    let exact = nodes.flat_map(|node| cast.sources.iter().map(move |it| (node, it)));
    let exact = exact.filter(|(node, source)| story.shows(*node, source)).count();
    let copies = files * usize::from(cast.nodes);
    story.expect(
        format!("{exact} of {copies} copies are what was put, byte for byte"),
        exact == copies,
    );
    Ok(vec![story.finish()])
}
