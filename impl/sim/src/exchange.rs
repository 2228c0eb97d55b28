//! Contents on their way from and to one peer, by the machines that a server runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use steadfast_delta::manifest::Manifest;
use steadfast_protocol::{ContentId, SessionId};
use steadfast_simulated_disk::SimulatedDisk;
use steadfast_store::{ContentError, ContentPlace, ContentReader};
use steadfast_wire::transfer::{Download, Lack, Outcome, Receiver, Sender, Sent, Sink, Source};
use steadfast_wire::{Channel, Decoder, FrameError};

use crate::storage::{Arriving, NodeContents};

/// How many contents that were not complete when their peer was lost are kept for another one, as in a server.
const PARKED_MAX: usize = 16;

/// After this many bytes the frames under way are split, so that a cut loses a part of a content only.
const SENT_BYTES_MAX: usize = 64 << 10;

/// The contents that are not complete and that no peer sends now.
pub(crate) type Parked = BTreeMap<ContentId, Incoming>;

type Incoming = Download<HeldContent, NewContent>;

/// The ends of transfers, each with its content.
pub(crate) type Ends = Vec<(ContentId, Arriving)>;

/// Both ends of the exchange with one peer. Everything that is not complete when the node crashes is gone with it.
#[derive(Default)]
pub(crate) struct Exchange {
    receiver: Receiver<HeldContent, NewContent>,
    connection: Option<Connection>,
}

/// An open connection.
struct Connection {
    session: SessionId,
    decoder: Decoder,
    sender: Sender<HeldContent>,
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
            let old = old.and_then(|it| HeldContent::open(contents, it).ok());
            let place = contents.place();
            let place = place.unwrap_or_else(|error| panic!("disks-take-contents: {error}"));
            Download::new(content, old, NewContent(place), u64::MAX)
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
            if Receiver::<HeldContent, NewContent>::takes(frame.kind) {
                outcomes.extend(self.receiver.receive(frame)?);
            } else if let Some(asked) = connection.sender.receive(frame)? {
                match HeldContent::open(contents, asked.content) {
                    Ok(source) => {
                        let old = asked.old.and_then(|it| HeldContent::open(contents, it).ok());
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

fn end(outcome: Outcome<HeldContent, NewContent>, parked: &mut Parked) -> (ContentId, Arriving) {
    match outcome {
        Outcome::Done { content, sink, manifest, received } => {
            let (place, manifest) = (sink.0, Box::new(manifest));
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

/// A content of this node that is being sent, or whose parts are copied.
pub(crate) struct HeldContent {
    manifest: Manifest,
    reader: RefCell<ContentReader<SimulatedDisk>>,
}

impl HeldContent {
    fn open(contents: &Arc<NodeContents>, content: ContentId) -> Result<HeldContent, ContentError> {
        let reader = contents.reader(content)?;
        Ok(HeldContent { manifest: reader.manifest().clone(), reader: RefCell::new(reader) })
    }
}

impl Source for HeldContent {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.reader.borrow_mut().read_at(offset, bytes).map_err(io::Error::other)
    }
}

/// A content that is being received.
pub(crate) struct NewContent(ContentPlace<SimulatedDisk>);

impl Sink for NewContent {
    fn begin(&mut self, length: u64) -> io::Result<()> {
        self.0.set_length(length).map_err(io::Error::other)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset).map_err(io::Error::other)
    }
}
