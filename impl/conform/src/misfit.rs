//! The first step of a run that does not fit.

use std::fmt;

use serde::Serialize;
use steadfast_protocol::{Effect, Input, Packet};

use super::verdicts::Moment;

/// How many characters of an input or an effect a message shows.
const SHOWN_MAX: usize = 300;

/// A step that the replicas do not take as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// The place of the step.
    #[serde(flatten)]
    pub at: Moment,
    /// The step in words.
    pub step: String,
    /// What would fit.
    pub expected: String,
    /// What is recorded, or what the replay does.
    pub found: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfit { at, step, expected, found } = self;
        writeln!(f, "{at} does not fit: {step}")?;
        write!(f, "  expected: {expected}\n  found:    {found}")
    }
}

/// An input in words.
pub(super) fn input(input: &Input) -> String {
    let text = match input {
        Input::Receive { from, packet } => format!("receives from {from} {}", message(packet)),
        Input::Synced(index) => format!("the log is synced up to record {index}"),
        Input::ElectionTimeout => "its election timer runs out".to_owned(),
        Input::Tick => "its heartbeat timer runs out".to_owned(),
        Input::LinkUp { peer, session } => format!("a session with {peer} begins, {session}"),
        Input::LinkDown { peer } => format!("the session with {peer} ends"),
        Input::Stored { content } => format!("content {content} is stored"),
        Input::Unusable { content } => format!("content {content} could not be made"),
        Input::Fetched { content } => format!("content {content} was read"),
        Input::Bad { content } => format!("the copy of content {content} is bad"),
        Input::Verified { content } => format!("the copy of content {content} is verified"),
        Input::Withdrawn { content } => format!("no write of content {content} will come"),
        Input::Trim => "the log is to be trimmed".to_owned(),
        Input::Checkpointed => "the checkpoint is written".to_owned(),
        Input::LogFailed => "the log failed".to_owned(),
        Input::Write(it) => format!("write {} of {}: {:?}", it.request, it.path, it.intent),
        Input::Read(it) => format!("read {} of {}, {:?}", it.request, it.path, it.consistency),
    };
    shortened(text)
}

/// A message in its session, in words.
pub(super) fn message(packet: &Packet) -> String {
    shortened(format!("{} in session {}", packet.message, packet.session))
}

/// Effects in words.
pub(super) fn effects(effects: &[Effect]) -> String {
    let word = |effect: &Effect| match effect {
        Effect::Append { records } => {
            let records: Vec<String> = records.iter().map(ToString::to_string).collect();
            format!("append {}", records.join(", "))
        }
        Effect::Checkpoint { checkpoint } => format!("checkpoint up to {}", checkpoint.length),
        Effect::Send { to, packet } => format!("send {to} {}", message(packet)),
        Effect::ResetElectionTimer => "reset the election timer".to_owned(),
        Effect::Answer { request, outcome } => format!("answer {request}: {outcome:?}"),
        Effect::Store { payload, from } => format!("store {} from {from}", payload.content),
        Effect::Discard { content } => format!("discard {content}"),
        Effect::Fetch { content } => format!("fetch {content}"),
    };
    match effects {
        [] => "none".to_owned(),
        _ => shortened(effects.iter().map(word).collect::<Vec<_>>().join("; ")),
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        None => text,
        Some((at, _)) => format!("{} ...", &text[..at]),
    }
}
