//! Ours. Each role of the engine is a peer of its own, so that each is measured by itself.

use std::fs::{self, File};
use std::io::{BufWriter, sink};
use std::path::Path;

use steadfast_delta::manifest::{Depth, Kept, Manifest};
use steadfast_delta::remote::{Effect, Limits, Receiver, Sender};
use steadfast_delta::{
    Effort, InPlacePlan, Options, PatchedFile, Verify, apply, apply_stream, diff,
};

use crate::delta::meter::{measure, measure_commands, measure_prepared};
use crate::delta::pair::{Measured, Pair, PairFiles};
use crate::delta::peer_error::PeerError;
use crate::delta::row::Setting;

/// The sender has both versions.
pub(super) fn local(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    local_with(pair, Effort::Default)
}

/// Looks less for equal bytes.
pub(super) fn local_fast(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    local_with(pair, Effort::Fast)
}

/// Looks everywhere and packs well.
pub(super) fn local_small(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    local_with(pair, Effort::Small)
}

fn local_with(pair: &Pair, effort: Effort) -> Result<Measured, PeerError> {
    let options = Options { effort, ..Options::default() };
    let mut patch = Vec::new();
    let (encode, _) = measure(|| {
        patch.clear();
        Ok(diff(&pair.old, &pair.new, options, &mut patch)?)
    })?;
    let (apply, result) = measure(|| apply(&pair.old, &patch, u64::MAX).map_err(failed))?;
    pair.check(&result)?;
    Ok(Measured {
        encode: Some(encode),
        apply: Some(apply),
        bytes_up: 0,
        bytes_down: patch.len() as u64,
    })
}

/// Writes the patch of an input to a file: for [`streamed`], in a process of its own.
pub(in crate::delta) fn write_patch(folder: &Path, file: &Path) -> Result<(), PeerError> {
    let (old, new) = (fs::read(folder.join("old"))?, fs::read(folder.join("new"))?);
    diff(&old, &new, Options::default(), BufWriter::new(File::create(file)?))?;
    Ok(())
}

/// The time of the encoder alone, the patch thrown away.
pub(super) fn encode_only(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    encoded_with(pair, Effort::Default)
}

/// The same, packing well.
pub(super) fn encode_only_small(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    encoded_with(pair, Effort::Small)
}

fn encoded_with(pair: &Pair, effort: Effort) -> Result<Measured, PeerError> {
    let options = Options { effort, ..Options::default() };
    let (encode, bytes) = measure(|| Ok(diff(&pair.old, &pair.new, options, sink())?))?;
    Ok(Measured { encode: Some(encode), apply: None, bytes_up: 0, bytes_down: bytes })
}

/// From one file through a patch to another, with none of them in memory.
pub(super) fn streamed(files: &PairFiles, _: Setting) -> Result<Measured, PeerError> {
    let folder = tempfile::TempDir::new_in(&files.folder)?;
    let (patch, result) = (folder.path().join("patch"), folder.path().join("result"));
    let (encode, ()) = measure_commands(|| super::commands::own_diff(files, &patch))?;
    let (apply, _) = measure(|| {
        let old = File::open(&files.old)?;
        let result = BufWriter::new(File::create(&result)?);
        apply_stream(&old, File::open(&patch)?, result, u64::MAX).map_err(failed)
    })?;
    files.check(&result)?;
    let bytes_down = fs::metadata(&patch)?.len();
    Ok(Measured { encode: Some(encode), apply: Some(apply), bytes_up: 0, bytes_down })
}

/// In a file, verifying the changed blocks.
pub(super) fn in_place(files: &PairFiles, _: Setting) -> Result<Measured, PeerError> {
    patched_in_place(files, Verify::Touched)
}

/// In a file, verifying all of it.
pub(super) fn in_place_whole(files: &PairFiles, _: Setting) -> Result<Measured, PeerError> {
    patched_in_place(files, Verify::Whole)
}

/// The journal is made and written as the command line does.
fn patched_in_place(files: &PairFiles, verify: Verify) -> Result<Measured, PeerError> {
    let folder = tempfile::TempDir::new_in(&files.folder)?;
    let file = |name: &str| folder.path().join(name);
    let (patch, journal, result) = (file("patch"), file("journal"), file("result"));
    let (encode, ()) = measure_commands(|| super::commands::own_diff(files, &patch))?;
    let prepare = || {
        fs::copy(&files.old, &result)?;
        // Or the sync that is measured would write the copy as well.
        File::open(&result)?.sync_all()?;
        Ok(File::options().read(true).write(true).open(&result)?)
    };
    let (apply, ()) = measure_prepared(prepare, |mut file| {
        let plan = InPlacePlan::new(&file, File::open(&patch)?, verify).map_err(failed)?;
        plan.write_journal(BufWriter::new(File::create(&journal)?))?;
        plan.apply(&mut file)?;
        Ok(file.sync()?)
    })?;
    files.check(&result)?;
    let bytes_down = fs::metadata(&patch)?.len();
    Ok(Measured { encode: Some(encode), apply: Some(apply), bytes_up: 0, bytes_down })
}

/// The manifest of the new version, made from its bytes, down to the grains.
pub(super) fn manifest(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    let (encode, manifest) = measure(|| Ok(Manifest::of(&pair.new, Depth::Grains)))?;
    let bytes_down = manifest.to_bytes().len() as u64;
    Ok(Measured { encode: Some(encode), apply: None, bytes_up: 0, bytes_down })
}

/// The same manifest, carried over from the old one along a patch.
pub(super) fn manifest_carried(pair: &Pair, _: Setting) -> Result<Measured, PeerError> {
    let old = Manifest::of(&pair.old, Depth::Grains);
    let mut patch = Vec::new();
    diff(&pair.old, &pair.new, Options::default(), &mut patch)?;
    let (encode, manifest) = measure(|| {
        let kept = Kept::of_patch(&patch[..], u64::MAX).map_err(failed)?;
        Ok(old.carry(&pair.new, &kept))
    })?;
    if manifest != Manifest::of(&pair.new, Depth::Grains) {
        return Err(PeerError::Wrong);
    }
    let bytes_down = manifest.to_bytes().len() as u64;
    Ok(Measured { encode: Some(encode), apply: None, bytes_up: 0, bytes_down })
}

/// Only the receiver has the old version; both ends know its manifest, or only the receiver. The
/// sender's time includes the manifest of the new version, the receiver's the one that checks the
/// result. In the cold setting the manifest of the old version is made, too, as the signatures of
/// the peers are.
pub(super) fn remote(pair: &Pair, setting: Setting) -> Result<Measured, PeerError> {
    let is_cold = setting == Setting::Cold;
    let (sign, old) = if is_cold {
        measure(|| Ok(Manifest::of(&pair.old, Depth::Chunks)))?
    } else {
        measure(|| Ok(Manifest::of(&pair.old, Depth::Grains)))?
    };
    let new = Manifest::of(&pair.new, Depth::Chunks);
    let transcript = exchange(pair, &mut sender(pair, &new, &old, setting)?, &old)?;
    let (encode, ()) = measure(|| {
        let new = Manifest::of(&pair.new, Depth::Chunks);
        let mut sender = sender(pair, &new, &old, setting)?;
        transcript.answers.iter().try_for_each(|answer| {
            while sender.next_message().map_err(failed)?.is_some() {}
            sender.receive(answer).map_err(failed)
        })
    })?;
    let (apply, result) = measure(|| {
        let mut receiver = Receiver::new(&pair.old, &old, Limits::default());
        let mut result = Vec::with_capacity(pair.new.len());
        for message in &transcript.messages {
            receive(pair, &mut receiver, message, &mut result)?;
        }
        Ok(result)
    })?;
    pair.check(&result)?;
    let bytes = |messages: &[Vec<u8>]| messages.iter().map(|message| message.len() as u64).sum();
    Ok(Measured {
        encode: Some(if is_cold { sign.and(encode) } else { encode }),
        apply: Some(apply),
        bytes_up: bytes(&transcript.answers),
        bytes_down: bytes(&transcript.messages),
    })
}

/// The messages of an exchange, so that each end can be measured by itself.
#[derive(Default)]
struct Transcript {
    messages: Vec<Vec<u8>>,
    answers: Vec<Vec<u8>>,
}

fn sender<'a>(
    pair: &'a Pair,
    new: &'a Manifest,
    old: &'a Manifest,
    setting: Setting,
) -> Result<Sender<'a>, PeerError> {
    const SEED: u64 = 0x5EED;
    match setting {
        Setting::Cached => Sender::with_known(&pair.new, new, old, SEED).map_err(failed),
        Setting::Cold | Setting::Local => Ok(Sender::new(&pair.new, new, SEED)),
    }
}

fn exchange(pair: &Pair, sender: &mut Sender<'_>, old: &Manifest) -> Result<Transcript, PeerError> {
    let mut receiver = Receiver::new(&pair.old, old, Limits::default());
    let mut transcript = Transcript::default();
    let mut result = Vec::new();
    while !sender.is_done() {
        let mut answers = Vec::new();
        while let Some(message) = sender.next_message().map_err(failed)? {
            answers.extend(receive(pair, &mut receiver, &message, &mut result)?);
            transcript.messages.push(message);
        }
        for answer in answers {
            sender.receive(&answer).map_err(failed)?;
            transcript.answers.push(answer);
        }
    }
    Ok(transcript)
}

/// Performs the effects of a message and answers the message to send.
fn receive(
    pair: &Pair,
    receiver: &mut Receiver<'_>,
    message: &[u8],
    result: &mut Vec<u8>,
) -> Result<Option<Vec<u8>>, PeerError> {
    let mut answer = None;
    for effect in receiver.receive(message).map_err(failed)? {
        match effect {
            Effect::Send(message) => answer = Some(message),
            Effect::Copy { offset, length } => {
                // The old version is in memory.
                #[allow(clippy::cast_possible_truncation)]
                let range = offset as usize..(offset + length) as usize;
                result.extend_from_slice(&pair.old[range]);
            }
            Effect::Write(bytes) => result.extend_from_slice(&bytes),
            Effect::Restart => result.clear(),
            Effect::Done(_) => {}
        }
    }
    Ok(answer)
}

fn failed(error: impl std::error::Error) -> PeerError {
    PeerError::Failed(format!("steadfast: {error}"))
}
