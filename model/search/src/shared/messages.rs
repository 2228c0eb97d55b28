//! The status of a process, as it tells the others in each round.

use super::words::{Reader, Writer};
use crate::print::Print;
use crate::run::{Run, Stop};
use crate::system::System;

/// The status of a process in a round.
pub(super) struct Status<P> {
    /// The number of states of the level that it has not expanded.
    pub left: u64,
    /// The number of states that it owns.
    pub unique: u64,
    pub generated: u64,
    /// The number of states of the level that it has expanded.
    pub expanded: u64,
    pub bytes: u64,
    /// Whether it asks all to stop, and why.
    pub stop: Option<Asked<P>>,
    /// For each property the finding, of this level or an earlier one.
    pub found: Vec<Option<P>>,
}

/// Why a process asks all to stop.
pub(super) struct Asked<P> {
    why: u64,
    text: String,
    /// The state that a flaw is about.
    pub print: Option<P>,
}

const TIME: u64 = 1;
const MEMORY: u64 = 2;
const OBSERVER: u64 = 3;
const FLAW: u64 = 4;

impl<P: Print> Asked<P> {
    /// The reason as other processes learn it.
    pub(super) fn of(stop: &Stop<P>) -> Self {
        let (why, text) = match stop {
            Stop::Time => (TIME, String::new()),
            Stop::Memory => (MEMORY, String::new()),
            Stop::Observer(why) | Stop::Peer(why) => (OBSERVER, why.clone()),
            Stop::Flaw(flaw, _) => (FLAW, flaw.to_string()),
            Stop::Found | Stop::States | Stop::Pause => {
                unreachable!("all processes know of these at once, and none pauses")
            }
        };
        Asked { why, text, print: None }
    }

    /// The state that a flaw is about.
    pub(super) fn about(print: P) -> Self {
        Asked { why: FLAW, text: String::new(), print: Some(print) }
    }

    /// The reason in a process that learned it from another one.
    pub(super) fn stop_of(&self, process: usize) -> Stop<P> {
        match self.why {
            TIME => Stop::Time,
            MEMORY => Stop::Memory,
            FLAW => {
                let text = &self.text;
                Stop::Peer(format!("process {process} cannot search the system: {text}"))
            }
            _ => Stop::Observer(format!("process {process}: {}", self.text)),
        }
    }
}

impl<P: Print> Status<P> {
    /// The status as words. Properties are told as in [`Status::read`].
    pub(super) fn written<S: System>(&self, run: &Run<'_, S, P>) -> Writer {
        let mut out = Writer::default();
        for word in [self.left, self.unique, self.generated, self.expanded, self.bytes] {
            out.word(word);
        }
        out.word(self.stop.as_ref().map_or(0, |it| it.why));
        if let Some(stop) = &self.stop {
            out.bytes(stop.text.as_bytes());
            write_print(&mut out, stop.print);
        }
        assert_eq!(self.found.len(), run.properties.len(), "a word for each property");
        self.found.iter().for_each(|it| write_print(&mut out, *it));
        out
    }

    /// The status that a process wrote; `None` if the words are no status.
    pub(super) fn read<S: System>(run: &Run<'_, S, P>, from: &mut Reader<'_>) -> Option<Self> {
        let [left, unique, generated] = [from.word()?, from.word()?, from.word()?];
        let [expanded, bytes, why] = [from.word()?, from.word()?, from.word()?];
        let stop = match why {
            0 => None,
            why => {
                let text = String::from_utf8_lossy(&from.bytes()?).into_owned();
                Some(Asked { why, text, print: read_print(from)? })
            }
        };
        let found = run.properties.iter().map(|_| read_print(from)).collect::<Option<_>>()?;
        Some(Status { left, unique, generated, expanded, bytes, stop, found })
    }
}

fn write_print<P: Print>(out: &mut Writer, print: Option<P>) {
    out.word(u64::from(print.is_some()));
    let [low, high] = print.unwrap_or(P::ZERO).to_words();
    out.word(low);
    out.word(high);
}

#[expect(clippy::option_option, reason = "the words may be missing, and so may the fingerprint")]
fn read_print<P: Print>(from: &mut Reader<'_>) -> Option<Option<P>> {
    let is_some = from.word()? != 0;
    let print = P::from_words([from.word()?, from.word()?]);
    Some(is_some.then_some(print))
}
