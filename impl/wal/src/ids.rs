//! Numbers and locations in a log.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after it.
            ///
            /// # Panics
            /// When 2^64 of them are used up.
            #[must_use]
            pub fn next(self) -> $name {
                self.plus(1)
            }

            /// The one that comes this many later.
            ///
            /// # Panics
            /// When 2^64 of them are used up.
            #[must_use]
            pub fn plus(self, count: u64) -> $name {
                $name(self.0.checked_add(count).expect(concat!(stringify!($name), " is used up")))
            }

            /// The one before it; zero has none, and stays zero.
            #[must_use]
            pub fn previous(self) -> $name {
                $name(self.0.saturating_sub(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The index of a record in its log. The first is 1, and none is left out; 0 stands for no record.
    LogIndex
}

number! {
    /// The number of a segment, which is part of its file's name. The first is 1.
    SegmentNumber
}

number! {
    /// The opening of the log that wrote a batch. The first is 1.
    WriterEpoch
}

/// The identity of a log, chosen when the log is created. An opening refuses a log with another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub u128);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A segment and an offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The segment.
    pub segment: SegmentNumber,
    /// The offset in it, in bytes.
    pub offset: u64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}, offset {}", self.segment, self.offset)
    }
}
