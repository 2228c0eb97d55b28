//! The bytes that clients write: they name their operation and their path, so that a reader knows their author.

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use super::history::OperationId;

const MARK: &str = "steadfast chamber ";

/// The bytes of a put: a line that names the operation, then noise that depends on its number alone.
pub(crate) fn bytes_of(operation: OperationId, path: &str, length: usize) -> Vec<u8> {
    let mut bytes = format!("{MARK}{operation} {path}\n").into_bytes();
    let head = bytes.len();
    bytes.resize(head.max(length), 0);
    StdRng::seed_from_u64(operation as u64).fill_bytes(&mut bytes[head..]);
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
}
