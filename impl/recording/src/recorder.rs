//! Writing a recording.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use steadfast_node::Watched;
use steadfast_protocol::{
    ContentId, Effect, Identity, Incarnation, Input, Parameters, Record, first_index, last_index,
};

use crate::digest::{EffectsDigest, encoded, records_digest};
use crate::files::{list, path_of, unfinished};
use crate::format::{FRAME_HEAD_BYTES, FileNumber, FrameHead, header};
use crate::{BeginError, Clock, Cluster, Frame, Reader, Start, Taken, WriteError};

/// Once a file is this long, in bytes, the next one begins.
const FILE_BYTES: u64 = 64 << 20;

/// How many bytes may wait for the first effect of an input before they are written.
const WAITING_BYTES: usize = 256 << 10;

/// How many contents a frame lists.
const CONTENTS_PER_FRAME: usize = 1 << 12;

/// Writes the recording of a node that starts.
///
/// Its writes go to the page cache of the operating system. A disk that is slow therefore slows the node
/// down once the page cache is full, and no input is left out. If a write fails, [`Recorder::failure`] says so
/// and nothing more is written: the node must not perform anything more, or stop recording for good.
#[derive(Debug)]
pub struct Recorder {
    directory: PathBuf,
    number: FileNumber,
    path: PathBuf,
    file: File,
    file_bytes: u64,
    chain: u64,
    /// The monotonic time in the first frame, from which the times of inputs are counted.
    began_ns: u64,
    /// Frames that are not handed to the operating system yet.
    waiting: Vec<u8>,
    payload: Vec<u8>,
    taken: u64,
    /// The effects of the last input, if their frame is still to be written.
    effects: Option<EffectsDigest>,
    spare: EffectsDigest,
    failure: Option<WriteError>,
}

impl Recorder {
    /// Begins the recording of a start of a node in this directory, which is made if it is not there. The
    /// records and contents are those with which the node starts.
    ///
    /// # Errors
    /// The directory cannot be used, or holds the recording of another node.
    pub fn begin(
        directory: &Path,
        cluster: Cluster,
        (identity, incarnation, parameters): (Identity, Incarnation, Parameters),
        records: &[Record],
        contents: impl Iterator<Item = ContentId>,
    ) -> Result<Recorder, BeginError> {
        let failed = |path: &Path, source| BeginError::Io { path: path.to_owned(), source };
        make(directory).map_err(|it| failed(directory, it))?;
        let before = list(directory)?.last().map_or(0, |it| it.start);
        if before > 0 {
            check_owner(directory, cluster, identity)?;
        }
        let number = FileNumber { start: before + 1, part: 1 };
        let path = path_of(directory, number);
        let unfinished = unfinished(&path);
        let (head, chain) = header(number, 0);
        let file = File::create(&unfinished).map_err(|it| failed(&unfinished, it))?;
        let clock = now().map_err(|it| failed(directory, it))?;
        let mut recorder = Recorder {
            directory: directory.to_owned(),
            number,
            path: unfinished,
            file,
            file_bytes: 0,
            chain,
            began_ns: clock.monotonic_ns,
            waiting: head.to_vec(),
            payload: Vec::new(),
            taken: 0,
            effects: None,
            spare: EffectsDigest::default(),
            failure: None,
        };
        recorder.put(&Frame::Start(Start {
            number: number.start,
            cluster,
            identity,
            incarnation,
            parameters,
            clock,
        }));
        recorder.put_log(records);
        recorder.put_contents(contents);
        recorder.put(&Frame::Up);
        recorder.flush();
        if let Some(failure) = recorder.failure.take() {
            return Err(failure.into());
        }
        // The base is there as a whole or not at all: the next start relies on it.
        fs::rename(&recorder.path, &path).map_err(|it| failed(&path, it))?;
        recorder.path = path;
        Ok(recorder)
    }

    /// Why the recording has ended, once it has.
    #[must_use]
    pub fn failure(&self) -> Option<&WriteError> {
        self.failure.as_ref()
    }

    /// Records one call of `Node::hear_watched`: the first input that it shows comes from outside, and the
    /// others from the node itself. Before the first effect of an input is performed, the input is in the hands
    /// of the operating system.
    pub fn watch(&mut self) -> impl FnMut(Watched<'_>) {
        let mut follows = false;
        move |moment| match moment {
            Watched::Input(input) => self.note_input(input, std::mem::replace(&mut follows, true)),
            Watched::Effect(effect) => self.note_effect(effect),
        }
    }

    /// Ends the recording of a process that stops.
    pub fn end(mut self) -> Option<WriteError> {
        self.finish_effects();
        self.put(&Frame::End);
        self.flush();
        self.failure
    }

    fn note_input(&mut self, input: &Input, follows: bool) {
        self.finish_effects();
        if self.file_bytes >= FILE_BYTES {
            self.flush();
            self.begin_file();
        }
        self.taken += 1;
        // A system without this clock has refused the beginning of the recording.
        let at_ns = monotonic_ns().unwrap_or_default().saturating_sub(self.began_ns);
        let input = Cow::Borrowed(input);
        self.put(&Frame::Taken(Taken { number: self.taken, at_ns, follows, input }));
        let mut effects = std::mem::take(&mut self.spare);
        effects.begin_encoded(input_in(&self.payload, (self.taken, at_ns, follows)));
        self.effects = Some(effects);
        if self.waiting.len() >= WAITING_BYTES {
            self.flush();
        }
    }

    fn note_effect(&mut self, effect: &Effect) {
        self.flush();
        if let Some(effects) = &mut self.effects {
            effects.add(effect);
        }
    }

    fn finish_effects(&mut self) {
        if let Some(mut effects) = self.effects.take() {
            self.put(&Frame::Effects(effects.finish()));
            self.spare = effects;
        }
    }

    /// The log with which the node starts: its records, or a reference to those that are recorded.
    fn put_log(&mut self, records: &[Record]) {
        if self.number.start > 1 {
            let (first, length) = (first_index(records), last_index(records));
            let digest = records_digest(records);
            return self.put(&Frame::Kept { first, length, digest });
        }
        for record in records {
            self.put(&Frame::Record(Cow::Borrowed(record)));
            if self.waiting.len() >= WAITING_BYTES {
                self.flush();
            }
        }
    }

    fn put_contents(&mut self, contents: impl Iterator<Item = ContentId>) {
        let mut contents = contents.peekable();
        while contents.peek().is_some() {
            let some: Vec<ContentId> = contents.by_ref().take(CONTENTS_PER_FRAME).collect();
            self.put(&Frame::Contents(Cow::Owned(some)));
            self.flush();
        }
    }

    /// Puts a frame behind those that wait.
    fn put(&mut self, frame: &Frame<'_>) {
        if self.failure.is_some() {
            return;
        }
        self.payload.clear();
        self.payload = encoded(frame, std::mem::take(&mut self.payload));
        let Some(head) = FrameHead::of(&self.payload, self.chain) else {
            let bytes = self.payload.len() + FRAME_HEAD_BYTES;
            self.failure = Some(WriteError::TooLong { path: self.path.clone(), bytes });
            return;
        };
        self.waiting.extend(head.encode(self.chain));
        self.waiting.extend(&self.payload);
        self.chain = head.chain;
    }

    /// Hands the frames that wait to the operating system.
    fn flush(&mut self) {
        if self.waiting.is_empty() || self.failure.is_some() {
            return;
        }
        match self.file.write_all(&self.waiting) {
            Ok(()) => self.file_bytes += self.waiting.len() as u64,
            Err(source) => self.fail(source),
        }
        self.waiting.clear();
    }

    fn begin_file(&mut self) {
        if self.failure.is_some() {
            return;
        }
        self.number.part += 1;
        self.path = path_of(&self.directory, self.number);
        match File::create_new(&self.path) {
            Ok(file) => self.file = file,
            Err(source) => return self.fail(source),
        }
        let (head, chain) = header(self.number, self.chain);
        (self.file_bytes, self.chain) = (0, chain);
        self.waiting.extend(head);
    }

    fn fail(&mut self, source: io::Error) {
        self.failure = Some(WriteError::Io { path: self.path.clone(), source });
    }
}

/// The encoded input in the payload of a [`Frame::Taken`]: it is the last field, behind a byte that names the kind of
/// frame.
fn input_in(payload: &[u8], fields_before: (u64, u64, bool)) -> &[u8] {
    payload.get(1 + encoded(&fields_before, Vec::new()).len()..).unwrap_or_default()
}

/// Refuses a directory that belongs to another node.
fn check_owner(directory: &Path, cluster: Cluster, identity: Identity) -> Result<(), BeginError> {
    let mut reader = Reader::open(directory)?;
    match reader.next_frame()? {
        Some(Frame::Start(it)) if (it.cluster, it.identity) != (cluster, identity) => {
            Err(BeginError::OtherNode {
                directory: directory.to_owned(),
                found: it.identity,
                found_cluster: it.cluster,
                expected: identity,
                expected_cluster: cluster,
            })
        }
        _ => Ok(()),
    }
}

/// Makes a directory for the user of the node alone: inputs hold small contents of files.
fn make(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

/// The clocks of this machine.
fn now() -> io::Result<Clock> {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Clock {
        boot: boot().unwrap_or_default(),
        monotonic_ns: monotonic_ns()?,
        wall_ns: nanoseconds(wall),
    })
}

/// The time since a moment that all processes of this boot share.
fn monotonic_ns() -> io::Result<u64> {
    Ok(nanoseconds(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into()))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The id of the boot, as Linux names it.
fn boot() -> Option<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some(number.to_be_bytes())
}
