//! Why an input cannot be made.

use std::io;

/// Why an input cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file cannot be read or written.
    #[error("cannot make an input")]
    Io(#[from] io::Error),
    /// The database cannot be made.
    #[error("cannot make the database")]
    Sqlite(#[from] rusqlite::Error),
}
