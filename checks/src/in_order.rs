//! Results of tasks that end in any order, handed on in the order of the tasks.

use std::collections::BTreeMap;

/// The results that have come, and those of them that wait for earlier ones.
pub(crate) struct InOrder<T> {
    next: usize,
    waiting: BTreeMap<usize, T>,
}

impl<T> InOrder<T> {
    /// No result yet.
    pub(crate) fn new() -> Self {
        InOrder { next: 0, waiting: BTreeMap::new() }
    }

    /// Adds the result of a task, by its number, and returns the results whose turn it is.
    pub(crate) fn add(&mut self, task: usize, result: T) -> Vec<T> {
        self.waiting.insert(task, result);
        let mut due = Vec::new();
        while let Some(it) = self.waiting.remove(&self.next) {
            due.push(it);
            self.next += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_out_in_the_order_of_their_tasks() {
        let mut results = InOrder::new();
        assert_eq!(results.add(1, "b"), Vec::<&str>::new());
        assert_eq!(results.add(3, "d"), Vec::<&str>::new());
        assert_eq!(results.add(0, "a"), ["a", "b"]);
        assert_eq!(results.add(2, "c"), ["c", "d"]);
    }
}
