//! Digests of writes, by which a leader recognises a request id that is used for two writes.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::{Change, Content, Path};

/// A 64-bit hash of the path and the change of a write, by which a leader notices that a client has used
/// one request id for two writes, also when it has dropped the entry.
///
/// The hash is XXH3 over bytes that this module defines, because nodes built by different compilers must agree. It
/// detects accidents, not attacks: two writes have the same digest with probability 2^-64.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WriteDigest(pub u64);

impl WriteDigest {
    /// The hash of this change of this path.
    #[must_use]
    pub fn of(path: &Path, change: &Change) -> WriteDigest {
        let mut bytes = Vec::with_capacity(128);
        put_bytes(&mut bytes, path.as_str().as_bytes());
        match change {
            Change::Delete => bytes.push(0),
            Change::Put(Content::Inline(content)) => {
                bytes.push(1);
                put_bytes(&mut bytes, content);
            }
            Change::Put(Content::Named(content)) => {
                bytes.push(2);
                put_bytes(&mut bytes, &content.0);
            }
        }
        WriteDigest(XxHash3_64::oneshot(&bytes))
    }
}

/// Bytes behind their length, in eight bytes, lowest first.
fn put_bytes(bytes: &mut Vec<u8>, more: &[u8]) {
    bytes.extend((more.len() as u64).to_le_bytes());
    bytes.extend(more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ContentId;

    /// Writes that differ in one part each.
    fn writes() -> Vec<(Path, Change)> {
        let inline = |text: &[u8]| Change::Put(Content::Inline(text.into()));
        let changes = [
            Change::Delete,
            inline(b""),
            inline(b"a"),
            Change::Put(Content::Named(ContentId([b'a'; 32]))),
            inline(&[b'a'; 32]),
        ];
        let mut writes: Vec<_> = changes.into_iter().map(|it| (Path::new("a"), it)).collect();
        writes.push((Path::new("b"), Change::Delete));
        writes
    }

    #[test]
    fn the_path_and_every_part_of_the_change_count() {
        let mut digests: Vec<_> =
            writes().iter().map(|(path, change)| WriteDigest::of(path, change)).collect();
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn the_bytes_that_are_hashed_are_the_same_in_every_build() {
        let hashed: Vec<String> = writes()
            .iter()
            .map(|(path, change)| format!("{:016x}", WriteDigest::of(path, change).0))
            .collect();
        assert_eq!(
            hashed,
            [
                "b002fcb5d2a159be",
                "29d2aa38d8f77fe7",
                "1643adeb599ccffd",
                "09870f817e1b12b9",
                "f5daa68fbd632a6f",
                "371f51d73906e541",
            ]
        );
    }
}
