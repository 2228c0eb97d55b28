//! The recordings of all nodes as one run: causality first, then time.

use std::path::PathBuf;

use steadfast_node::Output;
use steadfast_protocol::{Decisions, Input, NodeId, Settings};
use steadfast_recording::ReadError;

use super::channels::{Arrival, Channels};
use super::inputs::{Happening, Inputs};
use super::judge::{Deeds, Extent, Judge};
use super::misfit::{Misfit, message};
use super::replayed::Replayed;
use super::verdicts::Moment;
use super::view::Scene;
use super::{ConformError, Conformance, Counts};

/// The recordings of a cluster, on their way through its replicas.
pub(super) struct Run {
    settings: Settings,
    nodes: Vec<Replayed>,
    channels: Channels,
    judge: Judge,
    counts: Counts,
    has_one_clock: bool,
    outputs: Vec<Output>,
    /// The last step.
    last: Moment,
}

/// Why a run ends before all recordings are at their end.
enum End {
    Misfit(Misfit),
    Unreadable(ReadError),
}

impl From<Misfit> for End {
    fn from(misfit: Misfit) -> End {
        End::Misfit(misfit)
    }
}

impl From<Result<Misfit, ReadError>> for End {
    fn from(end: Result<Misfit, ReadError>) -> End {
        match end {
            Ok(misfit) => End::Misfit(misfit),
            Err(error) => End::Unreadable(error),
        }
    }
}

impl Run {
    /// Opens the recordings, which must be those of all nodes of one cluster.
    pub(super) fn open(
        directories: &[PathBuf],
        decisions: &'static dyn Decisions,
        extent: Extent,
    ) -> Result<Run, ConformError> {
        let mut found: Vec<(PathBuf, Replayed)> = Vec::new();
        let mut boots = Vec::new();
        let mut first = None;
        for directory in directories {
            let inputs = Inputs::open(directory)?;
            let Some(start) = inputs.first().copied() else {
                return Err(ConformError::NoStart { directory: directory.clone() });
            };
            let cluster = (start.cluster, start.identity.settings);
            let (of_first, first_directory) = first.get_or_insert((cluster, directory.clone()));
            if *of_first != cluster {
                let directories = [first_directory.clone(), directory.clone()];
                return Err(ConformError::OtherCluster { directories });
            }
            let node = start.identity.node;
            if let Some((other, _)) = found.iter().find(|(_, it)| it.identity.node == node) {
                let directories = [other.clone(), directory.clone()];
                return Err(ConformError::Twice { node, directories });
            }
            let starts = steadfast_recording::starts(directory)?;
            boots.extend(starts.iter().map(|it| it.clock.boot));
            found.push((directory.clone(), Replayed::new(start.identity, decisions, inputs)));
        }
        let Some(settings) = found.first().map(|(_, it)| it.identity.settings) else {
            return Err(ConformError::Missing { missing: Vec::new(), nodes: 0 });
        };
        found.sort_by_key(|(_, it)| it.identity.node);
        let nodes: Vec<Replayed> = found.into_iter().map(|(_, it)| it).collect();
        let is_there = |node: &NodeId| nodes.iter().any(|it| it.identity.node == *node);
        let missing: Vec<NodeId> =
            NodeId::all(settings.nodes()).filter(|it| !is_there(it)).collect();
        if !missing.is_empty() {
            return Err(ConformError::Missing { missing, nodes: settings.nodes() });
        }
        let has_one_clock = boots.iter().all(|it| *it == boots[0] && *it != [0; 16]);
        Ok(Run {
            settings,
            channels: Channels::default(),
            judge: Judge::new(settings, has_one_clock, (decisions, extent), &nodes),
            nodes,
            counts: Counts::default(),
            has_one_clock,
            outputs: Vec::new(),
            last: Moment { node: NodeId(0), start: 0, input: 0 },
        })
    }

    /// Replays all recordings.
    pub(super) fn finish(mut self) -> Result<Conformance, ConformError> {
        let misfit = match self.replay() {
            Ok(()) => None,
            Err(End::Misfit(misfit)) => Some(misfit),
            Err(End::Unreadable(error)) => return Err(error.into()),
        };
        self.counts.cuts = self.nodes.iter().map(|it| it.cuts).sum();
        let scene = Scene { nodes: &self.nodes, channels: &self.channels };
        let guarantees = self.judge.finish(scene, self.last, misfit.is_none());
        Ok(Conformance { settings: self.settings, counts: self.counts, misfit, guarantees })
    }

    fn replay(&mut self) -> Result<(), End> {
        for node in &mut self.nodes {
            node.read()?;
        }
        while let Some(at) = self.choose()? {
            self.step(at)?;
        }
        Ok(())
    }

    /// The node whose happening is next: that of the earliest happening, unless it receives a message that its
    /// sender has not sent yet. Then the sender goes on first.
    fn choose(&self) -> Result<Option<usize>, Misfit> {
        let times = self.nodes.iter().enumerate();
        let times = times.filter_map(|(at, it)| Some((it.next_time(self.has_one_clock)?, at)));
        let Some((_, earliest)) = times.min() else { return Ok(None) };
        let mut at = earliest;
        for _ in 0..self.nodes.len() {
            match self.waits_for(at) {
                None => return Ok(Some(at)),
                Some(sender) if self.nodes.get(sender).is_some_and(|it| it.next.is_some()) => {
                    at = sender;
                }
                Some(_) => return Err(self.never_sent(at)),
            }
        }
        Err(self.never_sent(earliest))
    }

    /// The node that must first send the message that this node receives next.
    fn waits_for(&self, at: usize) -> Option<usize> {
        let to = self.nodes[at].identity.node;
        match &self.nodes[at].next {
            Some(Happening::Hear(heard)) => match &heard.input {
                Input::Receive { from, packet } => {
                    let arrival = self.channels.arrival(*from, to, packet);
                    matches!(arrival, Arrival::NotSent).then_some(from.index())
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn never_sent(&self, at: usize) -> Misfit {
        let node = &self.nodes[at];
        match &node.next {
            Some(Happening::Hear(heard)) => {
                let expected = "a message that its sender has sent before, by its own recording";
                let found = "the sender has sent no further message in this session".to_owned();
                node.misfit(heard, 0, expected.to_owned(), found)
            }
            _ => unreachable!("only a message waits for its sender"),
        }
    }

    fn step(&mut self, at: usize) -> Result<(), End> {
        let node = &mut self.nodes[at];
        let Some(next) = node.next.take() else { return Ok(()) };
        match next {
            Happening::Start(base) => {
                self.counts.starts += 1;
                let is_rolled_back = node.begin(*base)?;
                self.last = node.moment();
                let contents = node.node.storage_mut().take_changed();
                let scene = Scene { nodes: &self.nodes, channels: &self.channels };
                self.judge.on_started(scene, self.last, is_rolled_back, contents);
            }
            Happening::Hear(heard) => {
                let to = node.identity.node;
                self.counts.inputs += 1 + heard.follows.len() as u64;
                match &heard.input {
                    Input::Receive { from, packet } => {
                        if let Arrival::Other(sent) = self.channels.arrival(*from, to, packet) {
                            let expected = format!("{from} has sent {}", message(&sent));
                            let found = format!("{to} receives {}", message(packet));
                            return Err(node.misfit(&heard, 0, expected, found).into());
                        }
                        self.channels.receive(*from, to, packet.session);
                        self.counts.messages += 1;
                    }
                    Input::LinkUp { peer, session } => self.channels.begin(*peer, to, *session),
                    input => self.judge.on_input(to, input),
                }
                self.outputs.clear();
                node.hear(&heard, &mut self.outputs)?;
                self.counts.effects +=
                    heard.effects.iter().flatten().map(|it| it.count).sum::<u64>();
                let mut answers = Vec::new();
                for output in self.outputs.drain(..) {
                    match output {
                        Output::Send { to: peer, packet } => self.channels.send(to, peer, packet),
                        Output::Answer { request, outcome } => answers.push((request, outcome)),
                        Output::ResetElectionTimer => {}
                    }
                }
                self.last = node.moment();
                let contents = node.node.storage_mut().take_changed();
                let scene = Scene { nodes: &self.nodes, channels: &self.channels };
                self.judge.on_heard(scene, self.last, Deeds { answers, contents });
            }
        }
        Ok(self.nodes[at].read()?)
    }
}
