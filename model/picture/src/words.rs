//! Words for people, of bounded length.

use steadfast_guarantees::{Operation, OperationKind, Status};
use steadfast_protocol::{Change as Written, Content, Entry, Intent, Message, Record};
use steadfast_trace::Cut;

use crate::story::{Change, LogRecord, Role, Story};

/// The longest name, content or message that is written out.
const LONG: usize = 160;
/// The longest name or content where several stand side by side.
const SHORT: usize = 28;

/// At most `most` characters, with an ellipsis for the rest. Control characters and those that turn the
/// direction of writing are replaced: they would let a name pose as something else.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    let plain = |it: char| match it {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        it if it.is_control() => '\u{fffd}',
        it => it,
    };
    let mut letters = text.chars().map(plain);
    let mut clipped: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() {
        clipped.pop();
        clipped.push('…');
    }
    clipped
}

/// A name of a file.
pub(crate) fn path(name: &steadfast_protocol::Path) -> String {
    clipped(name.as_str(), LONG)
}

/// The name of a content.
fn content(content: &Content) -> String {
    match content {
        Content::Inline(bytes) => {
            let some = &bytes[..bytes.len().min(4 * SHORT)];
            clipped(&format!("{:?}", String::from_utf8_lossy(some)), SHORT)
        }
        Content::Named(content) => format!("content {content}"),
    }
}

fn written(change: &Written) -> String {
    match change {
        Written::Put(it) => content(it),
        Written::Delete => "deleted".to_owned(),
    }
}

/// A version: its content and the entry that made it.
pub(crate) fn version(entry: &Entry) -> String {
    format!("{} ({})", written(&entry.change), entry.dot)
}

/// An entry with its path.
pub(crate) fn entry(entry: &Entry) -> String {
    let name = clipped(entry.path.as_str(), SHORT);
    format!("{} {name}={}", entry.dot, written(&entry.change))
}

/// A record of a log.
pub(crate) fn record(record: &Record) -> LogRecord {
    match record {
        Record::Entry(it) => LogRecord { words: entry(it), path: Some(path(&it.path)) },
        _ => LogRecord { words: clipped(&record.to_string(), LONG), path: None },
    }
}

/// The kind of a message and its most important fields.
pub(crate) fn label(message: &Message) -> String {
    let dots = message.entries().iter().map(|it| it.dot.to_string());
    let mut dots: Vec<String> = dots.collect();
    if dots.len() > 3 {
        let more = dots.len() - 2;
        dots.truncate(2);
        dots.push(format!("{more} more"));
    }
    let head = match message {
        Message::Append(it) => format!("Append {} t{}", it.epoch, it.tag),
        Message::Ack(it) => format!("Ack {} t{} {}", it.epoch, it.tag, it.vv),
        Message::Vote(it) => format!("Vote {}", it.epoch),
        Message::VoteRequest(it) => format!("VoteRequest {}", it.epoch),
        _ => clipped(&message.to_string(), 2 * SHORT),
    };
    if dots.is_empty() { head } else { format!("{head} +{}", dots.join(",")) }
}

/// All of a message, within reason.
pub(crate) fn message(message: &Message) -> String {
    clipped(&message.to_string(), 2 * LONG)
}

/// The request of a client.
pub(crate) fn asked(operation: &Operation) -> String {
    let name = clipped(operation.path.as_str(), SHORT);
    match &operation.kind {
        OperationKind::Read { .. } => format!("read {name}"),
        OperationKind::StaleRead { .. } => format!("read {name}, stale"),
        OperationKind::Write { intent: Intent::Put(it), .. } => {
            format!("put {name}={}", content(it))
        }
        OperationKind::Write { intent: Intent::Delete, .. } => format!("delete {name}"),
        OperationKind::Write { intent: Intent::Restore(dot), .. } => {
            format!("restore {dot} of {name}")
        }
    }
}

/// The answer to a client.
pub(crate) fn answer(operation: &Operation) -> String {
    match (operation.status, &operation.kind) {
        (Status::Pending, _) => "pending".to_owned(),
        (Status::Refused, _) => "refused".to_owned(),
        (Status::Unknown, _) => "outcome unknown".to_owned(),
        (
            Status::Done,
            OperationKind::Read { version: Some(it) }
            | OperationKind::StaleRead { version: Some(it) },
        ) => format!("value {}", version(it)),
        (
            Status::Done,
            OperationKind::Read { version: None } | OperationKind::StaleRead { version: None },
        ) => "value none".to_owned(),
        (Status::Done, OperationKind::Write { acked: Some(dot), .. }) => {
            format!("acknowledged {dot}")
        }
        (Status::Done, OperationKind::Write { acked: None, .. }) => "acknowledged".to_owned(),
    }
}

/// The role of a node in words.
pub(crate) fn role(role: Role, epoch: &str) -> String {
    match role {
        Role::Leads => format!("leads {epoch}"),
        Role::Asks => format!("asks to lead {epoch}"),
        Role::Follows if epoch == "e0" => "follows nobody".to_owned(),
        Role::Follows => format!("follows {epoch}"),
        Role::Halted => "has halted".to_owned(),
        Role::Down => "is down".to_owned(),
    }
}

/// The versions of a path: the visible one and the conflicts.
pub(crate) fn versions(versions: &[String]) -> String {
    match versions {
        [] => "nothing".to_owned(),
        [visible] => visible.clone(),
        [visible, conflicts @ ..] => {
            format!("{visible}, conflict {}", conflicts.join(", conflict "))
        }
    }
}

/// A difference in words.
pub(crate) fn change(change: &Change, story: &Story) -> String {
    let flight = |at: usize| {
        story.flights.get(at).map_or(String::new(), |it| {
            format!("{} to {} (sent at step {}): {}", it.from, it.to, it.sent, it.words)
        })
    };
    let operation = |at: usize| {
        story.operations.get(at).map_or(String::new(), |it| {
            format!("request {}, {} at {}", it.number, it.asked, it.node)
        })
    };
    match change {
        Change::Appended { node, records } => {
            let words: Vec<&str> = records.iter().map(|it| it.words.as_str()).collect();
            format!("{node} appends {}", words.join("; "))
        }
        Change::Synced { node, synced, of } => {
            format!("{node} has synced {synced} of {of} records")
        }
        Change::Truncated { node, left, gone } => {
            format!("{node} loses the last {gone} records of its log, {left} are left")
        }
        Change::Trimmed { node, records } => {
            let first = records.first().map_or("", |it| it.words.as_str());
            format!("the log of {node} begins with a {first}")
        }
        Change::Became { node, role: it, epoch } => format!("{node} {}", role(*it, epoch)),
        Change::Shows { node, path, versions: it } => {
            format!("{node} shows {path}={}", versions(it))
        }
        Change::Copy { node, content, state } => {
            format!("the copy of content {content} on {node} is {state}")
        }
        Change::Link { node, peer, session: Some(it) } => {
            format!("{node} sees session {it} with {peer} begin")
        }
        Change::Link { node, peer, session: None } => {
            format!("{node} sees its session with {peer} end")
        }
        Change::Sent(at) => story
            .flights
            .get(*at)
            .map_or(String::new(), |it| format!("{} sends {} {}", it.from, it.to, it.words)),
        Change::Arrived(at) => format!("arrives: {}", flight(*at)),
        Change::Lost(at) => format!("lost: {}", flight(*at)),
        Change::Invoked(at) => format!("client asks: {}", operation(*at)),
        Change::Retried(at) => format!("client asks again: {}", operation(*at)),
        Change::Answered { operation: at, answer } => {
            format!("client hears: {}: {answer}", operation(*at))
        }
        Change::Cut(Cut::Around { side, one_way: true }) => {
            format!("nothing leaves {side} any more")
        }
        Change::Cut(Cut::Around { side, one_way: false }) => {
            format!("{side} and the others no longer reach each other")
        }
        Change::Cut(Cut::Links { lost }) => format!("messages are lost on {lost}"),
        Change::Healed => "all nodes reach each other again".to_owned(),
        Change::Broke(at) => story.breaks.get(*at).map_or(String::new(), |it| {
            let promised =
                if it.is_promised { "breaks" } else { "does not keep (not promised here)" };
            format!("{promised} {} {}: {}", it.id, it.name, it.reason)
        }),
    }
}
