//! Two ends of a connection of contents, in memory.
#![allow(dead_code, unreachable_pub)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_protocol::ContentId;
use steadfast_wire::transfer::{
    Asked, Download, Lack, Outcome, Received, Receiver, Sender, Sent, Sink, Source,
};
use steadfast_wire::{Channel, Decoder, FrameError, Kind};

/// A content in memory, which may be damaged behind its manifest.
#[derive(Clone)]
pub struct Memory {
    pub bytes: Rc<RefCell<Vec<u8>>>,
    pub manifest: Rc<Manifest>,
}

impl Memory {
    pub fn new(bytes: &[u8]) -> Memory {
        Memory::with_depth(bytes, Depth::Chunks)
    }

    pub fn with_depth(bytes: &[u8], depth: Depth) -> Memory {
        let manifest = Rc::new(Manifest::of(bytes, depth));
        Memory { bytes: Rc::new(RefCell::new(bytes.to_vec())), manifest }
    }

    pub fn content(&self) -> ContentId {
        ContentId(self.manifest.root().0)
    }
}

impl Source for Memory {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let held = self.bytes.borrow();
        let found = held.get(from..from.saturating_add(bytes.len()));
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A place in memory, which takes every byte once. It begins as a copy of the old content, if it may, and then does not
/// write what stays in place.
#[derive(Default)]
pub struct Place {
    pub bytes: Vec<u8>,
    /// The parts that are written, in their order of arrival.
    pub written: Vec<Range<usize>>,
    pub is_begun: bool,
    /// Whether it began as a copy.
    pub is_copy: bool,
    /// The bytes that stayed in place.
    pub kept: u64,
    /// The bytes that fit.
    pub room: Option<u64>,
}

impl Place {
    pub fn is_whole(&self) -> bool {
        // No two of them overlap.
        self.written.iter().map(Range::len).sum::<usize>() == self.bytes.len()
    }
}

impl Place {
    fn mark(&mut self, range: Range<usize>) {
        assert!(range.end <= self.bytes.len(), "written behind the end");
        let is_apart = |it: &Range<usize>| it.end <= range.start || range.end <= it.start;
        assert!(self.written.iter().all(is_apart), "written twice");
        self.written.push(range);
    }
}

impl Sink<Memory> for Place {
    fn begin(&mut self, length: u64, old: Option<&Memory>) -> io::Result<()> {
        assert!(!std::mem::replace(&mut self.is_begun, true), "begun twice");
        if self.room.is_some_and(|room| room < length) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = usize::try_from(length).expect("a short content");
        self.bytes = old.map(|it| it.bytes.borrow().clone()).unwrap_or_default();
        self.bytes.resize(length, 0);
        self.is_copy = old.is_some();
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).expect("a place within");
        let range = from..from + bytes.len();
        self.mark(range.clone());
        self.bytes[range].copy_from_slice(bytes);
        Ok(())
    }

    fn copy_at(
        &mut self,
        bytes: &[u8],
        offset: u64,
        old: &Memory,
        old_offset: u64,
    ) -> io::Result<()> {
        let mut read = vec![0; bytes.len()];
        old.read_exact_at(&mut read, old_offset)?;
        assert_eq!(read, bytes, "these are not the bytes of the old content");
        if !self.is_copy || offset != old_offset {
            return self.write_at(bytes, offset);
        }
        let from = usize::try_from(offset).expect("a place within");
        self.mark(from..from + bytes.len());
        self.kept += bytes.len() as u64;
        Ok(())
    }
}

pub type Ended = Outcome<Memory, Place>;

/// Both ends of a connection, with the store of the sending one.
#[derive(Default)]
pub struct Pair {
    pub receiver: Receiver<Memory, Place>,
    pub store: BTreeMap<ContentId, Memory>,
    pub gone: Vec<ContentId>,
    pub ended: Vec<Ended>,
    /// Whether the old content is damaged, so that nothing of it may stay in place.
    pub is_damaged: bool,
    /// What the sender found to be bad.
    pub bad: Vec<ContentId>,
    /// The bytes of the content that was taken last that stayed where they were in the old one.
    pub kept: u64,
}

/// What travels on a connection until it ends.
pub struct Line {
    sender: Sender<Memory>,
    to_sender: Decoder,
    to_receiver: Decoder,
    /// The bytes of each kind of frame, with headers.
    pub sent: BTreeMap<Kind, u64>,
    /// The content that a frame of the sender belongs to, in their order.
    pub order: Vec<(Kind, u32)>,
}

impl Line {
    pub fn total(&self) -> u64 {
        self.sent.values().sum()
    }

    pub fn of(&self, kind: Kind) -> u64 {
        self.sent.get(&kind).copied().unwrap_or(0)
    }
}

impl Pair {
    pub fn hold(&mut self, content: &Memory) {
        self.store.insert(content.content(), content.clone());
    }

    /// Begins a connection.
    pub fn connect(&mut self) -> Line {
        self.receiver.connect();
        let decoder = || Decoder::new(Channel::Contents);
        let (sent, order) = (BTreeMap::new(), Vec::new());
        let (to_sender, to_receiver) = (decoder(), decoder());
        Line { sender: Sender::new(), to_sender, to_receiver, sent, order }
    }

    /// Lets both ends talk until nothing happens any more or `stop` says so, which is asked after each frame of the
    /// sender.
    pub fn run(&mut self, line: &mut Line, mut stop: impl FnMut(&Line, &[Ended]) -> bool) {
        loop {
            let is_idle = !self.ask(line);
            let mut out = Vec::new();
            match line.sender.next_frame(&mut out) {
                Sent::Nothing if is_idle && !self.receiver.has_work() => return,
                Sent::Nothing => {}
                Sent::Frame => self.deliver(line, &out),
                Sent::Bad { content, .. } => {
                    self.bad.push(content);
                    self.deliver(line, &out);
                }
            }
            self.ended.extend(self.receiver.work());
            if stop(line, &self.ended) {
                return;
            }
        }
    }

    /// Delivers all that the receiver says, then all that the sender answers.
    pub fn round_trip(&mut self, line: &mut Line) {
        self.ask(line);
        let mut out = Vec::new();
        while !matches!(line.sender.next_frame(&mut out), Sent::Nothing) {}
        self.deliver(line, &out);
    }

    /// Lets both ends talk for some frames, but delivers none of a transfer; returns the bytes of these.
    pub fn hold_back(&mut self, line: &mut Line, transfer: u32, frames: usize) -> u64 {
        let mut held = 0;
        for _ in 0..frames {
            self.ask(line);
            let mut out = Vec::new();
            if matches!(line.sender.next_frame(&mut out), Sent::Nothing) {
                continue;
            }
            match out[5..9] == transfer.to_le_bytes() {
                true => held += out.len() as u64,
                false => self.deliver(line, &out),
            }
        }
        held
    }

    /// Lets the receiver ask and hear nothing, and returns the bytes that the sender sends.
    pub fn drain(&mut self, line: &mut Line) -> u64 {
        self.ask(line);
        let mut out = Vec::new();
        while !matches!(line.sender.next_frame(&mut out), Sent::Nothing) {}
        out.len() as u64
    }

    /// Delivers all that the receiver says, and returns whether it said anything.
    fn ask(&mut self, line: &mut Line) -> bool {
        let mut out = Vec::new();
        while self.receiver.next_frame(&mut out) {}
        let mut rest = &out[..];
        while let Some(frame) = line.to_sender.next(&mut rest).expect("frames") {
            *line.sent.entry(frame.kind).or_default() += frame.body.len() as u64 + 5;
            let asked = line.sender.receive(frame).expect("frames that fit");
            if let Some(Asked { transfer, content, old }) = asked {
                let old = old.and_then(|it| self.store.get(&it)).cloned();
                match self.store.get(&content) {
                    Some(source) => line.sender.supply(transfer, source.clone(), old),
                    None if self.gone.contains(&content) => {
                        line.sender.refuse(transfer, Lack::Gone);
                    }
                    None => line.sender.refuse(transfer, Lack::Missing),
                }
            }
        }
        !out.is_empty()
    }

    fn deliver(&mut self, line: &mut Line, out: &[u8]) {
        let mut rest = out;
        while let Some(frame) = line.to_receiver.next(&mut rest).expect("frames") {
            *line.sent.entry(frame.kind).or_default() += frame.body.len() as u64 + 5;
            let id = frame.body.first_chunk().copied().unwrap_or_default();
            line.order.push((frame.kind, u32::from_le_bytes(id)));
            self.ended.extend(self.receiver.receive(frame).expect("frames that fit"));
        }
    }

    /// The error of a frame that arrives from the sender.
    pub fn receive_raw(&mut self, bytes: &[u8]) -> Result<Option<Ended>, FrameError> {
        let mut decoder = Decoder::new(Channel::Contents);
        let mut rest = bytes;
        let frame = decoder.next(&mut rest)?.expect("a whole frame");
        self.receiver.receive(frame)
    }

    /// Takes a content from the end of a download.
    pub fn take(&mut self) -> (Vec<u8>, Received) {
        assert_eq!(self.ended.len(), 1, "{:?}", self.ended);
        match self.ended.pop() {
            Some(Outcome::Done { content, sink, manifest, received }) => {
                assert_eq!(manifest.root().0, content.0);
                assert_eq!(manifest, Manifest::of(&sink.bytes, Depth::Chunks));
                assert!(sink.is_whole());
                let made = received.whole + received.patched + received.copied;
                assert_eq!(made, sink.bytes.len() as u64, "{received:?}");
                let keeps = !sink.is_copy || self.is_damaged || sink.kept > 0;
                assert!(keeps, "it began as a copy for nothing");
                self.kept = sink.kept;
                (sink.bytes, received)
            }
            ended => panic!("{ended:?}"),
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "place of {} bytes", self.bytes.len())
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "content {}", self.content())
    }
}

/// A download of `new` by an end that has `old`.
pub fn download(new: &Memory, old: Option<&Memory>) -> Download<Memory, Place> {
    Download::new(new.content(), old.cloned(), Place::default(), 1 << 40)
}

/// Bytes that do not repeat.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5A17;
    let words = std::iter::repeat_with(|| {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31).to_le_bytes()
    });
    let mut bytes: Vec<u8> = words.take(length / 8 + 1).flatten().collect();
    bytes.truncate(length);
    bytes
}
