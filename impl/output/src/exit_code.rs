//! Exit codes, the same for every program. 0 is: all as promised.

/// A promise is broken, or a file is damaged.
pub const BROKEN: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// Not everything was done or printed, which proves nothing.
pub const INCOMPLETE: u8 = 3;
/// Something could not be read or written.
pub const IO: u8 = 4;
