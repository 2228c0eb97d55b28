//! Contents on their way from and to one peer, by the machines that a server runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use steadfast_protocol::{ContentId, SessionId};
use steadfast_simulated_disk::SimulatedDisk;
use steadfast_store::{ContentPlace, HeldContent};
use steadfast_wire::transfer::{Download, Lack, Outcome, Receiver, Sender, Sent};
use steadfast_wire::{Channel, Decoder, FrameError};

use crate::storage::{Arriving, NodeContents};

/// How many contents that were not complete when their peer was lost are kept for another one, as in a server.
const PARKED_MAX: usize = 16;

/// After this many bytes the frames under way are split, so that a cut loses a part of a content only.
const SENT_BYTES_MAX: usize = 64 << 10;

/// The contents that are not complete and that no peer sends now.
pub(crate) type Parked = BTreeMap<ContentId, Incoming>;

/// A content of this node that is being sent, or whose parts are copied.
type Held = HeldContent<SimulatedDisk>;

/// A content that is being received.
type Place = ContentPlace<SimulatedDisk>;

type Incoming = Download<Held, Place>;

/// The ends of transfers, each with its content.
pub(crate) type Ends = Vec<(ContentId, Arriving)>;

/// Both ends of the exchange with one peer. Everything that is not complete when the node crashes is gone with it.
#[derive(Default)]
pub(crate) struct Exchange {
    receiver: Receiver<Held, Place>,
    connection: Option<Connection>,
}

/// An open connection.
struct Connection {
    session: SessionId,
    decoder: Decoder,
    sender: Sender<Held>,
}

impl Exchange {
    /// The session of the open connection.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.connection.as_ref().map(|it| it.session)
    }

    pub(crate) fn connect(&mut self, session: SessionId) {
        self.receiver.connect();
        let (decoder, sender) = (Decoder::new(Channel::Contents), Sender::new());
        self.connection = Some(Connection { session, decoder, sender });
    }

    /// The connection has ended: the contents that are not complete wait for another peer, and for the node
    /// their transfers have ended.
    pub(crate) fn disconnect(&mut self, parked: &mut Parked) -> Ends {
        self.receiver.disconnect();
        self.connection = None;
        let wanted: Vec<ContentId> = self.receiver.downloads().map(Download::content).collect();
        for content in &wanted {
            if let Some(download) = self.receiver.remove(*content) {
                park(download, parked);
            }
        }
        wanted.into_iter().map(|it| (it, Arriving::Failed)).collect()
    }

    /// Begins to receive a content, or goes on where another connection was lost. Returns whether it goes on.
    pub(crate) fn want(
        &mut self,
        content: ContentId,
        old: Option<ContentId>,
        contents: &Arc<NodeContents>,
        parked: &mut Parked,
    ) -> bool {
        if self.receiver.downloads().any(|it| it.content() == content) {
            return false;
        }
        let kept = parked.remove(&content);
        let goes_on = kept.as_ref().is_some_and(|it| it.progress().is_some());
        let download = kept.unwrap_or_else(|| {
            let old = old.and_then(|it| Held::open(contents, it).ok());
            let place = contents.place();
            let place = place.unwrap_or_else(|error| panic!("disks-take-contents: {error}"));
            Download::new(content, old, place, u64::MAX)
        });
        self.receiver.add(download);
        goes_on
    }

    /// Takes bytes of the peer; returns the transfers that end by them.
    ///
    /// # Errors
    /// They are no frames of a node.
    pub(crate) fn receive(
        &mut self,
        mut bytes: &[u8],
        contents: &Arc<NodeContents>,
        parked: &mut Parked,
    ) -> Result<Ends, FrameError> {
        let Some(connection) = &mut self.connection else {
            return Ok(Vec::new());
        };
        let mut outcomes = Vec::new();
        while let Some(frame) = connection.decoder.next(&mut bytes)? {
            if Receiver::<Held, Place>::takes(frame.kind) {
                outcomes.extend(self.receiver.receive(frame)?);
            } else if let Some(asked) = connection.sender.receive(frame)? {
                match Held::open(contents, asked.content) {
                    Ok(source) => {
                        let old = asked.old.and_then(|it| Held::open(contents, it).ok());
                        connection.sender.supply(asked.transfer, source, old);
                    }
                    Err(_) => connection.sender.refuse(asked.transfer, Lack::Missing),
                }
            }
        }
        while self.receiver.has_work() {
            outcomes.extend(self.receiver.work());
        }
        Ok(outcomes.into_iter().map(|it| end(it, parked)).collect())
    }

    /// The bytes for the peer, in stretches; and the contents that cannot be read.
    pub(crate) fn send(&mut self) -> (Vec<Vec<u8>>, Vec<ContentId>) {
        let Some(connection) = &mut self.connection else {
            return (Vec::new(), Vec::new());
        };
        let (mut stretches, mut out, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        while self.receiver.next_frame(&mut out) {}
        loop {
            if out.len() >= SENT_BYTES_MAX {
                stretches.push(std::mem::take(&mut out));
            }
            match connection.sender.next_frame(&mut out) {
                Sent::Frame => {}
                Sent::Bad { content, .. } => bad.push(content),
                Sent::Nothing => break,
            }
        }
        if !out.is_empty() {
            stretches.push(out);
        }
        (stretches, bad)
    }
}

fn end(outcome: Outcome<Held, Place>, parked: &mut Parked) -> (ContentId, Arriving) {
    match outcome {
        Outcome::Done { content, sink, manifest, received } => {
            let (place, manifest) = (sink, Box::new(manifest));
            (content, Arriving::Received { place, manifest, received })
        }
        Outcome::Lacks { download, .. } => {
            let content = download.content();
            park(*download, parked);
            (content, Arriving::Failed)
        }
        // Peers send what they have verified.
        Outcome::Failed { error, .. } => panic!("transfers-bring-contents: {error}"),
    }
}

fn park(download: Incoming, parked: &mut Parked) {
    parked.insert(download.content(), download);
    if parked.len() > PARKED_MAX {
        parked.pop_first();
    }
}
