//! One recorded node, replayed.

use steadfast_node::{Node, Output, Watched};
use steadfast_protocol::{Decisions, Effect, Identity, Input, Replica};
use steadfast_recording::{Effects, EffectsDigest, Start};

use super::inputs::{Base, BaseLog, Happening, Heard, Inputs, Unreadable};
use super::misfit::{Misfit, effects as in_words, input as input_in_words};
use super::storage::ReplayStorage;
use super::verdicts::Moment;

/// A node with the rest of its recording.
pub(super) struct Replayed {
    pub identity: Identity,
    decisions: &'static dyn Decisions,
    inputs: Inputs,
    /// The next happening; `None` at the end of the recording.
    pub next: Option<Happening>,
    pub node: Node<ReplayStorage>,
    /// The present start.
    start: Option<Start>,
    /// The number of the last input from outside within the start.
    input: u64,
    /// The inputs and effects of the last call of the node, without the first input.
    watch: Watch,
    /// How many starts had no end: their processes were killed, or still run.
    pub cuts: u64,
}

/// What a node did with one input from outside.
#[derive(Default)]
struct Watch {
    follows: Vec<Input>,
    /// The effects of all inputs, with the place where those of each input begin.
    effects: Vec<Effect>,
    begins: Vec<usize>,
    digest: EffectsDigest,
    digests: Vec<Effects>,
}

impl Watch {
    fn clear(&mut self) {
        self.follows.clear();
        self.effects.clear();
        self.begins.clear();
        self.digests.clear();
    }

    fn note(&mut self, moment: Watched<'_>) {
        match moment {
            Watched::Input(input) => {
                if !self.begins.is_empty() {
                    self.digests.push(self.digest.finish());
                    self.follows.push(input.clone());
                }
                self.digest.begin(input);
                self.begins.push(self.effects.len());
            }
            Watched::Effect(effect) => {
                self.digest.add(effect);
                self.effects.push(effect.clone());
            }
        }
    }

    fn effects_of(&self, at: usize) -> &[Effect] {
        let begin = self.begins.get(at).copied().unwrap_or(self.effects.len());
        let end = self.begins.get(at + 1).copied().unwrap_or(self.effects.len());
        &self.effects[begin..end]
    }
}

impl Replayed {
    pub(super) fn new(
        identity: Identity,
        decisions: &'static dyn Decisions,
        inputs: Inputs,
    ) -> Replayed {
        Replayed {
            identity,
            decisions,
            inputs,
            next: None,
            node: Node::new(identity, Default::default(), ReplayStorage::default()),
            start: None,
            input: 0,
            watch: Watch::default(),
            cuts: 0,
        }
    }

    pub(super) fn replica(&self) -> Option<&Replica> {
        self.node.replica()
    }

    /// Reads the next happening. Call this once before the first step.
    pub(super) fn read(&mut self) -> Result<(), Result<Misfit, steadfast_recording::ReadError>> {
        self.next = match self.inputs.next() {
            Ok(next) => next,
            Err(Unreadable::Read(error)) => return Err(Err(error)),
            Err(Unreadable::Order { start, input, expected, found }) => {
                let at = Moment { node: self.identity.node, start, input };
                let step = "the recording goes on".to_owned();
                return Err(Ok(Misfit { at, step, expected, found }));
            }
        };
        Ok(())
    }

    /// When the next happening was, by the clock that all nodes of one machine share, or else by the wall clock
    /// of the start; in nanoseconds.
    pub(super) fn next_time(&self, has_one_clock: bool) -> Option<u64> {
        let base = |it: &Start| match has_one_clock {
            true => it.clock.monotonic_ns,
            false => it.clock.wall_ns,
        };
        match self.next.as_ref()? {
            Happening::Start(it) => Some(base(&it.start)),
            Happening::Hear(it) => {
                Some(self.start.as_ref().map_or(0, base).saturating_add(it.at_ns))
            }
        }
    }

    /// The last input that the node has heard.
    pub(super) fn moment(&self) -> Moment {
        let start = self.start.as_ref().map_or(0, |it| it.number);
        Moment { node: self.identity.node, start, input: self.input }
    }

    /// Starts the node. Returns whether its log lost synced records.
    pub(super) fn begin(&mut self, base: Base) -> Result<bool, Misfit> {
        let Base { start, log, contents } = base;
        let is_same = |it: &Start| (it.cluster, it.identity) == (start.cluster, start.identity);
        if self.start.as_ref().is_some_and(|it| !is_same(it)) {
            let (expected, found) = ("the same node".to_owned(), start.identity.node.to_string());
            return Err(self.misfit_at(&start, "starts", expected, found));
        }
        (self.start, self.input) = (Some(start), 0);
        let mut is_rolled_back = false;
        let storage = match log {
            BaseLog::Records(records) => ReplayStorage::new(records, contents),
            BaseLog::Kept { first, length, digest } => {
                self.node.stop();
                let mut storage = std::mem::take(self.node.storage_mut());
                is_rolled_back = storage.crash((first, length), digest).map_err(|it| {
                    self.misfit_at(&start, "starts from its log", it.expected, it.found)
                })?;
                storage.set_contents(contents);
                storage
            }
        };
        self.node = Node::new(start.identity, start.parameters, storage);
        self.node.start(start.incarnation, self.decisions).map_err(|error| {
            let expected = "a log that a node can have written".to_owned();
            self.misfit_at(&start, "starts", expected, error.to_string())
        })?;
        Ok(is_rolled_back)
    }

    /// Lets the node hear an input, and compares everything that it does.
    pub(super) fn hear(&mut self, heard: &Heard, outputs: &mut Vec<Output>) -> Result<(), Misfit> {
        self.input = heard.number;
        let storage = self.node.storage_mut();
        if !storage.before(&heard.input, &heard.follows) {
            let expected =
                "a report about records or a checkpoint that the node has given to its disk";
            return Err(self.misfit(heard, 0, expected.to_owned(), "none".to_owned()));
        }
        self.watch.clear();
        let (watch, decisions) = (&mut self.watch, self.decisions);
        self.node.hear_watched(heard.input.clone(), decisions, outputs, |it| watch.note(it));
        watch.digests.push(watch.digest.finish());
        self.node.storage_mut().after();
        self.cuts += u64::from(heard.is_cut);
        self.compare(heard)
    }

    fn compare(&self, heard: &Heard) -> Result<(), Misfit> {
        let watch = &self.watch;
        for (at, recorded) in heard.effects.iter().enumerate() {
            if let (Some(expected), Some(found)) = (recorded, watch.digests.get(at))
                && expected != found
            {
                let words =
                    |it: &Effects| format!("{} effects, digest {:016x}", it.count, it.digest);
                let found = format!("{}: {}", words(found), in_words(watch.effects_of(at)));
                return Err(self.misfit(heard, at, words(expected), found));
            }
            let (expected, found) = (heard.follows.get(at), watch.follows.get(at));
            // A process that was killed may not have come to its next input.
            if expected != found && !(heard.is_cut && expected.is_none()) {
                let words = |it: Option<&Input>| match it {
                    None => "no further input".to_owned(),
                    Some(it) => format!("the node then finds: {}", input_in_words(it)),
                };
                return Err(self.misfit(heard, at + 1, words(expected), words(found)));
            }
        }
        Ok(())
    }

    /// A misfit at one of the inputs of a call.
    pub(super) fn misfit(
        &self,
        heard: &Heard,
        at: usize,
        expected: String,
        found: String,
    ) -> Misfit {
        let input = match at {
            0 => &heard.input,
            _ => heard.follows.get(at - 1).unwrap_or(&heard.input),
        };
        let place = Moment { input: heard.number + at as u64, ..self.moment() };
        Misfit { at: place, step: input_in_words(input), expected, found }
    }

    fn misfit_at(&self, start: &Start, step: &str, expected: String, found: String) -> Misfit {
        let at = Moment { node: self.identity.node, start: start.number, input: 0 };
        Misfit { at, step: step.to_owned(), expected, found }
    }
}
