//! For tests and fuzzers: recordings from frames, and bytes as recordings.

use crate::digest::encoded;
use crate::format::{FileNumber, FrameHead, header};
use crate::reader::FileReader;
use crate::{Frame, ReadError};

/// The only file of a start with these frames, whose sums fit.
///
/// # Panics
/// When a frame is longer than a frame may be.
#[must_use]
pub fn file(start: u64, frames: &[Frame<'_>]) -> Vec<u8> {
    let (head, mut chain) = header(FileNumber { start, part: 1 }, 0);
    let mut bytes = head.to_vec();
    for frame in frames {
        let payload = encoded(frame, Vec::new());
        let head = FrameHead::of(&payload, chain).expect("a short frame");
        bytes.extend(head.encode(chain));
        bytes.extend(payload);
        chain = head.chain;
    }
    bytes
}

/// Reads bytes as the first file of a recording: its frames up to the end or a cut.
///
/// # Errors
/// The bytes are damaged.
pub fn read(bytes: &[u8]) -> Result<Vec<Frame<'static>>, ReadError> {
    let mut file = FileReader::of_bytes(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = file.next()? {
        frames.push(frame);
    }
    Ok(frames)
}

/// The body of the fuzz target: bytes as a file, and as the only frame of a file whose sums fit.
pub fn fuzz(bytes: &[u8]) {
    let _ = read(bytes);
    let (head, chain) = header(FileNumber { start: 1, part: 1 }, 0);
    if let Some(frame) = FrameHead::of(bytes, chain) {
        let file = [&head[..], &frame.encode(chain), bytes].concat();
        if let Ok(frames) = read(&file) {
            let again = crate::testing::file(1, &frames);
            assert!(read(&again).is_ok_and(|it| it == frames), "what was read can be written");
        }
    }
}
