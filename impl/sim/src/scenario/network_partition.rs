//! The cluster splits, goes on as (E,W) lets it, heals and reconciles: CAP, side by side.

use steadfast_guarantees::Status;
use steadfast_protocol::NodeId;

use super::{Cast, ScenarioError, Source, Story};

/// The same story twice: available, and consistent. A cast that names E or W gets it once.
pub(super) fn tell(cast: &Cast<'_>) -> Result<Vec<Story>, ScenarioError> {
    cast.need_nodes(3, "a split with a majority")?;
    if cast.elect.is_some() || cast.write.is_some() {
        return Ok(vec![tell_one(cast, "a split", cast.majority(), cast.majority())?]);
    }
    let majority = cast.majority();
    Ok(vec![
        tell_one(cast, "a split of an available cluster", 1, 1)?,
        tell_one(cast, "the same split of a consistent cluster", majority, majority)?,
    ])
}

fn tell_one(cast: &Cast<'_>, title: &str, elect: u8, write: u8) -> Result<Story, ScenarioError> {
    let mut story = cast.begin("network-partition", title, elect, write)?;
    let settings = story.cluster.setup().settings;
    let source = &cast.sources[0];
    let side = |side: &str| Source {
        name: source.name.clone(),
        bytes: [&source.bytes[..source.bytes.len().min(4_000)], side.as_bytes()].concat().into(),
    };
    let (minority_version, majority_version) = (side("(minority)"), side("(majority)"));

    story.chapter("one file is on every node");
    let old = story.leader();
    let written = story.put(old, source);
    story.wait_for_rest();
    story.expect("before the split the write was acknowledged", written);

    story.chapter("the leader is alone on its side of a split, and both sides are written to");
    let others: Vec<NodeId> = NodeId::all(cast.nodes).filter(|it| *it != old).collect();
    story.cluster.cut([old]);
    let lonely = story.cluster.put(old, &minority_version.name, minority_version.bytes.clone());
    let new = story.leader_among(&others);
    let has_new_leader = story.cluster.leads(new) && new != old;
    let busy = story.cluster.put(new, &majority_version.name, majority_version.bytes.clone());
    story.wait(300);
    let accepted = |story: &super::Teller, it| story.cluster.status(it) == Some(Status::Done);
    let (lonely_accepted, busy_accepted) = (accepted(&story, lonely), accepted(&story, busy));
    story.report("before healing");
    let diverged = !story.cluster.report().is_consistent();

    story.chapter("the network heals");
    story.cluster.heal();
    story.wait_for_rest();
    story.report("after healing");

    let minority_goes_on = settings.write() == 1;
    let verb = |accepted| if accepted { "was acknowledged" } else { "was not acknowledged" };
    story.expect(
        format!(
            "with W={} the write on the minority side {}",
            settings.write(),
            verb(lonely_accepted)
        ),
        lonely_accepted == minority_goes_on,
    );
    let majority_goes_on = settings.elect() <= others.len() && settings.write() <= others.len();
    story.expect(
        format!("the write on the majority side {}", verb(busy_accepted)),
        busy_accepted == (majority_goes_on && has_new_leader),
    );
    if lonely_accepted && busy_accepted {
        story.expect("both sides went on and diverged", diverged);
        let listed = story.cluster.versions(new, &source.name) == 2;
        story
            .expect("after healing one write is visible and the other is listed, not lost", listed);
    } else if busy_accepted {
        let wins = story.shows(old, &majority_version);
        match settings.is_consistent() {
            true => story.expect(
                "after healing the acknowledged write is visible on the old leader, too",
                wins,
            ),
            // Here the write that was not acknowledged may be the newer one.
            false => story.expect(
                "after healing the acknowledged write is visible or listed on the old leader, too",
                wins || story.cluster.versions(old, &source.name) == 2,
            ),
        }
        let outcome = story.cluster.status(lonely);
        story.expect(
            "the client of the minority side was told that the outcome is unknown",
            outcome == Some(Status::Unknown),
        );
    }
    Ok(story.finish())
}
