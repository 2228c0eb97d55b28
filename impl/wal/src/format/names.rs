//! The names of the files of a log.

use std::fmt;

use crate::SegmentNumber;

/// The file that is locked while a log is open.
pub const LOCK: &str = "LOCK";
/// The root of the log.
pub const CHECKPOINT: &str = "checkpoint";
/// A checkpoint being made.
pub const CHECKPOINT_DRAFT: &str = "checkpoint.draft";
/// A segment being made.
pub const SEGMENT_DRAFT: &str = "segment.draft";
/// Room for the segment that an opening needs, for when the disk is full.
pub const RESERVE: &str = "segment.reserve";

const SEGMENT_PREFIX: &str = "segment-";
const SEGMENT_DIGITS: usize = 16;

/// A file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileName {
    /// The lock.
    Lock,
    /// The root.
    Checkpoint,
    /// A checkpoint or a segment being made.
    Draft,
    /// Room for a segment.
    Reserve,
    /// A segment.
    Segment(SegmentNumber),
}

impl FileName {
    /// The file with this name; `None` if a log has no such file.
    #[must_use]
    pub fn parse(name: &str) -> Option<FileName> {
        match name {
            LOCK => Some(FileName::Lock),
            CHECKPOINT => Some(FileName::Checkpoint),
            CHECKPOINT_DRAFT | SEGMENT_DRAFT => Some(FileName::Draft),
            RESERVE => Some(FileName::Reserve),
            _ => {
                let digits = name.strip_prefix(SEGMENT_PREFIX)?;
                // One spelling only, and there is no segment 0.
                let is_spelt_so = digits.len() == SEGMENT_DIGITS
                    && digits.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
                let number = SegmentNumber(u64::from_str_radix(digits, 16).ok()?);
                (is_spelt_so && number.0 > 0).then_some(FileName::Segment(number))
            }
        }
    }
}

/// The name of a segment's file.
#[must_use]
pub fn segment_name(number: SegmentNumber) -> String {
    Hex(number).to_string()
}

struct Hex(SegmentNumber);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SEGMENT_PREFIX}{:0width$x}", self.0.0, width = SEGMENT_DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        let name = segment_name(SegmentNumber(0xab));
        assert_eq!(name, "segment-00000000000000ab");
        assert_eq!(FileName::parse(&name), Some(FileName::Segment(SegmentNumber(0xab))));
        let others = [
            "segment-ab",
            "segment-00000000000000AB",
            "segment-+0000000000000ab",
            "segment-0000000000000000",
            "segment-",
            "notes.txt",
            "",
        ];
        for other in others {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }
}
