//! States and steps in words, for people.

use std::fmt;

use steadfast_guarantees::{GuaranteeId, Operation, OperationKind, Status, guarantees, holds};
use steadfast_node::{ContentCopy, Node, NodeStorage};
use steadfast_protocol::{
    ContentId, Entry, Epoch, Held, Intent, Leadership, LogIndex, NodeId, Packet, Progress, Record,
    Replica, Role, Waiting, Want, first_index,
};
use steadfast_trace::Bounds;

use crate::{Action, ClusterModel, ClusterState, Disk, View};

/// A state in words for readers who know the protocol and not the code.
pub(crate) fn state(state: &ClusterState, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut lines = lines(state);
    let flights = state.channels().flat_map(|((from, to), packets)| {
        packets.map(move |it| Line::new(None, "flight", flight(from, to, it)))
    });
    lines.extend(flights);
    let broken = state.history().broken().iter();
    lines.extend(broken.map(|it| Line::new(None, "broken", it.to_string())));
    lines.push(Line::new(None, "left", left(state.world().left)));
    for line in lines.iter().filter(|it| !it.text.is_empty()) {
        match (line.node, line.label) {
            (Some(node), "") => writeln!(f, "{node} {}", line.text)?,
            (Some(_), label) => writeln!(f, "   {label:<7} {}", line.text)?,
            (None, label) => writeln!(f, "{label:<8} {}", line.text)?,
        }
    }
    Ok(())
}

/// The changes of a step, in words.
pub(crate) fn outcome(
    model: &ClusterModel,
    before: &ClusterState,
    action: &Action,
    after: &ClusterState,
) -> String {
    let mut text = vec![format!("{action:?}")];
    text.extend(differing_lines(&lines(before), &lines(after)));
    for ((from, to), old, new) in changed_channels(before, after) {
        let is_handled = |it: &Packet| action.packet.as_ref() == Some(it);
        let lost = without(&old, &new).into_iter().filter(|it| !is_handled(it));
        text.extend(lost.map(|it| format!("lost {}", flight(from, to, it))));
        let sent = without(&new, &old).into_iter();
        text.extend(sent.map(|it| format!("sent {}", flight(from, to, it))));
    }
    let broken = newly_broken(model, before, after);
    text.extend(broken.iter().map(|it| format!("BREAKS {it}")));
    if text.len() == 1 {
        text.push("nothing changes".to_owned());
    }
    text.join("\n")
}

/// The guarantees that hold before a step and not after it.
pub(crate) fn newly_broken(
    model: &ClusterModel,
    before: &ClusterState,
    after: &ClusterState,
) -> Vec<GuaranteeId> {
    let (before, after) = (View { model, state: before }, View { model, state: after });
    let ids = guarantees().iter().map(|it| it.id());
    ids.filter(|it| !holds(*it, &after) && holds(*it, &before)).collect()
}

/// The request of a client.
pub(crate) fn request(operation: &Operation) -> String {
    let path = &operation.path;
    match &operation.kind {
        OperationKind::Read { .. } => format!("read {path}"),
        OperationKind::StaleRead { .. } => format!("read {path}, stale"),
        OperationKind::Write { intent: Intent::Put(content), .. } => {
            format!("put {path}={content:?}")
        }
        OperationKind::Write { intent: Intent::Delete, .. } => format!("delete {path}"),
        OperationKind::Write { intent: Intent::Restore(dot), .. } => {
            format!("restore {dot} of {path}")
        }
    }
}

/// The client's knowledge of its operation.
pub(crate) fn answer(operation: &Operation) -> String {
    match (operation.status, &operation.kind) {
        (Status::Pending, _) => "pending".to_owned(),
        (Status::Refused, _) => "refused".to_owned(),
        (Status::Unknown, _) => "outcome unknown".to_owned(),
        (Status::Done, OperationKind::Read { version } | OperationKind::StaleRead { version }) => {
            format!("value {}", value(version.as_ref()))
        }
        (Status::Done, OperationKind::Write { acked: Some(dot), .. }) => {
            format!("acknowledged {dot}")
        }
        (Status::Done, OperationKind::Write { acked: None, .. }) => "acknowledged".to_owned(),
    }
}

/// A line about a node or the whole cluster: a label and its text, which is empty if nothing is to
/// be said.
#[derive(PartialEq)]
struct Line {
    node: Option<NodeId>,
    label: &'static str,
    text: String,
}

impl Line {
    fn new(node: Option<NodeId>, label: &'static str, text: String) -> Line {
        Line { node, label, text }
    }
}

/// The parts of a state that outlast a step, without the messages under way.
fn lines(state: &ClusterState) -> Vec<Line> {
    let mut lines = Vec::new();
    for node in state.nodes() {
        let id = node.id();
        let of_node = node_lines(node);
        lines.extend(of_node.into_iter().map(|(label, text)| Line::new(Some(id), label, text)));
    }
    lines.push(Line::new(None, "links", links(state)));
    if let Some(cut) = state.world().cut {
        lines.push(Line::new(None, "cut", cut.to_string()));
    }
    for (number, it) in state.history().operations().iter().enumerate() {
        let text = format!("{number}: {} at {}: {}", request(it), it.node, answer(it));
        lines.push(Line::new(None, "clients", text));
    }
    lines
}

fn node_lines(node: &Node<Disk>) -> Vec<(&'static str, String)> {
    let disk = node.storage();
    let log = ("log", log(disk));
    let copies = ("copies", copies(disk));
    let Some(replica) = node.replica() else {
        return vec![("", "DOWN".to_owned()), log, copies];
    };
    let (peers, waits) = match replica.role() {
        Role::Leader(it) => (peers(replica.id(), it), waits(it)),
        Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => {
            (String::new(), String::new())
        }
    };
    vec![
        ("", format!("{}  synced {}/{}", role(replica), disk.synced(), disk.records().len())),
        log,
        copies,
        ("stores", join(disk.storing().iter().map(|(it, _)| format!("content {}", it.content)))),
        ("shows", shows(replica)),
        ("peers", peers),
        ("waits", waits),
        ("held", join(replica.outbox().iter().map(held))),
        ("parked", join(replica.waiting().iter().map(parked))),
        ("wants", join(replica.wants().iter().map(want))),
    ]
}

fn role(replica: &Replica) -> String {
    let promise = replica.promise();
    if let Some(halt) = replica.halted() {
        return format!("HALTED: {halt}");
    }
    match replica.role() {
        Role::Leader(it) => format!("LEADS {promise} (tag {})", it.tag),
        Role::Follower(_) if promise == Epoch::ZERO => "FOLLOWS nobody".to_owned(),
        Role::Follower(_) => format!("FOLLOWS {promise}"),
        Role::PreCandidate(granted) => {
            format!("FOLLOWS {promise}, asks whether it would be elected, granted {granted}")
        }
        Role::Candidate(ballots) => {
            let votes = ballots.iter().map(|it| match it.counts_at > replica.synced() {
                true => format!("{} (counts at record {})", it.voter, it.counts_at),
                false => it.voter.to_string(),
            });
            format!("ASKS for {promise}, votes {}", votes.collect::<Vec<_>>().join(","))
        }
    }
}

/// The records besides the identity; the records after `||` are not synced.
fn log(disk: &Disk) -> String {
    let mut text = String::new();
    for (index, record) in (first_index(disk.records()).0 - 1..).map(LogIndex).zip(disk.records()) {
        if matches!(record, Record::Identity(_)) {
            continue;
        }
        if index == disk.synced() {
            text.push_str("|| ");
        } else if !text.is_empty() {
            text.push_str("| ");
        }
        text.push_str(&match record {
            Record::Entry(entry) => format!("{entry} "),
            _ => format!("{record} "),
        });
    }
    text.truncate(text.trim_end().len());
    text
}

fn copies(disk: &Disk) -> String {
    let copy = |(content, copy): &(ContentId, ContentCopy)| match copy {
        ContentCopy::Exact => format!("{content} good"),
        ContentCopy::Wrong => format!("{content} BAD"),
        ContentCopy::Missing => format!("{content} missing"),
    };
    join(disk.copies().iter().map(copy))
}

fn shows(replica: &Replica) -> String {
    let path = |heads: &[Entry]| {
        let mut heads = heads.iter();
        let visible = heads.next().map(|it| value(Some(it)));
        let conflicts = heads.map(|it| format!("conflict {} ({})", it.change, it.dot));
        visible.into_iter().chain(conflicts).collect::<Vec<_>>().join(", ")
    };
    join(replica.files().iter().map(|(_, heads)| path(heads)))
}

fn value(version: Option<&Entry>) -> String {
    version.map_or("none".to_owned(), |it| format!("{}={} ({})", it.path, it.change, it.dot))
}

fn peers(own: NodeId, leadership: &Leadership) -> String {
    let peer = |(node, progress): (NodeId, &Progress)| match progress.acked {
        Some(acked) => format!("{node} acked {acked} sent {}", progress.sent),
        None => format!("{node} taken to have {} sent {}", leadership.base, progress.sent),
    };
    let peers = (0..).map(NodeId).zip(&leadership.peers);
    join(peers.filter(|(node, _)| *node != own).map(peer))
}

fn waits(leadership: &Leadership) -> String {
    let writes = leadership.writes.iter().map(|it| format!("write {} ({})", it.request, it.dot));
    let reads = leadership.reads.iter().map(|it| {
        format!("read {} of {}, tag {}, confirmed {}", it.request, it.path, it.tag, it.confirmed)
    });
    join(writes.chain(reads))
}

fn held(it: &Held) -> String {
    let Held { explained_by, to, packet: Packet { session, message } } = it;
    format!("to {to} (s{session}): {message} until record {explained_by}")
}

fn parked(waiting: &Waiting) -> String {
    format!("from {}: {}", waiting.from, waiting.message)
}

fn want(want: &Want) -> String {
    let mut text = format!("content {}", want.content);
    if want.storing {
        text.push_str(" being stored");
    }
    if let Some(asked) = want.asked {
        text.push_str(&format!(" asked {asked}"));
    }
    if !want.lacking.is_empty() {
        text.push_str(&format!(" lacking at {}", want.lacking));
    }
    text
}

fn links(state: &ClusterState) -> String {
    let nodes = || state.nodes().map(Node::id);
    let pairs = nodes().flat_map(|high| nodes().take(high.index()).map(move |low| (low, high)));
    pairs.map(|(low, high)| link(state, low, high)).collect::<Vec<_>>().join(", ")
}

fn link(state: &ClusterState, low: NodeId, high: NodeId) -> String {
    let session = state.world().link(low, high).session;
    let alive = state.world().session(low, high);
    let broken = if alive.is_none() { " BROKEN" } else { "" };
    let seen = |end, peer| state.replica(end).and_then(|it| it.session(peer));
    let views = [(low, seen(low, high)), (high, seen(high, low))];
    let is_behind = |(end, seen): &(NodeId, _)| *seen != alive && state.replica(*end).is_some();
    let views: Vec<String> = views
        .into_iter()
        .filter(is_behind)
        .map(|(end, seen)| match seen {
            Some(seen) => format!("{end} still sees s{seen}"),
            None => format!("{end} does not see it yet"),
        })
        .collect();
    match views.is_empty() {
        true => format!("{low}-{high} s{session}{broken}"),
        false => format!("{low}-{high} s{session}{broken} ({})", views.join(", ")),
    }
}

fn flight(from: NodeId, to: NodeId, packet: &Packet) -> String {
    format!("{from} -> {to} (s{}): {}", packet.session, packet.message)
}

fn left(left: Bounds) -> String {
    let budgets = [
        ("writes", left.writes),
        ("deletes", left.deletes),
        ("resolves", left.resolves),
        ("retries", left.retries),
        ("reads", left.reads),
        ("stale reads", left.stale_reads),
        ("crashes", left.crashes),
        ("partitions", left.partitions),
        ("elections", left.elections),
        ("rot", left.rot),
        ("ticks", left.ticks),
        ("drops", left.drops),
        ("duplicates", left.duplicates),
        ("rollbacks", left.rollbacks),
        ("lost contents", left.lost_contents),
        ("trims", left.trims),
        ("replacements", left.replacements),
    ];
    let some = budgets.iter().filter(|(_, count)| *count > 0);
    some.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("; ")
}

/// The lines that only one of two states has, node by node, the old ones first.
fn differing_lines(before: &[Line], after: &[Line]) -> Vec<String> {
    let removed = without_line(before, after).map(|line| ('-', line));
    let added = without_line(after, before).map(|line| ('+', line));
    let mut lines: Vec<(char, &Line)> = removed.chain(added).collect();
    let places: Vec<_> = after.iter().chain(before).map(|it| (it.node, it.label)).collect();
    lines.sort_by_key(|(_, line)| {
        let place = places.iter().position(|it| *it == (line.node, line.label));
        (line.node.is_none(), line.node, place)
    });
    let words = |(sign, line): (char, &Line)| {
        let node = line.node.map_or(String::new(), |it| format!("{it} "));
        let label =
            if line.label.is_empty() { String::new() } else { format!("{:<7} ", line.label) };
        format!("{sign} {node}{label}{}", line.text)
    };
    lines.into_iter().map(words).collect()
}

fn without_line<'a>(lines: &'a [Line], others: &'a [Line]) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(|it| !it.text.is_empty() && !others.contains(it))
}

type Channel<'a> = ((NodeId, NodeId), Vec<&'a Packet>, Vec<&'a Packet>);

/// The messages under way before and after, per ordered pair of nodes for which they differ.
fn changed_channels<'a>(before: &'a ClusterState, after: &'a ClusterState) -> Vec<Channel<'a>> {
    let nodes = || before.nodes().map(Node::id);
    let pairs = nodes().flat_map(|from| nodes().map(move |to| (from, to)));
    let both = pairs.map(|pair| (pair, under_way(before, pair), under_way(after, pair)));
    both.filter(|(_, old, new)| old != new).collect()
}

fn under_way(state: &ClusterState, (from, to): (NodeId, NodeId)) -> Vec<&Packet> {
    (0..).map_while(|nth| state.packet(from, to, nth)).collect()
}

/// The packets that remain when each of the others takes away one equal to it.
fn without<'a>(packets: &[&'a Packet], others: &[&Packet]) -> Vec<&'a Packet> {
    let mut rest = packets.to_vec();
    for other in others {
        if let Some(at) = rest.iter().position(|it| it == other) {
            rest.remove(at);
        }
    }
    rest
}
