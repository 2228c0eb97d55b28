//! A recording as a list of happenings, read one ahead.

use std::path::Path;

use steadfast_protocol::{ContentId, Input, LogIndex, Record};
use steadfast_recording::{Effects, Frame, ReadError, Reader, Start, Taken};

/// The next thing that a recording says about its node.
pub(super) enum Happening {
    /// A process of the node starts.
    Start(Box<Base>),
    /// The node takes an input.
    Hear(Box<Heard>),
}

/// The state with which a node starts.
pub(super) struct Base {
    pub start: Start,
    pub log: BaseLog,
    pub contents: Vec<ContentId>,
}

/// The log with which a node starts.
pub(super) enum BaseLog {
    /// These records.
    Records(Vec<Record>),
    /// Records that the earlier starts have appended.
    Kept { first: LogIndex, length: LogIndex, digest: u64 },
}

/// One call of `Node::hear`: an input from outside, and the inputs that the node gave to itself.
pub(super) struct Heard {
    /// The number of the input from outside within its start.
    pub number: u64,
    /// When, in nanoseconds since the clock of the start.
    pub at_ns: u64,
    pub input: Input,
    pub follows: Vec<Input>,
    /// The effects of each input; absent for the last one of a process that was killed.
    pub effects: Vec<Option<Effects>>,
    /// Whether the recording of the start is cut behind it: the process was killed.
    pub is_cut: bool,
}

/// Why there is no next happening.
pub(super) enum Unreadable {
    Read(ReadError),
    /// Frames that no recorder writes in this order, at this input of this start.
    Order {
        start: u64,
        input: u64,
        expected: String,
        found: String,
    },
}

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Unreadable {
        Unreadable::Read(error)
    }
}

/// The happenings of one recording.
pub(super) struct Inputs {
    reader: Reader,
    peeked: Option<Frame<'static>>,
    /// The start and the number of the last input that was read.
    start: u64,
    input: u64,
}

impl Inputs {
    pub(super) fn open(directory: &Path) -> Result<Inputs, ReadError> {
        let mut reader = Reader::open(directory)?;
        let peeked = reader.next_frame()?;
        Ok(Inputs { reader, peeked, start: 0, input: 0 })
    }

    /// The first frame, without taking it.
    pub(super) fn first(&self) -> Option<&Start> {
        match &self.peeked {
            Some(Frame::Start(start)) => Some(start),
            _ => None,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Happening>, Unreadable> {
        if matches!(self.peeked, Some(Frame::End)) {
            self.take()?;
            if !matches!(self.peeked, None | Some(Frame::Start(_))) {
                return Err(self.out_of_order("the next start"));
            }
        }
        match self.take()? {
            None => Ok(None),
            Some(Frame::Start(start)) => {
                self.base(start).map(|it| Some(Happening::Start(Box::new(it))))
            }
            Some(Frame::Taken(taken)) if !taken.follows => {
                self.heard(taken).map(|it| Some(Happening::Hear(Box::new(it))))
            }
            Some(other) => {
                self.peeked = Some(other);
                Err(self.out_of_order("an input from outside"))
            }
        }
    }

    fn base(&mut self, start: Start) -> Result<Base, Unreadable> {
        (self.start, self.input) = (self.start + 1, 0);
        if start.number != self.start {
            let (expected, found) = (format!("start {}", self.start), start.number.to_string());
            return Err(Unreadable::Order { start: self.start, input: 0, expected, found });
        }
        let mut records = Vec::new();
        let mut contents = Vec::new();
        let mut kept = None;
        loop {
            match self.take()? {
                Some(Frame::Record(it)) if self.start == 1 && contents.is_empty() => {
                    records.push(it.into_owned());
                }
                Some(Frame::Kept { first, length, digest }) if self.start > 1 => {
                    kept = Some(BaseLog::Kept { first, length, digest });
                }
                Some(Frame::Contents(it)) => contents.extend(it.iter().copied()),
                Some(Frame::Up) if self.start == 1 || kept.is_some() => break,
                other => {
                    self.peeked = other;
                    return Err(self.out_of_order("the state with which the node starts"));
                }
            }
        }
        let log = kept.unwrap_or(BaseLog::Records(records));
        Ok(Base { start, log, contents })
    }

    fn heard(&mut self, taken: Taken<'static>) -> Result<Heard, Unreadable> {
        let (number, at_ns) = (taken.number, taken.at_ns);
        self.count(&taken)?;
        let input = taken.input.into_owned();
        let mut heard = Heard {
            number,
            at_ns,
            input,
            follows: Vec::new(),
            effects: vec![self.effects()?],
            is_cut: false,
        };
        while let Some(Frame::Taken(Taken { follows: true, .. })) = &self.peeked {
            let Some(Frame::Taken(taken)) = self.take()? else { break };
            self.count(&taken)?;
            heard.follows.push(taken.input.into_owned());
            let effects = self.effects()?;
            heard.effects.push(effects);
        }
        heard.is_cut = matches!(self.peeked, None | Some(Frame::Start(_)));
        if !heard.is_cut && heard.effects.contains(&None) {
            return Err(self.out_of_order("the effects of this input"));
        }
        Ok(heard)
    }

    fn count(&mut self, taken: &Taken<'_>) -> Result<(), Unreadable> {
        self.input += 1;
        if taken.number == self.input {
            return Ok(());
        }
        Err(Unreadable::Order {
            start: self.start,
            input: self.input,
            expected: format!("input {}", self.input),
            found: format!("input {}", taken.number),
        })
    }

    fn effects(&mut self) -> Result<Option<Effects>, Unreadable> {
        match self.peeked {
            Some(Frame::Effects(effects)) => {
                self.take()?;
                Ok(Some(effects))
            }
            _ => Ok(None),
        }
    }

    fn take(&mut self) -> Result<Option<Frame<'static>>, ReadError> {
        let next = match &self.peeked {
            None => None,
            Some(_) => self.reader.next_frame()?,
        };
        Ok(std::mem::replace(&mut self.peeked, next))
    }

    fn out_of_order(&self, expected: &str) -> Unreadable {
        let found = match &self.peeked {
            None => "the end of the recording",
            Some(Frame::Start(_)) => "a start",
            Some(Frame::Record(_)) => "a record",
            Some(Frame::Kept { .. }) => "a reference to records",
            Some(Frame::Contents(_)) => "a list of contents",
            Some(Frame::Up) => "the end of a beginning",
            Some(Frame::Taken(it)) if it.follows => "an input of the node to itself",
            Some(Frame::Taken(_)) => "an input from outside",
            Some(Frame::Effects(_)) => "the effects of an input",
            Some(Frame::End) => "the end of a start",
        };
        Unreadable::Order {
            start: self.start,
            input: self.input,
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }
}
