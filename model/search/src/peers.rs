//! The processes that share a search, as the engine sees them.

/// The processes that share a search, as one of them sees them: see
/// [`Search::breadth_first_shared`](crate::Search::breadth_first_shared). An implementation moves
/// words between processes and knows nothing of searches.
pub trait Peers {
    /// The number of this process, from 0.
    fn index(&self) -> usize;

    /// The number of processes, this one included.
    fn count(&self) -> usize;

    /// One round, in which every process takes part: sends a message to each process, by its
    /// number, and returns the message of each process to this one. The message of this process to
    /// itself need not be returned.
    ///
    /// # Errors
    ///
    /// [`Lost`] if a process does not take part any more. No round follows then.
    fn exchange(&mut self, messages: Vec<Vec<u64>>) -> Result<Vec<Vec<u64>>, Lost>;
}

/// A process that shares the search no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("process {process} {why}")]
pub struct Lost {
    /// The number of the process.
    pub process: usize,
    /// How it was lost, such as "closed the connection".
    pub why: String,
}
