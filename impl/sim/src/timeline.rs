//! What happened, for people: when, who, what and why.

use std::fmt;

use steadfast_protocol::NodeId;

use crate::Time;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub time: Time,
    /// Who; nobody for what happens to the network.
    pub who: Option<NodeId>,
    /// What, and why.
    pub what: String,
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    lines: Vec<Line>,
    is_kept: bool,
}

impl Timeline {
    pub(crate) fn new(is_kept: bool) -> Timeline {
        Timeline { lines: Vec::new(), is_kept }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub(crate) fn say(&mut self, time: Time, who: Option<NodeId>, what: impl Into<String>) {
        if self.is_kept {
            self.lines.push(Line { time, who, what: what.into() });
        }
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.map_or("--".to_owned(), |it| it.to_string());
        write!(f, "{:>12}  {who:<3} {}", self.time, self.what)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
