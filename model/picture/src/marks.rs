//! The marks of a step besides messages: a sign and a few words on a lane.

use steadfast_protocol::NodeId;
use steadfast_trace::Step;

use crate::story::{Change, LogRecord, Moment, Role, Story};
use crate::words;

/// How many records or versions are named beside a lane.
const NAMED_MAX: usize = 2;

/// Where a mark stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// On the lane of a node.
    Node(NodeId),
    /// On a lane of client operations.
    Client(usize),
    /// Across all lanes.
    All,
}

/// The sign of a mark. Each has a shape of its own, so that readers need no colour to distinguish
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyph {
    None,
    Append,
    Sync,
    Crash,
    Recover,
    Timeout,
    Tick,
    Link,
    Content,
    Crown,
    Cut,
    Heal,
    Broken,
}

/// The meaning of a mark to its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Warn,
    Lead,
    Client,
}

impl Tone {
    /// The class that the style sheet colours.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Tone::Plain => "p",
            Tone::Good => "g",
            Tone::Bad => "b",
            Tone::Warn => "w",
            Tone::Lead => "l",
            Tone::Client => "c",
        }
    }
}

/// A sign and a few words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    pub lane: Lane,
    pub glyph: Glyph,
    pub tone: Tone,
    pub text: String,
}

fn mark(lane: Lane, glyph: Glyph, tone: Tone, text: impl Into<String>) -> Mark {
    Mark { lane, glyph, tone, text: text.into() }
}

/// The marks of a step, those of one lane in the order in which they stand below each other.
pub(crate) fn marks(moment: &Moment, story: &Story) -> Vec<Mark> {
    let mut marks: Vec<Mark> = of_step(&moment.step, &moment.changes).into_iter().collect();
    for change in &moment.changes {
        marks.extend(of_change(change, story));
        marks.extend(conflicts(change));
    }
    marks
}

/// The conflict versions of a path, on a line of their own.
fn conflicts(change: &Change) -> Option<Mark> {
    let Change::Shows { node, versions, .. } = change else {
        return None;
    };
    let text = match versions.get(1..)? {
        [] => return None,
        [one] => format!("conflict {one}"),
        many => format!("{} conflicts", many.len()),
    };
    Some(mark(Lane::Node(*node), Glyph::None, Tone::Warn, text))
}

fn of_step(step: &Step, changes: &[Change]) -> Option<Mark> {
    let on =
        |node: &NodeId, glyph, tone, text: String| Some(mark(Lane::Node(*node), glyph, tone, text));
    match step {
        Step::Sync { node } => {
            let synced = changes.iter().find_map(|it| match it {
                Change::Synced { node: of, synced, of: all } if of == node => {
                    Some(format!("sync {synced}/{all}"))
                }
                _ => None,
            });
            on(node, Glyph::Sync, Tone::Plain, synced.unwrap_or_else(|| "sync".to_owned()))
        }
        Step::Crash { node, kept, torn } => {
            let gone = changes.iter().find_map(|it| match it {
                Change::Truncated { node: of, gone, .. } if of == node => Some(*gone),
                _ => None,
            });
            let gone = gone.map_or("loses nothing".to_owned(), |it| format!("loses {it}"));
            let torn = if *torn { ", one torn" } else { "" };
            on(node, Glyph::Crash, Tone::Bad, format!("CRASH, keeps {kept} unsynced, {gone}{torn}"))
        }
        Step::Rollback { node, kept } => {
            on(node, Glyph::Crash, Tone::Bad, format!("LOG ROLLED BACK to {kept} records"))
        }
        Step::Replace { node } => {
            on(node, Glyph::Crash, Tone::Bad, "DISK LOST, new log from the others".to_owned())
        }
        Step::Trim { node } => on(node, Glyph::Sync, Tone::Plain, "begins to trim".to_owned()),
        Step::Checkpoint { node } => {
            on(node, Glyph::Sync, Tone::Plain, "checkpoint is durable".to_owned())
        }
        Step::Recover { node } => on(node, Glyph::Recover, Tone::Good, "recovers".to_owned()),
        Step::Timeout { node } => on(node, Glyph::Timeout, Tone::Warn, "timeout".to_owned()),
        Step::Tick { node } => on(node, Glyph::Tick, Tone::Plain, "tick".to_owned()),
        Step::Store { node } => {
            on(node, Glyph::Content, Tone::Plain, "stores a content".to_owned())
        }
        Step::Transfer { node, made: true } => {
            on(node, Glyph::Content, Tone::Plain, "stores a content without its base".to_owned())
        }
        Step::Transfer { node, made: false } => {
            on(node, Glyph::Content, Tone::Warn, "does not get a content".to_owned())
        }
        Step::LinkUp { node, peer } => {
            on(node, Glyph::Link, Tone::Good, format!("link to {peer} up"))
        }
        Step::LinkDown { node, peer } => {
            on(node, Glyph::Link, Tone::Bad, format!("link to {peer} down"))
        }
        Step::Rot { node, content } => {
            on(node, Glyph::Content, Tone::Bad, format!("content {content} ROTS"))
        }
        Step::LoseContent { node, content } => {
            on(node, Glyph::Content, Tone::Bad, format!("content {content} is GONE"))
        }
        Step::Scrub { node, content } => {
            on(node, Glyph::Content, Tone::Warn, format!("finds {content} bad"))
        }
        // Messages, clients and cuts are drawn from their changes.
        Step::Deliver { .. }
        | Step::Drop { .. }
        | Step::Duplicate { .. }
        | Step::Write { .. }
        | Step::Retry { .. }
        | Step::Read { .. }
        | Step::StaleRead { .. }
        | Step::Cut(_)
        | Step::Heal => None,
    }
}

fn of_change(change: &Change, story: &Story) -> Option<Mark> {
    let on =
        |node: &NodeId, glyph, tone, text: String| Some(mark(Lane::Node(*node), glyph, tone, text));
    match change {
        Change::Appended { node, records } => {
            on(node, Glyph::Append, Tone::Plain, format!("log {}", appended(records)))
        }
        Change::Became { node, role, epoch } => match role {
            Role::Leads => on(node, Glyph::Crown, Tone::Lead, words::role(*role, epoch)),
            Role::Asks | Role::Follows => {
                on(node, Glyph::None, Tone::Plain, words::role(*role, epoch))
            }
            Role::Halted => on(node, Glyph::None, Tone::Bad, words::role(*role, epoch)),
            Role::Down => None,
        },
        Change::Shows { node, path, versions } => {
            let (name, visible) = (words::clipped(path, 20), versions.first()?);
            on(node, Glyph::None, Tone::Plain, format!("shows {name}={visible}"))
        }
        Change::Cut(_) => {
            Some(mark(Lane::All, Glyph::Cut, Tone::Bad, words::change(change, story)))
        }
        Change::Healed => Some(mark(Lane::All, Glyph::Heal, Tone::Good, "heal")),
        Change::Invoked(at) | Change::Retried(at) => {
            let it = story.operations.get(*at)?;
            let again = if matches!(change, Change::Retried(_)) { "again " } else { "" };
            let text = format!("{again}{} at {}", it.asked, it.node);
            Some(mark(Lane::Client(it.lane), Glyph::None, Tone::Client, text))
        }
        Change::Answered { operation, answer } => {
            let it = story.operations.get(*operation)?;
            let tone = if it.contradicts { Tone::Bad } else { Tone::Client };
            Some(mark(Lane::Client(it.lane), Glyph::None, tone, answer.clone()))
        }
        Change::Broke(at) => {
            let it = story.breaks.get(*at)?;
            let (tone, text) = match it.is_promised {
                true => (Tone::Bad, format!("✗ BREAKS {} {}", it.id, it.name)),
                false => {
                    (Tone::Warn, format!("✗ {} {} is not kept (nor promised)", it.id, it.name))
                }
            };
            Some(mark(Lane::All, Glyph::Broken, tone, text))
        }
        Change::Copy { .. }
        | Change::Synced { .. }
        | Change::Truncated { .. }
        | Change::Trimmed { .. }
        | Change::Link { .. }
        | Change::Sent(_)
        | Change::Arrived(_)
        | Change::Lost(_) => None,
    }
}

fn appended(records: &[LogRecord]) -> String {
    let mut words: Vec<&str> = records.iter().take(NAMED_MAX).map(|it| it.words.as_str()).collect();
    let more = format!("{} more", records.len().saturating_sub(NAMED_MAX));
    if records.len() > NAMED_MAX {
        words.push(&more);
    }
    words.join("; ")
}
