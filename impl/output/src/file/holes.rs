//! Files whose zeros take no room.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// The length in bytes of the pieces that are looked at. Each piece is written or left out as a whole.
/// A file system keeps one extent less where smaller holes are filled.
pub(super) const PIECE: usize = 32 << 10;
/// Fewer zeros are no hole: a block of most file systems.
const HOLE_LEAST: usize = 4 << 10;

/// Writes an empty file front to back, and leaves out zeros.
#[derive(Debug)]
pub(super) struct Holes {
    file: File,
    /// Where the next byte goes. The file may end before.
    position: u64,
}

impl Holes {
    pub(super) fn new(file: File) -> Holes {
        Holes { file, position: 0 }
    }

    /// The file, extended to the length of the written bytes.
    pub(super) fn finish(self) -> io::Result<File> {
        if self.file.metadata()?.len() < self.position {
            self.file.set_len(self.position)?;
        }
        Ok(self.file)
    }
}

impl Write for Holes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = PIECE - usize::try_from(self.position % PIECE as u64).unwrap_or(0);
        let piece = &bytes[..bytes.len().min(left)];
        if piece.len() < HOLE_LEAST || !is_zero(piece) {
            self.file.write_all_at(piece, self.position)?;
        }
        self.position += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    // Most pieces that are not zeros show it soon.
    bytes.chunks(256).all(|it| it.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn written(content: &[u8], at_once: usize) -> File {
        let mut holes = Holes::new(tempfile::tempfile().expect("a file"));
        content.chunks(at_once).for_each(|it| holes.write_all(it).expect("room for it"));
        holes.finish().expect("a file")
    }

    #[test]
    fn every_content_is_read_back_however_it_is_written() {
        let mut mixed = vec![0; 300_000];
        for at in [0, 40_000, 40_001, 131_071, 131_072, 200_000] {
            mixed[at] = 1;
        }
        for content in [&mixed[..], &mixed[..200_001], &mixed[1..131_071], &[0; 5_000], &[]] {
            for at_once in [1_000, 4_097, 32_768, 300_000] {
                let mut file = written(content, at_once);
                let mut read = Vec::new();
                file.rewind().expect("a file");
                file.read_to_end(&mut read).expect("a file");
                assert!(read == content, "{} bytes, {at_once} at once", content.len());
            }
        }
    }

    #[test]
    fn zeros_take_no_room() {
        let mut content = vec![0; 8 << 20];
        content[5 << 20] = 1;
        let file = written(&content, 100_000);
        let metadata = file.metadata().expect("a file");
        assert_eq!(metadata.len(), 8 << 20);
        assert!(metadata.blocks() * 512 <= 1 << 20, "{} blocks", metadata.blocks());
    }
}
