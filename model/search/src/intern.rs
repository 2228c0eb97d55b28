//! Values that are known by number, equal ones by the same number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::print::{content_hash, short_hash};
use crate::system::Part;

/// How many of the known values a new one is compared with, to see that equal values hash equally.
const COMPARED: u32 = 16;

/// Numbers are below this bound, so that one bit is left to distinguish them from other words.
const NUMBERS_MAX: u32 = 1 << 31;

/// Values by number, shared by all threads. Numbers begin at 0 and have no holes.
pub(crate) struct Interner<T> {
    shelves: Shelves<T>,
    numbers: Mutex<Numbers>,
}

#[derive(Default)]
struct Numbers {
    /// By hash and by how many unequal values with that hash were known before.
    by_hash: HashMap<(u64, u32), u32>,
    /// The number of values whose hash another value has.
    ties: u64,
}

/// A value that has a number now.
pub(crate) struct Known {
    pub number: u32,
    /// How many unequal values with the same hash were known before.
    tie: u32,
}

/// The bits of the number of values on the first shelf.
const FIRST_SHELF: u32 = 10;

/// Values that are read without a lock. They never move, because each shelf is as long as all
/// shelves before it together, and none grows.
struct Shelves<T>([OnceLock<Shelf<T>>; 32 - FIRST_SHELF as usize]);

type Shelf<T> = Box<[OnceLock<Arc<T>>]>;

impl<T> Shelves<T> {
    /// The shelf of a number, and the place there.
    #[inline]
    fn place(number: u32) -> (usize, usize) {
        let at = number + (1 << FIRST_SHELF);
        let shelf = at.ilog2();
        ((shelf - FIRST_SHELF) as usize, (at - (1 << shelf)) as usize)
    }

    #[inline]
    fn get(&self, number: u32) -> Option<&Arc<T>> {
        let (shelf, at) = Shelves::<T>::place(number);
        self.0[shelf].get()?.get(at)?.get()
    }

    fn put(&self, number: u32, value: Arc<T>) {
        let (shelf, at) = Shelves::<T>::place(number);
        let room = || std::iter::repeat_with(OnceLock::new).take(1 << FIRST_SHELF << shelf);
        let shelf = self.0[shelf].get_or_init(|| room().collect());
        assert!(shelf[at].set(value).is_ok(), "invariant: a number is given once");
    }
}

/// Two values that are equal and hash differently, as text.
#[derive(Debug)]
pub(crate) struct Disagree(pub String, pub String);

impl<T: Part> Interner<T> {
    pub(crate) fn new() -> Self {
        let shelves = Shelves([const { OnceLock::new() }; 32 - FIRST_SHELF as usize]);
        Interner { shelves, numbers: Mutex::default() }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a value, a new one if it is not known.
    pub(crate) fn number(&self, value: T) -> Result<Known, Disagree> {
        self.number_of(Arc::new(value))
    }

    /// The number of a shared value.
    pub(crate) fn number_of(&self, value: Arc<T>) -> Result<Known, Disagree> {
        let hash = short_hash(&*value);
        let mut numbers = self.numbers();
        let mut tie = 0;
        while let Some(&number) = numbers.by_hash.get(&(hash, tie)) {
            if *self.get(number) == *value {
                return Ok(Known { number, tie });
            }
            tie += 1;
        }
        let number = u32::try_from(numbers.by_hash.len()).ok().filter(|it| *it < NUMBERS_MAX);
        let number = number.expect("fewer than 2^31 components");
        self.compare(&value, number)?;
        self.shelves.put(number, value);
        numbers.by_hash.insert((hash, tie), number);
        numbers.ties += u64::from(tie > 0);
        Ok(Known { number, tie })
    }

    /// The hash that stands for a value: that of its content, unless an unequal value with that hash
    /// was known before.
    pub(crate) fn hash(&self, known: &Known) -> [u64; 2] {
        apart(content_hash(self.get(known.number)), known.tie)
    }

    /// The value of a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &T {
        self.shelves.get(number).expect("a number that was given")
    }

    /// The value of a number, to be kept.
    pub(crate) fn value(&self, number: u32) -> Arc<T> {
        Arc::clone(self.shelves.get(number).expect("a number that was given"))
    }

    /// The values of many numbers.
    pub(crate) fn values(&self, numbers: &[u32]) -> Vec<Arc<T>> {
        numbers.iter().map(|it| self.value(*it)).collect()
    }

    /// The number of values, and the number of those whose hash another value has.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let numbers = self.numbers();
        (numbers.by_hash.len() as u64, numbers.ties)
    }

    /// Compares a value that was not found by its hash with known ones: some of the first, which are
    /// many of those that a small system has, and the last of those below `len`.
    fn compare(&self, value: &T, len: u32) -> Result<(), Disagree> {
        let last = len.saturating_sub(COMPARED).max(COMPARED);
        for known in (0..len.min(COMPARED)).chain(last..len).map(|it| self.get(it)) {
            if *known == *value && content_hash(known) != content_hash(value) {
                return Err(Disagree(format!("{known:?}"), format!("{value:?}")));
            }
        }
        Ok(())
    }
}

/// A hash that differs from that of the other values with the same content hash, so that states
/// which differ in them have different fingerprints.
fn apart(hash: [u64; 2], tie: u32) -> [u64; 2] {
    match tie {
        0 => hash,
        _ => content_hash(&(hash, tie)),
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{Hash, Hasher};

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct HashesAlike(u8);

    impl Hash for HashesAlike {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u8(0);
        }
    }

    #[test]
    fn values_that_hash_alike_are_kept_apart() {
        let interner = Interner::new();
        let known = [1, 2, 3, 2].map(|it| interner.number(HashesAlike(it)).expect("a number"));
        assert_eq!([0, 1, 2, 1], known.each_ref().map(|it| it.number));
        let hashes = known.each_ref().map(|it| interner.hash(it));
        assert_ne!(hashes[0], hashes[1]);
        assert_ne!(hashes[1], hashes[2]);
        assert_eq!(hashes[1], hashes[3]);
        assert_eq!(interner.counts(), (3, 2));
    }

    #[test]
    fn every_number_leads_to_its_value() {
        let interner = Interner::new();
        for value in 0..5_000_u32 {
            assert_eq!(interner.number(value * 3).expect("a number").number, value);
        }
        let wrong = (0..5_000).find(|it| *interner.get(*it) != it * 3);
        assert_eq!((wrong, interner.counts()), (None, (5_000, 0)));
    }

    #[derive(Debug)]
    struct EqualsAll(u8);

    impl PartialEq for EqualsAll {
        fn eq(&self, _: &Self) -> bool {
            true
        }
    }

    impl Eq for EqualsAll {}

    impl Hash for EqualsAll {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u8(self.0);
        }
    }

    #[test]
    fn equal_values_that_hash_differently_are_noticed() {
        let interner = Interner::new();
        assert!(interner.number(EqualsAll(1)).is_ok());
        assert!(interner.number(EqualsAll(2)).is_err());
    }
}
