//! Two ends open a connection, or both know why not.

mod common;

use common::raw;
use steadfast_protocol::{Halt, NodeId, SessionId, Settings};
use steadfast_wire::handshake::{Refusal, SESSION_MAX, VERSION, read_refusal, refuse};
use steadfast_wire::{
    Channel, ClusterId, Decoder, Frame, FrameError, Handshake, HandshakeError, Kind, Local,
    Progress,
};

/// One end, with what it has said and found.
struct End {
    handshake: Handshake,
    decoder: Decoder,
    out: Vec<u8>,
    found: Result<Progress, HandshakeError>,
}

#[derive(Clone, Copy)]
struct Config {
    local: Local,
    channel: Channel,
    certified: NodeId,
    proposal: u64,
}

fn config(node: u8, peer: u8) -> Config {
    let settings = Settings::new(3, 2, 2).expect("settings");
    let local = Local { cluster: ClusterId([7; 16]), node: NodeId(node), settings, halt: None };
    Config { local, channel: Channel::Log, certified: NodeId(peer), proposal: 5 }
}

impl End {
    fn new(config: Config) -> End {
        let Config { local, channel, certified, proposal } = config;
        let mut out = Vec::new();
        let handshake = Handshake::begin(local, channel, certified, SessionId(proposal), &mut out);
        End { handshake, decoder: Decoder::new(channel), out, found: Ok(Progress::Waiting) }
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        while self.found.is_ok()
            && let Some(frame) = self.decoder.next(&mut bytes).expect("frames")
        {
            self.found = self.handshake.receive(frame, &mut self.out);
        }
    }
}

type Found = Result<Progress, HandshakeError>;

/// Lets both ends talk until they are silent.
fn meet(one: Config, other: Config) -> (Found, Found) {
    let (mut one, mut other) = (End::new(one), End::new(other));
    while !one.out.is_empty() || !other.out.is_empty() {
        let (to_other, to_one) = (std::mem::take(&mut one.out), std::mem::take(&mut other.out));
        other.hear(&to_other);
        one.hear(&to_one);
    }
    (one.found, other.found)
}

#[test]
fn both_ends_take_the_higher_proposal() {
    for (mine, theirs) in [(5, 5), (5, 9), (9, 5), (0, 1)] {
        let one = Config { proposal: mine, ..config(0, 1) };
        let other = Config { proposal: theirs, ..config(1, 0) };
        for channel in [Channel::Log, Channel::Contents] {
            let open = Ok(Progress::Open { session: SessionId(mine.max(theirs)) });
            let found = meet(Config { channel, ..one }, Config { channel, ..other });
            assert_eq!(found, (open.clone(), open));
        }
    }
}

/// The end that refuses, and the sentence that the other end logs.
fn refused(one: Config, other: Config) -> Refusal {
    let (found, peer) = meet(one, other);
    let Err(HandshakeError::Refused { peer: named, refusal }) = found else { panic!("{found:?}") };
    assert_eq!(named, one.certified);
    match peer {
        Err(HandshakeError::RefusedByPeer { peer, sentence }) => {
            assert_eq!((peer, sentence), (other.certified, refusal.to_string()));
        }
        // Both refuse at once.
        Err(HandshakeError::Refused { .. }) => {}
        found => panic!("{found:?}"),
    }
    refusal
}

#[test]
fn both_ends_log_why_they_do_not_belong_together() {
    let (one, other) = (config(0, 1), config(1, 0));
    let with = |change: fn(&mut Local)| {
        let mut local = other.local;
        change(&mut local);
        Config { local, ..other }
    };
    let cluster = with(|it| it.cluster = ClusterId([8; 16]));
    assert!(matches!(refused(one, cluster), Refusal::Cluster { .. }));
    let settings = with(|it| it.settings = Settings::new(3, 3, 1).expect("settings"));
    assert!(matches!(refused(one, settings), Refusal::Settings { .. }));
    let other_node = with(|it| it.node = NodeId(2));
    let (certified, found) = (NodeId(1), NodeId(2));
    assert_eq!(refused(one, other_node), Refusal::Certificate { certified, found });
    let itself = with(|it| it.node = NodeId(0));
    assert_eq!(refused(one, itself), Refusal::Itself(NodeId(0)));
    let stranger = with(|it| it.node = NodeId(3));
    let certified = Config { certified: NodeId(3), ..one };
    assert_eq!(refused(certified, stranger), Refusal::Stranger { nodes: 3, found: NodeId(3) });
    let channel = Config { channel: Channel::Contents, ..other };
    let (own, other_channel) = (Channel::Log, Channel::Contents);
    assert_eq!(refused(one, channel), Refusal::Channel { own, other: other_channel });
    let halted = with(|it| it.halt = Some(Halt::LogFailed));
    let refusal = Refusal::Halted { node: NodeId(1), halt: Halt::LogFailed };
    assert_eq!(refused(halted, one), refusal);
    assert!(refusal.to_string().contains("node n1 has halted"), "{refusal}");
}

/// An end's answer to a frame that no end of this version sends.
fn answer(kind: Kind, body: &[u8]) -> (HandshakeError, String) {
    let mut end = End::new(config(0, 1));
    end.out.clear();
    end.hear(&raw(kind.to_byte(), body));
    let error = end.found.expect_err("a wrong frame");
    let mut sent = &end.out[..];
    let mut decoder = Decoder::new(Channel::Log);
    let sentence = match decoder.next(&mut sent).expect("frames") {
        Some(frame) => {
            assert_eq!(frame.kind, Kind::Refused);
            read_refusal(frame)
        }
        None => String::new(),
    };
    (error, sentence)
}

fn hello() -> Vec<u8> {
    let mut peer = End::new(config(1, 0));
    let hello = std::mem::take(&mut peer.out);
    hello[5..].to_vec()
}

#[test]
fn a_hello_of_another_version_is_refused_whatever_follows_the_version() {
    for version in [0, VERSION + 1, u16::MAX] {
        let mut long = hello();
        long[4..6].copy_from_slice(&version.to_le_bytes());
        long.extend([9; 100]);
        for body in [&long[..], &long[..6]] {
            let (error, sentence) = answer(Kind::Hello, body);
            let refusal = Refusal::Version(version);
            assert_eq!(sentence, refusal.to_string());
            assert_eq!(error, HandshakeError::Refused { peer: NodeId(1), refusal });
        }
    }
}

#[test]
fn malformed_and_misplaced_frames_are_refused() {
    let frame_error = |kind, body: &[u8]| match answer(kind, body) {
        (HandshakeError::Frame { error, .. }, sentence) => {
            assert_eq!(sentence, error.to_string());
            error
        }
        (error, _) => panic!("{error:?}"),
    };
    let whole = hello();
    for length in (0..whole.len()).filter(|it| *it != 0) {
        let error = frame_error(Kind::Hello, &whole[..length]);
        assert_eq!(error, FrameError::CutShort { kind: Kind::Hello });
    }
    let longer = [&whole[..], &[0]].concat();
    let error = frame_error(Kind::Hello, &longer);
    assert_eq!(error, FrameError::Trailing { kind: Kind::Hello, count: 1 });
    let changed = |at: usize, byte: u8| {
        let mut body = whole.clone();
        body[at] = byte;
        body
    };
    for body in [changed(6, 3), changed(24, 0), changed(25, 4), changed(26, 0)] {
        let error = frame_error(Kind::Hello, &body);
        assert!(matches!(error, FrameError::Malformed { kind: Kind::Hello, .. }), "{error}");
    }
    for kind in [Kind::Welcome, Kind::Packet] {
        let error = frame_error(kind, &[0; 8]);
        assert!(matches!(error, FrameError::Unexpected { .. }), "{error}");
    }
    let (error, _) = answer(Kind::Hello, b"GET / HTTP/1.1");
    assert_eq!(error, HandshakeError::Refused { peer: NodeId(1), refusal: Refusal::NotANode });
    let mut high = whole.clone();
    high[27..].copy_from_slice(&u64::MAX.to_le_bytes());
    let (error, _) = answer(Kind::Hello, &high);
    let refusal = Refusal::Session(SessionId(u64::MAX));
    assert_eq!(error, HandshakeError::Refused { peer: NodeId(1), refusal });
}

#[test]
fn a_proposal_of_its_own_is_never_too_high() {
    let one = Config { proposal: u64::MAX, ..config(0, 1) };
    let open = Ok(Progress::Open { session: SESSION_MAX });
    assert_eq!(meet(one, config(1, 0)), (open.clone(), open));
}

#[test]
fn a_welcome_to_another_session_and_a_second_hello_are_errors() {
    for (kind, body) in [(Kind::Welcome, 99_u64.to_le_bytes().to_vec()), (Kind::Hello, hello())] {
        let mut end = End::new(config(0, 1));
        end.hear(&raw(Kind::Hello.to_byte(), &hello()));
        assert_eq!(end.found, Ok(Progress::Waiting));
        end.hear(&raw(kind.to_byte(), &body));
        let error = end.found.expect_err("a wrong frame");
        assert!(matches!(error, HandshakeError::Frame { .. }), "{error}");
        assert!(error.to_string().contains(if kind == Kind::Welcome {
            "session"
        } else {
            "hello"
        }));
    }
}

#[test]
fn a_sentence_is_cut_to_its_bound_and_has_no_control_characters() {
    let mut out = Vec::new();
    refuse(&"ä".repeat(2000), &mut out);
    let mut decoder = Decoder::new(Channel::Contents);
    let mut sent = &out[..];
    let frame = decoder.next(&mut sent).expect("a frame").expect("a whole one");
    assert_eq!(read_refusal(frame), "ä".repeat(512));
    let evil = Frame { kind: Kind::Refused, body: b"\x1b[2Jgone\n\xff" };
    assert_eq!(read_refusal(evil), "\u{fffd}[2Jgone\u{fffd}\u{fffd}");
    let (error, sentence) = answer(Kind::Refused, evil.body);
    assert!(sentence.is_empty(), "nothing answers a refusal");
    assert!(error.to_string().contains("gone"), "{error}");
}
