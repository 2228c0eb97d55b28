//! Rounds as times of a dataflow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use steadfast_search::{Lost, Peers};
use timely::WorkerConfig;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Allocator, Hooks, WorkerGuards, initialize_from};
use timely::container::NoopBuilder;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::{Input, Probe, core, probe};
use timely::worker::Worker;

use crate::link::{Link, Links};
use crate::piece::{Piece, ToReceiver, WORDS_MAX};

/// After a peer has ended, messages that are under way from it arrive within this time.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The other processes hear the end of this one within this time, or they are gone.
const CLOSING: Duration = Duration::from_secs(5);
/// How long this process sleeps at most while it waits for messages.
const WAIT: Duration = Duration::from_millis(100);

/// Messages by sender, by the round that they belong to.
type Received = BTreeMap<u64, Vec<Option<Vec<u64>>>>;

/// The messages of a round: those to each process, or those from each.
type Messages = Vec<Vec<u64>>;

/// The processes of a search, connected.
///
/// A thread of its own runs the dataflow. Dropped, it waits until the others have heard everything
/// from this process.
pub struct Rounds {
    index: usize,
    addresses: Vec<String>,
    links: Arc<Links>,
    is_lost: bool,
    /// To the thread, and back.
    messages: Option<Sender<Messages>>,
    received: Receiver<Result<Messages, Lost>>,
    worker: Option<WorkerGuards<()>>,
}

impl Rounds {
    /// The processes behind these connections; `None` stands at this process's own place.
    pub(crate) fn new(
        index: usize,
        addresses: Vec<String>,
        streams: Vec<Option<TcpStream>>,
    ) -> io::Result<Rounds> {
        let links = Links::new();
        let link = |(peer, stream): (usize, Option<TcpStream>)| {
            Some(Link { stream: stream?, peer, links: Arc::clone(&links) })
        };
        let sockets: Vec<_> = streams.into_iter().enumerate().map(link).collect();
        let hooks = Hooks::default();
        let threads = ProcessBuilder::new_typed_vector(1, hooks.refill.clone(), None);
        let (builders, guard) =
            initialize_networking_from_sockets(threads, sockets, index, 1, hooks)?;
        // The guard would wait for all threads of timely and panic if one did not end cleanly, as those
        // that read from a lost peer. `Rounds::drop` waits for as much as is needed instead.
        std::mem::forget(guard);
        let (messages, to_send) = channel();
        let (taken, received) = channel();
        let ends = Mutex::new(Some((to_send, taken)));
        let (peers, shared) = (addresses.clone(), Arc::clone(&links));
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        let worker = initialize_from(builders, Box::new(()), move |allocator| {
            let ends = ends.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some((to_send, taken)) = ends {
                Dataflow::new(allocator, index, &peers, &shared).serve(&to_send, &taken);
            }
        });
        let worker = Some(worker.map_err(io::Error::other)?);
        let messages = Some(messages);
        Ok(Rounds { index, addresses, links, is_lost: false, messages, received, worker })
    }
}

impl Peers for Rounds {
    fn index(&self) -> usize {
        self.index
    }

    fn count(&self) -> usize {
        self.addresses.len()
    }

    fn exchange(&mut self, messages: Vec<Vec<u64>>) -> Result<Vec<Vec<u64>>, Lost> {
        let sent = self.messages.as_ref().is_some_and(|it| it.send(messages).is_ok());
        let received = sent.then(|| self.received.recv().ok()).flatten();
        let ended = || Lost { process: self.index, why: "runs no dataflow any more".into() };
        let received = received.unwrap_or_else(|| Err(ended()));
        self.is_lost |= received.is_err();
        received
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        // Without messages the thread ends; the queues of timely's other threads end with it, which then
        // close what they send.
        self.messages = None;
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
        self.links.close(self.addresses.len() - 1, self.is_lost, CLOSING);
    }
}

/// The dataflow, in its thread.
struct Dataflow<'p> {
    index: usize,
    addresses: &'p [String],
    links: &'p Links,
    round: u64,
    received: Rc<RefCell<Received>>,
    input: core::input::Handle<u64, NoopBuilder<Piece>>,
    probe: probe::Handle<u64>,
    worker: Worker,
}

impl<'p> Dataflow<'p> {
    fn new(allocator: Allocator, index: usize, addresses: &'p [String], links: &'p Links) -> Self {
        let mut worker = Worker::new(WorkerConfig::default(), allocator, Some(Instant::now()));
        let received = Rc::new(RefCell::new(Received::new()));
        let (input, probe) = dataflow(&mut worker, addresses.len(), &received);
        Dataflow { index, addresses, links, round: 0, received, input, probe, worker }
    }

    /// Serves rounds until one of the ends is gone, or a process is lost.
    fn serve(mut self, to_send: &Receiver<Messages>, taken: &Sender<Result<Messages, Lost>>) {
        while let Ok(messages) = to_send.recv() {
            self.send(messages);
            let received = self.wait().and_then(|()| self.take());
            let is_lost = received.is_err();
            self.round += 1;
            if taken.send(received).is_err() || is_lost {
                return;
            }
        }
        self.finish();
    }

    /// The messages of this round.
    fn take(&self) -> Result<Messages, Lost> {
        let mut received = self.received.borrow_mut().remove(&self.round).unwrap_or_default();
        let mut messages = Messages::new();
        for process in 0..self.addresses.len() {
            let message = received.get_mut(process).and_then(Option::take);
            let left = || Lost {
                process,
                why: format!("({}) has left the search", self.addresses[process]),
            };
            let own = (process == self.index).then(Vec::new);
            messages.push(message.or(own).ok_or_else(left)?);
        }
        Ok(messages)
    }

    /// Works until all processes have passed the last round. Timely holds progress back that may not
    /// matter, so a process that just went away would leave others waiting for it.
    fn finish(self) {
        let Dataflow { input, mut worker, links, .. } = self;
        drop(input);
        let begun = Instant::now();
        while worker.has_dataflows() && begun.elapsed() < CLOSING {
            if links.first_ended().is_some() && begun.elapsed() >= LAST_WORDS {
                return;
            }
            worker.step_or_park(Some(WAIT / 10));
        }
    }

    fn send(&mut self, messages: Messages) {
        for (to, message) in messages.into_iter().enumerate() {
            if to != self.index {
                // An empty message is sent as well: nothing at all comes from a process that has left.
                let empty = message.is_empty().then_some(&[][..]);
                for words in message.chunks(WORDS_MAX).chain(empty) {
                    self.input.send_batch(&mut Piece::new(to, self.index, self.round, words));
                }
            }
        }
        self.input.advance_to(self.round + 1);
    }

    /// Works until the frontier has passed this round.
    fn wait(&mut self) -> Result<(), Lost> {
        let mut ended: Option<(usize, String, Instant)> = None;
        while self.probe.less_equal(&self.round) {
            self.worker.step_or_park(Some(WAIT));
            if ended.is_none() {
                let first = self.links.first_ended();
                ended = first.map(|(process, why)| (process, why, Instant::now()));
            }
            if let Some((process, why, at)) = &ended
                && at.elapsed() >= LAST_WORDS
                && self.probe.less_equal(&self.round)
            {
                let why = format!("({}) {why}", self.addresses[*process]);
                return Err(Lost { process: *process, why });
            }
        }
        Ok(())
    }
}

/// A dataflow of one edge: from each process to the receivers of its pieces.
fn dataflow(
    worker: &mut Worker,
    processes: usize,
    received: &Rc<RefCell<Received>>,
) -> (core::input::Handle<u64, NoopBuilder<Piece>>, probe::Handle<u64>) {
    let received = Rc::clone(received);
    worker.dataflow::<u64, _, _>(|scope| {
        let (input, pieces) = scope.new_input_with_builder::<NoopBuilder<Piece>>();
        let pact = DistributorPact(|_| ToReceiver);
        let taken = pieces.unary::<NoopBuilder<Piece>, _, _, _>(pact, "take", move |_, _| {
            move |input, _| {
                input.for_each(|_, piece| {
                    if let Some((from, round, words)) = piece.parts() {
                        let mut received = received.borrow_mut();
                        let messages =
                            received.entry(round).or_insert_with(|| vec![None; processes]);
                        if let Some(message) = messages.get_mut(from) {
                            message.get_or_insert_default().extend_from_slice(words);
                        }
                    }
                });
            }
        });
        (input, taken.probe().0)
    })
}
