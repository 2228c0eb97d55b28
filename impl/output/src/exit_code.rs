//! Exit codes, the same of every program. All as promised is 0.

/// A promise is broken, or a file is not what it should be.
pub const BROKEN: u8 = 1;
/// The program was used in a way that cannot work.
pub const USAGE: u8 = 2;
/// Not all was done or told, which proves nothing.
pub const INCOMPLETE: u8 = 3;
/// Something could not be read or written.
pub const IO: u8 = 4;
