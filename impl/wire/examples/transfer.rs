//! How much travels, how fast both ends work, and how much memory they take:
//!
//! ```text
//! cargo run --release -p steadfast-wire --example transfer -- 1024
//! ```
//!
//! brings a content of 1,024 MiB whole, and then one with a byte changed, by delta and by exchange. No end
//! holds a content: the sources make their bytes when they are read, and the sink forgets what it is given.

use std::io;
use std::time::Instant;

use steadfast_delta::manifest::{Depth, Manifest, ManifestBuilder};
use steadfast_protocol::ContentId;
use steadfast_wire::transfer::{Download, Outcome, Receiver, Sender, Sent, Sink, Source};
use steadfast_wire::{Channel, Decoder, FrameError};

/// Bytes that follow from their place, one of them changed.
#[derive(Clone, Debug)]
struct Made {
    changed: Option<u64>,
    manifest: Manifest,
}

impl Made {
    fn new(length: u64, changed: Option<u64>) -> Made {
        let mut builder = ManifestBuilder::new(Depth::Chunks);
        let mut bytes = vec![0; 1 << 20];
        for offset in (0..length).step_by(bytes.len()) {
            fill(&mut bytes, offset, changed);
            builder.update(&bytes);
        }
        Made { changed, manifest: builder.finish() }
    }

    fn content(&self) -> ContentId {
        ContentId(self.manifest.root().0)
    }
}

/// SplitMix64 of the place.
fn word(place: u64) -> u64 {
    let mixed = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

fn fill(bytes: &mut [u8], offset: u64, changed: Option<u64>) {
    let mut at = 0;
    while at < bytes.len() {
        let place = offset + at as u64;
        let word = word(place / 8).to_le_bytes();
        // Less than eight.
        let skip = usize::try_from(place % 8).unwrap_or(0);
        let length = (8 - skip).min(bytes.len() - at);
        bytes[at..at + length].copy_from_slice(&word[skip..skip + length]);
        at += length;
    }
    let place = changed.and_then(|it| usize::try_from(it.checked_sub(offset)?).ok());
    if let Some(byte) = place.and_then(|it| bytes.get_mut(it)) {
        *byte ^= 1;
    }
}

impl Source for Made {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        fill(bytes, offset, self.changed);
        Ok(())
    }
}

/// Counts the bytes that it is given.
#[derive(Debug)]
struct Counter(u64);

impl Sink<Made> for Counter {
    fn begin(&mut self, _: u64, _: Option<&Made>) -> io::Result<()> {
        Ok(())
    }

    fn write_at(&mut self, bytes: &[u8], _: u64) -> io::Result<()> {
        self.0 += bytes.len() as u64;
        Ok(())
    }
}

/// Brings a content, and returns the bytes of all frames.
fn bring(new: &Made, old: Option<&Made>, sender_has_old: bool) -> Result<u64, FrameError> {
    let mut receiver = Receiver::new();
    receiver.add(Download::new(new.content(), old.cloned(), Counter(0), u64::MAX));
    receiver.connect();
    let mut sender = Sender::new();
    let decoder = || Decoder::new(Channel::Contents);
    let (mut to_sender, mut to_receiver, mut total) = (decoder(), decoder(), 0);
    let mut out = Vec::new();
    loop {
        out.clear();
        while receiver.next_frame(&mut out) {}
        total += out.len() as u64;
        let mut rest = &out[..];
        while let Some(frame) = to_sender.next(&mut rest)? {
            if let Some(asked) = sender.receive(frame)? {
                let old = old.filter(|_| sender_has_old).cloned();
                sender.supply(asked.transfer, new.clone(), old);
            }
        }
        out.clear();
        let is_silent = matches!(sender.next_frame(&mut out), Sent::Nothing);
        total += out.len() as u64;
        let (mut rest, mut ended) = (&out[..], None);
        while let Some(frame) = to_receiver.next(&mut rest)? {
            ended = receiver.receive(frame)?;
        }
        match ended.or_else(|| receiver.work()) {
            Some(Outcome::Done { sink, received, .. }) => {
                assert_eq!(sink.0, new.manifest.length());
                println!("  {received:?}");
                return Ok(total);
            }
            Some(other) => panic!("nothing is wrong with the content: {other:?}"),
            None => assert!(!is_silent || receiver.has_work(), "both ends are silent"),
        }
    }
}

/// The greatest memory of this process so far, as Linux counts it.
fn memory_max() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |it| it.trim().to_owned())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: u64 = std::env::args().nth(1).map_or(Ok(64), |it| it.parse())?;
    let length = mib << 20;
    let begin = Instant::now();
    let old = Made::new(length, None);
    let seconds = begin.elapsed().as_secs_f64();
    println!("manifest of {mib} MiB: {:.0} MiB/s", mib as f64 / seconds);
    let new = Made::new(length, Some(length / 3));
    for (name, old, sender_has_old) in
        [("whole", None, false), ("delta", Some(&old), true), ("exchange", Some(&old), false)]
    {
        let begin = Instant::now();
        let total = bring(&new, old, sender_has_old)?;
        let seconds = begin.elapsed().as_secs_f64();
        let (share, speed) = (length / total.max(1), mib as f64 / seconds);
        println!(
            "{name}: {total} bytes, 1/{share}; {speed:.0} MiB/s for both ends; memory at most {}",
            memory_max()
        );
    }
    Ok(())
}
