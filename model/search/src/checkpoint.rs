//! A search that was interrupted, in a file.
//!
//! The file holds the data that is expensive to compute again: the visited table, the states of the
//! current and the next level with their components, and the counts. It does not hold the
//! remembered answers of the system. It begins with the identity of its search and ends with a
//! checksum, and every length in it is compared with the rest of the file before memory is
//! allocated.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use crate::options::{DeadSteps, Options};
use crate::print::Print;
use crate::system::{Portable, System};

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;

const MAGIC: u64 = u64::from_le_bytes(*b"SEARCH\x00\x02");

/// Where a search is saved, and when.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file. It is replaced when the next one is complete beside it, under the same name with
    /// `.new` behind it.
    pub file: PathBuf,
    /// Names the build, because fingerprints of different builds are not comparable.
    pub build: String,
    /// The interval between saves; a search that ends as incomplete is saved as well.
    pub every: Duration,
}

/// The reason why a search was not saved or cannot continue from a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file could not be read or written.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
    /// The file is no checkpoint, was cut short or has wrong bytes.
    #[error("{file} is damaged or no checkpoint: {detail}; search from the beginning")]
    Damaged {
        /// The file.
        file: String,
        /// The evidence.
        detail: String,
    },
    /// The file belongs to another search.
    #[error("{file} is of another {what}: {theirs}, and this is {ours}")]
    Other {
        /// The file.
        file: String,
        /// The field that differs: system, build, options or properties.
        what: &'static str,
        /// Its value in the file.
        theirs: String,
        /// Its value in this search.
        ours: String,
    },
    /// Some unequal components have the same hash. The engine distinguishes them by the order in
    /// which they came, which a file does not keep.
    #[error(
        "unequal components of this system have the same hash, so it cannot be saved: mend `Hash`"
    )]
    Ties,
}

/// The identity of a search; a checkpoint must agree with it.
pub(crate) fn belongs_to<S: System, P: Print>(
    system: &S,
    options: &Options,
    build: &str,
) -> [(&'static str, String); 4] {
    let reduced = match options.dead_steps {
        DeadSteps::Drop => "without dead steps",
        DeadSteps::Check | DeadSteps::Explore => "with dead steps",
    };
    let sleeps = if options.sleep_sets { "with sleep sets" } else { "without sleep sets" };
    let names: Vec<_> = system
        .properties()
        .into_iter()
        .map(|it| format!("{:?} {}", it.expected, it.name))
        .collect();
    let (marks, kinds) = (system.marks(), system.kinds());
    [
        ("system", system.name()),
        ("build", build.to_owned()),
        ("options", format!("{} bits, {reduced}, {sleeps}", P::BITS)),
        ("list of properties, marks and kinds", format!("{names:?} {marks:?} {kinds:?}")),
    ]
}

/// Writes words and texts, and sums them up.
struct Out {
    to: BufWriter<File>,
    sum: DefaultHasher,
}

impl Out {
    fn word(&mut self, word: u64) -> io::Result<()> {
        self.sum.write_u64(word);
        self.to.write_all(&word.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.word(bytes.len() as u64)?;
        self.sum.write(bytes);
        self.to.write_all(bytes)
    }
}

/// Reads them.
struct In {
    from: BufReader<File>,
    sum: DefaultHasher,
    /// Bytes that are left.
    left: u64,
}

/// Why the bytes of a checkpoint are wrong.
enum Wrong {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Wrong {
        Wrong::Io(error)
    }
}

impl From<&str> for Wrong {
    fn from(detail: &str) -> Wrong {
        Wrong::Damaged(detail.to_owned())
    }
}

impl In {
    fn take(&mut self, bytes: u64) -> Result<(), Wrong> {
        self.left = self.left.checked_sub(bytes).ok_or("it ends too early")?;
        Ok(())
    }

    fn word(&mut self) -> Result<u64, Wrong> {
        self.take(8)?;
        let mut bytes = [0; 8];
        self.from.read_exact(&mut bytes)?;
        let word = u64::from_le_bytes(bytes);
        self.sum.write_u64(word);
        Ok(word)
    }

    /// A number of items that take at least `bytes_each` bytes each.
    fn len(&mut self, bytes_each: u64) -> Result<usize, Wrong> {
        let len = self.word()?;
        let bytes = len.checked_mul(bytes_each).filter(|it| *it <= self.left);
        bytes.ok_or("it is shorter than it says")?;
        usize::try_from(len).map_err(|_| "a length is out of range".into())
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Wrong> {
        let len = self.len(1)?;
        self.take(len as u64)?;
        let mut bytes = vec![0; len];
        self.from.read_exact(&mut bytes)?;
        self.sum.write(&bytes);
        Ok(bytes)
    }

    fn text(&mut self) -> Result<String, Wrong> {
        String::from_utf8(self.bytes()?).map_err(|_| "a text is not UTF-8".into())
    }
}

fn io_error(file: &FilePath) -> impl Fn(io::Error) -> CheckpointError {
    move |error| CheckpointError::Io { file: file.display().to_string(), error }
}

/// A component as bytes.
fn encoded<S: Portable>(system: &S, component: &S::Component) -> Vec<u8> {
    let mut bytes = Vec::new();
    system.encode(component, &mut bytes);
    bytes
}
