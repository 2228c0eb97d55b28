//! Two replicas driven by hand, input by input: an acknowledgement waits until both have synced.
//!
//! `cargo run -p steadfast-protocol --example by_hand`

use std::error::Error;

use steadfast_protocol::{
    Base, Content, Counter, Effect, Identity, Incarnation, Input, Intent, LogIndex, NodeId,
    Parameters, Path, Record, Replica, RequestId, SessionId, Settings, Steadfast, WriteRequest,
};

fn main() -> Result<(), Box<dyn Error>> {
    tell()?.iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Drives both replicas; returns a line for each effect.
pub(crate) fn tell() -> Result<Vec<String>, Box<dyn Error>> {
    let settings = Settings::new(2, 2, 2)?; // N, E, W
    // Without pre-votes, so that a candidate asks for votes at once.
    let parameters = Parameters { guards_elections: false, ..Parameters::default() };
    let [n0, n1] = [NodeId(0), NodeId(1)];
    let mut nodes = Vec::new();
    for node in [n0, n1] {
        let identity = Identity { node, settings };
        let log = [Record::Identity(identity)];
        nodes.push(Replica::recover(
            identity,
            Incarnation::default(),
            parameters,
            &log,
            [],
            &Steadfast,
        )?);
    }
    let (mut lines, mut effects) = (Vec::new(), Vec::new());
    // Gives a node an input; returns the message that it sends, if it sends one.
    let mut step = |node: NodeId, input: Input| {
        nodes[node.index()].step(&Steadfast, input, &mut effects);
        lines.extend(effects.iter().map(|it| match it {
            Effect::Append { records } => format!("{node} appends {} record(s)", records.len()),
            Effect::Send { to, packet } => format!("{node} sends {to} {}", packet.message),
            other => format!("{node} {other:?}"),
        }));
        effects.drain(..).find_map(|it| match it {
            Effect::Send { packet, .. } => Some(Input::Receive { from: node, packet }),
            _ => None,
        })
    };
    let (session, synced) = (SessionId(1), |index| Input::Synced(LogIndex(index)));
    step(n0, Input::LinkUp { peer: n1, session });
    step(n1, Input::LinkUp { peer: n0, session });
    step(n0, Input::ElectionTimeout);
    let request = step(n0, synced(2)).ok_or("a candidate asks when its promise is synced")?;
    step(n1, request);
    let vote = step(n1, synced(2)).ok_or("a vote leaves when the voter's promise is synced")?;
    let first = step(n0, vote).ok_or("a new leader is heard at once")?;
    let ack = step(n1, first).ok_or("it rests on synced records, so its Ack leaves at once")?;
    step(n0, ack);

    let (request, path) = (RequestId { client: 1, number: 1 }, Path::new("notes.txt"));
    let intent = Intent::Put(Content::Inline(b"remember the milk".as_slice().into()));
    let (base, seen) = (Base::Visible, Counter::default());
    step(n0, Input::Write(WriteRequest { request, path, intent, base, seen }));
    let append = step(n0, synced(3)).ok_or("a leader sends an entry when it is synced")?;
    step(n1, append);
    let ack = step(n1, synced(3)).ok_or("an Ack leaves when the entry is synced")?;
    step(n0, ack);
    Ok(lines)
}
