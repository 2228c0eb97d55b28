//! Recordings conform, and changed ones do not.

mod common;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Cluster, N0, N1, N2, content, frames, inputs, rewrite, story, story_of};
use proptest::prelude::*;
use steadfast_conform::{ConformError, Conformance, Finding, Moment, conform};
use steadfast_guarantees::twins::TWINS;
use steadfast_protocol::{Content, Input, Intent, LogIndex, NodeId, SessionId};
use steadfast_recording::{Frame, Taken};

fn replayed(directories: &[PathBuf]) -> Conformance {
    conform(directories).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_run_with_kills_cuts_and_damage_conforms() {
    let cluster = story();
    let found = replayed(&cluster.directories());
    assert!(found.is_conforming(), "{found}");
    assert_eq!((found.counts.starts, found.counts.cuts), (5, 1), "{found}");
    let mut kinds = BTreeMap::new();
    for directory in cluster.directories() {
        for (_, taken) in frames(&directory).iter().flat_map(|it| inputs(it)) {
            *kinds.entry(kind(&taken.input)).or_insert(0) += 1;
        }
    }
    assert_eq!(kinds.len(), KINDS, "each kind of input occurs: {kinds:?}");
    let judged = |id: &str| found.guarantees.iter().find(|it| it.id == id).expect("a guarantee");
    for id in ["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "G11", "G12", "G13"] {
        let judged = judged(id);
        assert!(judged.finding == Finding::Kept && judged.times > 0, "{found}");
    }
}

/// How many kinds of inputs there are.
const KINDS: usize = 17;

fn kind(input: &Input) -> &'static str {
    match input {
        Input::Write(_) => "write",
        Input::Read(_) => "read",
        Input::Synced(_) => "synced",
        Input::ElectionTimeout => "election timeout",
        Input::Tick => "tick",
        Input::LinkUp { .. } => "link up",
        Input::LinkDown { .. } => "link down",
        Input::Receive { .. } => "receive",
        Input::Stored { .. } => "stored",
        Input::Unusable { .. } => "unusable",
        Input::Fetched { .. } => "fetched",
        Input::Trim => "trim",
        Input::Checkpointed => "checkpointed",
        Input::LogFailed => "log failed",
        Input::Bad { .. } => "bad",
        Input::Verified { .. } => "verified",
        Input::Withdrawn { .. } => "withdrawn",
    }
}

/// Another input in the place of this one.
fn altered(input: &Input) -> Input {
    match input.clone() {
        Input::Write(mut write) => {
            write.intent = match write.intent {
                Intent::Put(_) => Intent::Delete,
                _ => Intent::Put(Content::Inline(b"other".as_slice().into())),
            };
            Input::Write(write)
        }
        Input::Read(mut read) => {
            read.request.number += 1_000;
            Input::Read(read)
        }
        Input::Synced(index) => Input::Synced(LogIndex(index.0 + 1)),
        Input::ElectionTimeout => Input::Tick,
        Input::Tick | Input::LogFailed => Input::ElectionTimeout,
        Input::LinkUp { peer, session } => {
            Input::LinkUp { peer, session: SessionId(session.0 + 100) }
        }
        Input::LinkDown { peer } => Input::LinkDown { peer: NodeId((peer.0 + 1) % 3) },
        Input::Receive { from, mut packet } => {
            packet.session = SessionId(packet.session.0 + 100);
            Input::Receive { from, packet }
        }
        Input::Stored { .. } => Input::Stored { content: content(77) },
        Input::Unusable { content } => Input::Stored { content },
        Input::Fetched { content } => Input::Bad { content },
        Input::Bad { content } => Input::Fetched { content },
        Input::Verified { content } => Input::Bad { content },
        Input::Withdrawn { .. } => Input::Trim,
        Input::Trim => Input::Checkpointed,
        Input::Checkpointed => Input::Trim,
    }
}

/// A change of a recording at one input.
#[derive(Clone, Copy, Debug)]
enum Change {
    Alter,
    Drop,
    Swap,
}

/// Changes an input of a start; `false` if there is none to change. The sums fit again; the numbers of inputs stay
/// with their inputs.
fn change(frames: &mut Vec<Frame<'static>>, at: usize, change: Change) -> bool {
    let all = inputs(frames);
    let (place, taken) = all[at].clone();
    match change {
        Change::Alter => {
            let input = Cow::Owned(altered(&taken.input));
            frames[place] = Frame::Taken(Taken { input, ..taken });
        }
        Change::Drop => {
            let has_effects = matches!(frames.get(place + 1), Some(Frame::Effects(_)));
            frames.drain(place..=place + usize::from(has_effects));
        }
        Change::Swap => {
            let Some((next, _)) = all.get(at + 1) else { return false };
            frames.swap(place, *next);
            if matches!(frames.get(place + 1), Some(Frame::Effects(_)))
                && matches!(frames.get(next + 1), Some(Frame::Effects(_)))
            {
                frames.swap(place + 1, next + 1);
            }
        }
    }
    true
}

/// The numbers of the inputs in their order, as a forger would put them right.
fn renumber(frames: &mut [Frame<'static>]) {
    let mut next = 1;
    for frame in frames {
        if let Frame::Taken(taken) = frame {
            taken.number = next;
            next += 1;
        }
    }
}

fn copy(cluster: &Cluster) -> (tempfile::TempDir, Vec<PathBuf>) {
    let around = tempfile::tempdir().expect("a directory");
    let copied = |from: &Path| {
        let to = around.path().join(from.file_name().expect("a name"));
        fs::create_dir(&to).expect("a directory");
        for file in fs::read_dir(from).expect("a directory") {
            let file = file.expect("a file").path();
            fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("a copy");
        }
        to
    };
    let directories = cluster.directories().iter().map(|it| copied(it)).collect();
    (around, directories)
}

/// The result for a recording with one change.
fn with_change(
    cluster: &Cluster,
    (node, start, at): (NodeId, usize, usize),
    how: Change,
    is_forged: bool,
) -> Option<Conformance> {
    let (_around, directories) = copy(cluster);
    let directory = &directories[node.index()];
    let mut starts = frames(directory);
    if !change(&mut starts[start], at, how) {
        return None;
    }
    if is_forged {
        renumber(&mut starts[start]);
    }
    rewrite(directory, &starts);
    Some(replayed(&directories))
}

/// All inputs of a cluster: node, start, place, kind.
fn places(cluster: &Cluster) -> Vec<(NodeId, usize, usize, &'static str)> {
    let mut places = Vec::new();
    for (node, directory) in [N0, N1, N2].into_iter().zip(cluster.directories()) {
        for (start, frames) in frames(&directory).iter().enumerate() {
            for (at, (_, taken)) in inputs(frames).iter().enumerate() {
                places.push((node, start, at, kind(&taken.input)));
            }
        }
    }
    places
}

#[test]
fn each_altered_input_is_found_at_its_step() {
    let cluster = story();
    let mut found: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for (node, start, at, kind) in places(&cluster) {
        let place = (node, start, at);
        if has_no_effects(&cluster, place) {
            continue;
        }
        let result = with_change(&cluster, place, Change::Alter, false).expect("a change");
        let counts = found.entry(kind).or_default();
        counts.0 += 1;
        if let Some(misfit) = &result.misfit {
            counts.1 += 1;
            let step = Moment { node, start: start as u64 + 1, input: at as u64 + 1 };
            counts.2 += usize::from(misfit.at == step);
        }
    }
    for (kind, (all, rejected, at_step)) in &found {
        assert!(rejected == all && at_step == all, "{kind}: {found:?}");
    }
    assert_eq!(found.len(), KINDS);
}

#[test]
fn each_missing_input_is_found_at_its_step() {
    let cluster = story();
    for (node, start, at, kind) in places(&cluster) {
        let result = with_change(&cluster, (node, start, at), Change::Drop, false);
        let result = result.expect("a change");
        let step = Moment { node, start: start as u64 + 1, input: at as u64 + 1 };
        let is_last = frames_behind(&cluster, node, start, at) == 0;
        let found = result.misfit.as_ref().map(|it| it.at);
        assert!(is_last || found == Some(step), "{kind} {step}: {result}");
    }
}

/// Whether an input is the last one of a process that was killed before it recorded the effects.
fn has_no_effects(cluster: &Cluster, (node, start, at): (NodeId, usize, usize)) -> bool {
    let frames = &frames(&cluster.directory(node))[start];
    let (place, _) = inputs(frames)[at];
    !matches!(frames.get(place + 1), Some(Frame::Effects(_)))
}

fn frames_behind(cluster: &Cluster, node: NodeId, start: usize, at: usize) -> usize {
    inputs(&frames(&cluster.directory(node))[start]).len() - 1 - at
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A forger who puts sums and numbers right is found wherever the change makes a difference: at the changed
    /// input or behind it, never before. The inputs that a node gives to itself are part of the call before them.
    #[test]
    fn no_forged_change_is_found_before_its_step(at in any::<prop::sample::Index>(), how in 0..3_usize) {
        let cluster = story();
        let places = places(&cluster);
        let (node, start, at, _) = places[at.index(places.len())];
        let how = [Change::Alter, Change::Drop, Change::Swap][how];
        if let Some(result) = with_change(&cluster, (node, start, at), how, true)
            && let Some(misfit) = result.misfit
            && misfit.at.node == node
        {
            let all = inputs(&frames(&cluster.directory(node))[start]);
            let call = all[..at].iter().rposition(|(_, it)| !it.follows).unwrap_or(at);
            let found = (misfit.at.start, misfit.at.input);
            prop_assert!(found >= (start as u64 + 1, call as u64 + 1), "{}", misfit);
        }
    }
}

#[test]
fn a_run_of_a_wrong_protocol_does_not_conform() {
    let mut caught = Vec::new();
    for twin in TWINS {
        let cluster = story_of([twin.variant.decisions; 3]);
        if cluster.is_some_and(|it| !replayed(&it.directories()).is_conforming()) {
            caught.push(twin.variant.name);
        }
    }
    // The others differ only in runs with events that do not occur here.
    for name in [
        "ack-before-sync",
        "vote-not-logged",
        "read-without-quorum",
        "no-fence",
        "log-before-content",
    ] {
        assert!(caught.contains(&name), "{} of {}: {caught:?}", caught.len(), TWINS.len());
    }
}

#[test]
fn recordings_that_are_not_those_of_all_nodes_are_refused() {
    let cluster = story();
    let all = cluster.directories();
    let error = conform(&all[..2]).expect_err("a missing node");
    assert!(matches!(&error, ConformError::Missing { missing, nodes: 3 } if *missing == [N2]));
    assert!(error.to_string().contains("the recording of n2 is missing"), "{error}");
    let twice = [all[0].clone(), all[1].clone(), all[1].clone()];
    assert!(matches!(conform(&twice), Err(ConformError::Twice { node: N1, .. })));
    let other = Cluster::start([&steadfast_protocol::Steadfast; 3]);
    let mut starts = frames(&other.directory(N2));
    if let Some(Frame::Start(start)) = starts[0].first_mut() {
        start.cluster.0[0] += 1;
    }
    rewrite(&other.directory(N2), &starts);
    let mixed = [all[0].clone(), all[1].clone(), other.directory(N2)];
    assert!(matches!(conform(&mixed), Err(ConformError::OtherCluster { .. })));
}

#[test]
fn a_start_that_the_recording_does_not_explain_is_named() {
    let cluster = story();
    let (_around, directories) = copy(&cluster);
    let mut starts = frames(&directories[0]);
    // The inputs of the first start are gone, and the second one goes on with their records.
    starts[0].retain(|it| !matches!(it, Frame::Taken(_) | Frame::Effects(_)));
    rewrite(&directories[0], &starts);
    let found = replayed(&directories);
    assert!(found.misfit.is_some(), "{found}");
}

#[test]
fn a_message_that_nobody_sent_is_named() {
    let cluster = story();
    let (_around, directories) = copy(&cluster);
    let mut starts = frames(&directories[0]);
    let all = inputs(&starts[0]);
    // The recording of n0 ends early, so its peers receive messages that it has not sent.
    let (middle, _) = all[all.len() / 2];
    starts[0].truncate(middle);
    starts.truncate(1);
    rewrite(&directories[0], &starts);
    let misfit = replayed(&directories).misfit.expect("a misfit");
    assert!(misfit.at.node != N0, "{misfit}");
    assert!(misfit.step.starts_with("receives from n0"), "{misfit}");
}
