//! A node is away for so long that the others have dropped the entries that it lacks: it gets a state instead.

use steadfast_protocol::NodeId;

use super::story::Teller;
use super::{Cast, ScenarioError, Source, Story};

/// How often each file is written while the node is away.
const VERSIONS: u8 = 4;

pub(super) fn tell(cast: &Cast<'_>) -> Result<Vec<Story>, ScenarioError> {
    cast.need_nodes(3, "going on while a node is away")?;
    let majority = cast.majority();
    let title = "a node is away until the others have dropped the entries that it lacks";
    let mut story = cast.begin("long-absence", title, majority, majority)?;
    cast.need_spare_node(story.cluster.setup().settings, "away")?;
    let files = &cast.sources[..cast.sources.len().min(2)];

    story.chapter("every node has the files");
    let leader = story.leader();
    let written = files.iter().all(|it| story.put(leader, it));
    story.wait_for_rest();
    story.expect("the first versions were acknowledged", written);

    let away = NodeId::all(cast.nodes).find(|it| *it != leader).unwrap_or_default();
    stay_away_long(&mut story, (leader, away), files);
    stay_away_shortly(&mut story, away, &files[0]);
    Ok(vec![story.finish()])
}

/// The version of a file with this number.
fn version(of: &Source, number: u8) -> Source {
    let bytes = [&of.bytes[..of.bytes.len().min(4_000)], &[b'0' + number]].concat();
    Source { name: of.name.clone(), bytes: bytes.into() }
}

fn stay_away_long(story: &mut Teller, (leader, away): (NodeId, NodeId), files: &[Source]) {
    story.chapter("a node is cut off, the others go on, and trim their logs");
    story.cluster.cut([away]);
    let mut acknowledged = true;
    for number in 1..=VERSIONS {
        for file in files {
            acknowledged &= story.put(leader, &version(file, number));
        }
    }
    story.expect("the others acknowledged every write without it", acknowledged);
    let others: Vec<NodeId> = story.cluster.up().iter().filter(|it| *it != away).collect();
    let records = |story: &Teller, node| story.cluster.footprint(node).records;
    let before = records(story, leader);
    others.iter().for_each(|it| story.cluster.trim(*it));
    story.wait(50);
    let is_shorter = records(story, leader) < before;
    story.expect("a checkpoint took the place of the entries in the leader's log", is_shorter);
    story.report("while it is away");

    story.chapter("it comes back");
    let states = story.cluster.ledger().states;
    story.cluster.heal();
    story.wait_for_rest();
    story.report("after it has caught up");
    let got_state = story.cluster.ledger().states > states;
    story.expect("it got a state in the place of the entries that were dropped", got_state);
    let shows = |story: &Teller, file| story.shows(away, &version(file, VERSIONS));
    let catches_up = files.iter().all(|it| shows(story, it));
    story.expect("it shows the last version of every file", catches_up);
}

/// A node that was away for a moment gets the entries themselves.
fn stay_away_shortly(story: &mut Teller, away: NodeId, file: &Source) {
    story.chapter("for comparison, it is away for a moment");
    let states = story.cluster.ledger().states;
    let leader = story.leader();
    story.cluster.cut([away]);
    story.wait(30);
    let last = version(file, VERSIONS + 1);
    let written = story.put(leader, &last);
    story.cluster.heal();
    story.wait_for_rest();
    story.expect("a write while it was away was acknowledged", written);
    let got_entries = story.cluster.ledger().states == states && story.shows(away, &last);
    story.expect("it got the entry itself, because no log had dropped it", got_entries);
}
