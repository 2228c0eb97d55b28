//! A story as a trace in the Informal Trace Format, which Apalache and Quint read and write
//! (<https://apalache-mc.org/docs/adr/015adr-trace.html>).
//!
//! The format wants whole states, so this export is larger than a story: the states are rebuilt
//! from its differences.

use serde_json::{Value, json};
use steadfast_protocol::NodeId;

use steadfast_trace::Cut;

use crate::story::{Change, Fate, NodeFacts, Outcome, Role, Story};
use crate::words;

/// The variables of a state.
const VARIABLES: [&str; 6] = ["action", "broken", "cut", "messages", "nodes", "operations"];

/// A story as JSON in the Informal Trace Format.
#[must_use]
pub fn itf(story: &Story) -> String {
    let mut nodes = story.start.clone();
    let mut cut = set([]);
    let mut states = vec![state(story, story.first, "the beginning", &nodes, &cut, 0)];
    for (index, moment) in (1..).zip(&story.moments) {
        for change in &moment.changes {
            apply(&mut nodes, change);
            match change {
                Change::Cut(Cut::Around { side, .. }) => cut = set(side.iter().map(node_name)),
                Change::Cut(Cut::Links { lost }) => cut = set(lost.iter().map(direction)),
                Change::Healed => cut = set([]),
                _ => {}
            }
        }
        states.push(state(story, moment.number, &moment.words, &nodes, &cut, index));
    }
    let description = format!("{}: {}", story.title, crate::svg::description(story));
    let trace = json!({
        "#meta": { "format": "ITF", "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html", "description": description },
        "vars": VARIABLES,
        "states": states,
    });
    format!("{trace}\n")
}

/// Brings a node's facts up to date.
fn apply(nodes: &mut [NodeFacts], change: &Change) {
    let node = match change {
        Change::Appended { node, .. }
        | Change::Synced { node, .. }
        | Change::Truncated { node, .. }
        | Change::Trimmed { node, .. }
        | Change::Became { node, .. }
        | Change::Shows { node, .. }
        | Change::Copy { node, .. }
        | Change::Link { node, .. } => node,
        _ => return,
    };
    let Some(facts) = nodes.get_mut(node.index()) else {
        return;
    };
    match change {
        Change::Appended { records, .. } => facts.log.extend(records.iter().cloned()),
        Change::Synced { synced, .. } => facts.synced = *synced,
        Change::Truncated { left, .. } => facts.log.truncate(*left),
        Change::Trimmed { records, .. } => facts.log.clone_from(records),
        Change::Became { role, epoch, .. } => {
            facts.role = *role;
            facts.epoch.clone_from(epoch);
        }
        Change::Shows { path, versions, .. } => {
            facts.shows.insert(path.clone(), versions.clone());
        }
        Change::Copy { content, state, .. } => {
            facts.copies.insert(content.clone(), state);
        }
        Change::Link { peer, session: Some(session), .. } => {
            facts.sessions.insert(*peer, *session);
        }
        Change::Link { peer, session: None, .. } => {
            facts.sessions.remove(peer);
        }
        _ => {}
    }
}

fn state(
    story: &Story,
    step: usize,
    action: &str,
    nodes: &[NodeFacts],
    cut: &Value,
    index: usize,
) -> Value {
    let all = NodeId::all(story.nodes).zip(nodes);
    let broken = story.breaks.iter().filter(|it| it.step <= step).map(|it| json!(it.id));
    json!({
        "#meta": { "index": index },
        "action": format!("{step}. {}", words::clipped(action, 300)),
        "nodes": { "#map": all.map(|(id, it)| json!([node_name(id), node(it)])).collect::<Vec<_>>() },
        "messages": { "#map": messages(story, step) },
        "operations": operations(story, step),
        "cut": cut,
        "broken": set(broken),
    })
}

fn direction((from, to): (NodeId, NodeId)) -> Value {
    json!(format!("{from} -> {to}"))
}

fn node_name(node: NodeId) -> Value {
    json!(node.to_string())
}

fn number(number: usize) -> Value {
    json!({ "#bigint": number.to_string() })
}

/// A set names each of its members once.
fn set(items: impl IntoIterator<Item = Value>) -> Value {
    let mut members: Vec<Value> = Vec::new();
    for item in items {
        if !members.contains(&item) {
            members.push(item);
        }
    }
    json!({ "#set": members })
}

fn node(facts: &NodeFacts) -> Value {
    let role = match facts.role {
        Role::Follows => "follows",
        Role::Asks => "asks",
        Role::Leads => "leads",
        Role::Halted => "halted",
        Role::Down => "down",
    };
    let log: Vec<&str> = facts.log.iter().map(|it| it.words.as_str()).collect();
    let shows: Vec<Value> = facts.shows.iter().map(|(path, it)| json!([path, it])).collect();
    let copies: Vec<Value> = facts.copies.iter().map(|(it, state)| json!([it, state])).collect();
    let sessions = facts.sessions.iter();
    let sessions: Vec<Value> = sessions
        .map(|(peer, it)| json!([node_name(*peer), { "#bigint": it.to_string() }]))
        .collect();
    json!({
        "role": role,
        "epoch": facts.epoch,
        "log": log,
        "synced": number(facts.synced),
        "shows": { "#map": shows },
        "copies": { "#map": copies },
        "sessions": { "#map": sessions },
    })
}

/// The messages under way after a step, by their numbers in the story.
fn messages(story: &Story, step: usize) -> Vec<Value> {
    let is_there = |sent: usize, fate: Fate| {
        sent <= step
            && match fate {
                Fate::Arrived(end) | Fate::Lost(end) => end > step,
                Fate::UnderWay => true,
            }
    };
    let some = story.flights.iter().enumerate().filter(|(_, it)| is_there(it.sent, it.fate));
    let message = |(at, it): (usize, &crate::Flight)| json!([number(at), { "from": node_name(it.from), "to": node_name(it.to), "says": it.words }]);
    some.map(message).collect()
}

/// The operations that were asked up to a step.
fn operations(story: &Story, step: usize) -> Vec<Value> {
    let asked = story.operations.iter().filter(|it| it.invoked <= step);
    let operation = |it: &crate::Operation| {
        let has_ended = it.ended.is_some_and(|end| end <= step);
        let outcome = match (has_ended, it.outcome) {
            (false, _) | (true, Outcome::Pending) => "pending",
            (true, Outcome::Done) => "done",
            (true, Outcome::Refused) => "refused",
            (true, Outcome::Unknown) => "unknown",
        };
        let answer = if has_ended { it.answer.as_str() } else { "" };
        json!({ "asked": it.asked, "node": node_name(it.node), "outcome": outcome, "answer": answer })
    };
    asked.map(operation).collect()
}
