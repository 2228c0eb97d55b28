//! The body of the fuzz targets, which a test runs on a short corpus as well.

use crate::codec::{decode_checkpoint, decode_record, encode_checkpoint, encode_record};

/// Decodes any bytes. A value that decodes must decode to the same after it was encoded again.
///
/// # Panics
/// When it does not.
pub fn decode(bytes: &[u8]) {
    if let Ok(record) = decode_record(bytes) {
        assert_eq!(decode_record(&encode_record(&record)), Ok(record), "records-round-trip");
    }
    if let Ok(checkpoint) = decode_checkpoint(bytes) {
        let again = decode_checkpoint(&encode_checkpoint(&checkpoint));
        assert_eq!(again, Ok(checkpoint), "checkpoints-round-trip");
    }
}
