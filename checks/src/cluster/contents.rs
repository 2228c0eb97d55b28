//! The bytes that clients write: they name their operation and their path, so that a reader knows their author.

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use super::history::OperationId;

const MARK: &str = "steadfast chamber ";

/// Contents of this length and longer share most of their bytes, so that nodes send deltas of them.
const SHARED_MIN: usize = 1 << 20;

/// The seed of the noise that all long contents share. No operation has this number.
const SHARED_SEED: u64 = u64::MAX;

/// The number of places in which a long content has bytes of its own.
const DIFFERENCES: usize = 4;

/// The length of such a place.
const DIFFERENCE_BYTES: usize = 64;

/// The bytes of a put: a line that names the operation, then noise. The seed of the noise is the operation's number. A long
/// content has the shared noise instead, and its own noise in a few places. Lines of different lengths shift the shared
/// noise, so deltas also find moved bytes.
pub(crate) fn bytes_of(operation: OperationId, path: &str, length: usize) -> Vec<u8> {
    let mut bytes = format!("{MARK}{operation} {path}\n").into_bytes();
    let head = bytes.len();
    bytes.resize(head.max(length), 0);
    let mut own = StdRng::seed_from_u64(operation as u64);
    if length < SHARED_MIN {
        own.fill_bytes(&mut bytes[head..]);
        return bytes;
    }
    StdRng::seed_from_u64(SHARED_SEED).fill_bytes(&mut bytes[head..]);
    for _ in 0..DIFFERENCES {
        let at = own.random_range(head..length - DIFFERENCE_BYTES);
        own.fill_bytes(&mut bytes[at..at + DIFFERENCE_BYTES]);
    }
    bytes
}

/// The put that wrote these bytes, and its path; `None` if none did.
pub(crate) fn author_of(bytes: &[u8]) -> Option<(OperationId, &str)> {
    let head = bytes.split(|it| *it == b'\n').next()?;
    let (operation, path) = std::str::from_utf8(head).ok()?.strip_prefix(MARK)?.split_once(' ')?;
    let operation = operation.parse().ok()?;
    (bytes_of(operation, path, bytes.len()) == bytes).then_some((operation, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_name_their_author_and_no_other_bytes_do() {
        for length in [0, 30, 5_000] {
            let bytes = bytes_of(7, "p/1", length);
            assert_eq!(author_of(&bytes), Some((7, "p/1")));
            assert!(bytes.len() >= length);
        }
        let mut damaged = bytes_of(7, "p/1", 5_000);
        damaged[4_000] ^= 1;
        assert_eq!(author_of(&damaged), None, "one bit differs");
        let mut mixed = bytes_of(7, "p/1", 5_000);
        mixed.splice(4_000.., bytes_of(8, "p/1", 5_000).split_off(4_000));
        assert_eq!(author_of(&mixed), None, "two contents are mixed");
        assert_eq!(author_of(b""), None);
    }

    #[test]
    fn long_contents_differ_in_some_places() {
        let [one, other] = [7, 8].map(|it| bytes_of(it, "p/1", SHARED_MIN));
        let differing = one.iter().zip(&other).filter(|(a, b)| a != b).count();
        assert!((2 * DIFFERENCE_BYTES..1_000).contains(&differing), "{differing} bytes");
        assert_eq!(author_of(&one), Some((7, "p/1")));
        let at = one.iter().zip(&other).rposition(|(a, b)| a != b).expect("a difference");
        let mixed = [&one[..at], &other[at..]].concat();
        assert_eq!(author_of(&mixed), None, "a difference of another content");
    }
}
