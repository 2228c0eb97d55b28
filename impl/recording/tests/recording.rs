//! Recordings: frozen bytes, damage that is named, and nodes that are killed.
//!
//! `snapshots/recording/v6.txt` holds a file in hexadecimal digits, of the only version that can be read.

use std::borrow::Cow;
use std::fmt::Write;
use std::fs;
use std::path::Path as File;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use proptest::prelude::*;
use steadfast_node::Watched;
use steadfast_protocol::{
    Base, Consistency, Content, ContentId, Counter, Effect, Epoch, Identity, Incarnation, Input,
    Intent, LogIndex, NodeId, Parameters, Path, ReadRequest, Record, RequestId, SessionId,
    Settings, WriteRequest,
};
use steadfast_recording::{
    BeginError, Clock, Cluster, Effects, Frame, ReadError, Reader, Recorder, Start, Taken,
    WriteError, testing,
};

const GOLDEN: &str = "../../snapshots/recording/v6.txt";

fn identity(node: u8) -> Identity {
    let settings = Settings::new(3, 2, 2).expect("settings");
    Identity { node: NodeId(node), settings }
}

fn write(number: u64, bytes: usize) -> Input {
    Input::Write(WriteRequest {
        request: RequestId { client: 5, number },
        path: Path::new("notes"),
        intent: Intent::Put(Content::Inline(vec![7; bytes].into())),
        base: Base::Visible,
        seen: Counter(300),
    })
}

/// Frames of each kind, in an order that a recorder may write.
fn samples() -> Vec<Frame<'static>> {
    let clock =
        Clock { boot: [3; 16], monotonic_ns: 1_000_000, wall_ns: 1_700_000_000_000_000_000 };
    let start = Start {
        number: 1,
        cluster: Cluster([9; 16]),
        identity: identity(1),
        incarnation: Incarnation(0x5EED),
        parameters: Parameters::default(),
        clock,
    };
    let records = [Record::Identity(identity(1)), Record::Promise(Epoch::ZERO)];
    let content = ContentId([4; 32]);
    let read = ReadRequest {
        request: RequestId { client: 5, number: 2 },
        path: Path::new("notes"),
        consistency: Consistency::Linearizable,
    };
    let inputs = [
        write(1, 3),
        Input::Read(read),
        Input::Synced(LogIndex(2)),
        Input::ElectionTimeout,
        Input::Tick,
        Input::LinkUp { peer: NodeId(2), session: SessionId(77) },
        Input::LinkDown { peer: NodeId(2) },
        Input::Stored { content },
        Input::Unusable { content },
        Input::Fetched { content },
        Input::Trim,
        Input::Checkpointed,
        Input::LogFailed,
        Input::Bad { content },
        Input::Verified { content },
        Input::Withdrawn { content },
    ];
    let mut frames = vec![Frame::Start(start)];
    frames.extend(records.map(|it| Frame::Record(Cow::Owned(it))));
    frames.push(Frame::Kept { first: LogIndex(1), length: LogIndex(2), digest: 0x1234 });
    frames.push(Frame::Contents(Cow::Owned(vec![content])));
    frames.push(Frame::Up);
    for (number, input) in (1..).zip(inputs) {
        let follows = matches!(input, Input::Fetched { .. });
        let input = Cow::Owned(input);
        frames.push(Frame::Taken(Taken { number, at_ns: number * 300, follows, input }));
        frames.push(Frame::Effects(Effects { count: number % 3, digest: number << 40 }));
    }
    frames.push(Frame::End);
    frames
}

fn golden() -> String {
    let path = File::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    fs::read_to_string(path).expect("the golden file")
}

/// The bytes of the samples, a line for the header and one for each frame.
fn in_digits() -> String {
    let mut text = String::new();
    let mut end = 0;
    for count in 0..=samples().len() {
        let file = testing::file(1, &samples()[..count]);
        for byte in &file[end..] {
            write!(text, "{byte:02x}").expect("text");
        }
        text.push('\n');
        end = file.len();
    }
    text
}

#[test]
fn the_bytes_of_each_frame_are_frozen() {
    assert_eq!(golden(), in_digits());
}

#[test]
fn frozen_bytes_are_read() {
    let digits: String = golden().split_whitespace().collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    assert_eq!(testing::read(&bytes).expect("a recording"), samples());
}

#[test]
fn another_version_is_refused_by_name() {
    let mut bytes = testing::file(1, &samples());
    bytes[8] = 1;
    let error = testing::read(&bytes).expect_err("another version");
    assert!(error.to_string().contains("a recording of version 1"), "{error}");
    bytes[0] = b'x';
    assert!(matches!(testing::read(&bytes), Err(ReadError::Header { .. })));
}

proptest! {
    #[test]
    fn a_flipped_bit_is_damage_that_is_named(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = testing::file(1, &samples());
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let error = testing::read(&bytes).expect_err("damage");
        let is_named = match &error {
            ReadError::Damaged { offset, .. } => *offset <= at as u64,
            ReadError::Header { .. } => at < 12,
            _ => false,
        };
        prop_assert!(is_named, "{}", error);
    }

    #[test]
    fn a_cut_file_is_a_shorter_recording(length in any::<prop::sample::Index>()) {
        let bytes = testing::file(1, &samples());
        let length = length.index(bytes.len() + 1);
        let read = testing::read(&bytes[..length]).expect("a shorter recording");
        prop_assert_eq!(&read[..], &samples()[..read.len()]);
        prop_assert!(testing::file(1, &read).len() <= length.max(32));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        testing::fuzz(&bytes);
    }

    #[test]
    fn changed_frames_are_read_without_a_panic(
        frame in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let samples = samples();
        let frame = &samples[frame.index(samples.len())];
        let mut payload = testing::file(1, std::slice::from_ref(frame)).split_off(48);
        let at = at.index(payload.len());
        payload[at] = byte;
        testing::fuzz(&payload);
    }
}

fn begin(directory: &File, node: u8) -> Result<Recorder, BeginError> {
    let records = [Record::Identity(identity(node))];
    let owner = (identity(node), Incarnation(7), Parameters::default());
    Recorder::begin(directory, Cluster([1; 16]), owner, &records, std::iter::empty())
}

fn hear(recorder: &mut Recorder, input: &Input, effects: &[Effect]) {
    let mut watch = recorder.watch();
    watch(Watched::Input(input));
    effects.iter().for_each(|it| watch(Watched::Effect(it)));
}

fn frames(directory: &File) -> Vec<Frame<'static>> {
    let mut reader = Reader::open(directory).expect("a recording");
    std::iter::from_fn(|| reader.next_frame().expect("a good recording")).collect()
}

#[test]
fn an_input_is_written_before_its_first_effect() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut recorder = begin(directory.path(), 0).expect("a recording");
    let mut watch = recorder.watch();
    watch(Watched::Input(&Input::Tick));
    let is_there = || {
        let is_tick = |it: &Frame<'_>| matches!(it, Frame::Taken(it) if *it.input == Input::Tick);
        frames(directory.path()).iter().any(is_tick)
    };
    assert!(!is_there(), "an input without effects may wait");
    watch(Watched::Effect(&Effect::ResetElectionTimer));
    assert!(is_there());
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock");
    u64::try_from(Duration::from(now).as_nanos()).expect("less than centuries")
}

#[test]
fn the_times_of_inputs_are_those_of_the_clock_that_all_nodes_of_a_machine_share() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut recorder = begin(directory.path(), 0).expect("a recorder");
    let mut bounds = Vec::new();
    for number in 0..100 {
        let before = monotonic_ns();
        hear(&mut recorder, &write(number, 1), &[]);
        bounds.push(before..=monotonic_ns());
    }
    assert!(recorder.end().is_none());
    let frames = frames(directory.path());
    let began = frames.iter().find_map(|it| match it {
        Frame::Start(start) => Some(start.clock.monotonic_ns),
        _ => None,
    });
    let began = began.expect("a start");
    let times = frames.iter().filter_map(|it| match it {
        Frame::Taken(taken) => Some(began + taken.at_ns),
        _ => None,
    });
    let times: Vec<u64> = times.collect();
    assert_eq!(times.len(), bounds.len());
    for (time, bounds) in times.iter().zip(bounds) {
        assert!(bounds.contains(time), "{time} is not within {bounds:?}");
    }
}

#[test]
fn a_start_adds_files_and_a_killed_one_has_no_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut recorder = begin(directory.path(), 0).expect("a recording");
    hear(&mut recorder, &Input::Tick, &[Effect::ResetElectionTimer]);
    drop(recorder);
    let mut recorder = begin(directory.path(), 0).expect("the same recording");
    hear(&mut recorder, &Input::ElectionTimeout, &[]);
    assert!(recorder.end().is_none());
    let frames = frames(directory.path());
    let numbers: Vec<u64> = frames
        .iter()
        .filter_map(|it| match it {
            Frame::Start(it) => Some(it.number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(frames.iter().filter(|it| **it == Frame::End).count(), 1);
    assert_eq!(frames.last(), Some(&Frame::End));
    assert!(frames.iter().any(|it| matches!(it, Frame::Kept { length: LogIndex(1), .. })));
}

#[test]
fn a_start_that_did_not_come_up_leaves_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("000001-0001.new"), "half a beginning").expect("a file");
    drop(begin(directory.path(), 0).expect("a recording"));
    assert!(matches!(frames(directory.path())[1], Frame::Record(_)), "the first start is whole");
}

#[test]
fn long_recordings_go_on_in_the_next_file_and_a_missing_one_is_named() {
    const MIB: usize = 1 << 20;
    let directory = tempfile::tempdir().expect("a directory");
    let mut recorder = begin(directory.path(), 0).expect("a recording");
    for number in 0..130 {
        hear(&mut recorder, &write(number, MIB), &[]);
    }
    assert!(recorder.end().is_none());
    let inputs = frames(directory.path()).iter().filter(|it| matches!(it, Frame::Taken(_))).count();
    assert_eq!(inputs, 130);
    let second = directory.path().join("000001-0002.rec");
    let length = fs::metadata(&second).expect("a second file").len();
    let cut = fs::OpenOptions::new().write(true).open(&second).expect("a file");
    cut.set_len(length - 1).expect("a cut");
    let mut reader = Reader::open(directory.path()).expect("a recording");
    let error = loop {
        match reader.next_frame() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a cut within a start is no end"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("000001-0002.rec"), "{error}");
    fs::remove_file(&second).expect("a file");
    assert!(
        matches!(Reader::open(directory.path()), Err(ReadError::Missing(path)) if path == second)
    );
}

#[test]
fn the_directory_of_another_node_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(begin(directory.path(), 0).expect("a recording"));
    let error = begin(directory.path(), 1).expect_err("another node");
    assert!(error.to_string().contains("give each node a directory of its own"), "{error}");
    let empty = tempfile::tempdir().expect("a directory");
    assert!(matches!(Reader::open(empty.path()), Err(ReadError::Empty(_))));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = directory.path().join("000001-0001.new");
    std::os::unix::fs::symlink("/dev/full", first).expect("a link");
    let error = begin(directory.path(), 0).expect_err("a full disk");
    assert!(matches!(error, BeginError::Write(WriteError::Io { .. })), "{error}");
}
