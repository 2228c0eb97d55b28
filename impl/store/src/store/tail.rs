//! The number and the bytes of the records behind the checkpoint.

use std::collections::VecDeque;

use crate::policy::TailSize;

/// How long the records behind the checkpoint are, oldest first.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lengths: VecDeque<u32>,
    bytes: u64,
}

impl Tail {
    /// Adds a record of this many bytes. A log takes none of 4 GiB.
    pub(super) fn push(&mut self, bytes: usize) {
        let length = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.lengths.push_back(length);
        self.bytes += u64::from(length);
    }

    /// Forgets all records but the last ones.
    pub(super) fn keep_last(&mut self, count: usize) {
        let gone = self.lengths.len().saturating_sub(count);
        self.bytes -= self.lengths.drain(..gone).map(u64::from).sum::<u64>();
    }

    /// The number and the bytes of all records.
    pub(super) fn size(&self) -> TailSize {
        TailSize { records: self.lengths.len() as u64, bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_last_records() {
        let mut tail = Tail::default();
        [5, 7, 11].into_iter().for_each(|it| tail.push(it));
        assert_eq!(tail.size().bytes, 23);
        tail.keep_last(4);
        assert_eq!(tail.size().bytes, 23);
        assert_eq!(tail.size().records, 3);
        tail.keep_last(1);
        tail.push(2);
        assert_eq!(tail.size().bytes, 13);
        tail.keep_last(0);
        assert_eq!(tail.size().bytes, 0);
    }
}
