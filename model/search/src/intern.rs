//! Values that are known by number, equal ones by the same number.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::print::content_hash;
use crate::system::Part;

/// How many of the known values a new one is compared with, to see that equal values hash equally.
const COMPARED: usize = 16;

/// Numbers are below this bound, so that one bit is left to distinguish them from other words.
const NUMBERS_MAX: u32 = 1 << 31;

/// Values by number, shared by all threads. Numbers begin at 0 and have no holes.
pub(crate) struct Interner<T>(RwLock<Values<T>>);

struct Values<T> {
    values: Vec<Arc<T>>,
    /// By hash and by how many unequal values with that hash were known before.
    numbers: HashMap<(u64, u32), u32>,
    /// The number of values whose hash another value has.
    ties: u64,
}

/// A value that has a number now.
pub(crate) struct Known {
    pub number: u32,
    /// The hash that stands for the value: that of its content, unless an unequal value with that
    /// hash was known before.
    pub hash: [u64; 2],
}

/// Two values that are equal and hash differently, as text.
#[derive(Debug)]
pub(crate) struct Disagree(pub String, pub String);

impl<T: Part> Interner<T> {
    pub(crate) fn new() -> Self {
        let values = Values { values: Vec::new(), numbers: HashMap::new(), ties: 0 };
        Interner(RwLock::new(values))
    }

    /// The number of a value, a new one if it is not known.
    pub(crate) fn number(&self, value: T) -> Result<Known, Disagree> {
        self.number_of(Arc::new(value))
    }

    /// The number of a shared value.
    pub(crate) fn number_of(&self, value: Arc<T>) -> Result<Known, Disagree> {
        let hash = content_hash(&*value);
        let mut values = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut tie = 0;
        while let Some(&number) = values.numbers.get(&(hash[0], tie)) {
            if *values.values[number as usize] == *value {
                return Ok(Known { number, hash: apart(hash, tie) });
            }
            tie += 1;
        }
        values.compare(&value)?;
        let number = u32::try_from(values.values.len()).ok().filter(|it| *it < NUMBERS_MAX);
        let number = number.expect("fewer than 2^31 components");
        values.numbers.insert((hash[0], tie), number);
        values.values.push(value);
        values.ties += u64::from(tie > 0);
        Ok(Known { number, hash: apart(hash, tie) })
    }

    /// The value of a number.
    pub(crate) fn value(&self, number: u32) -> Arc<T> {
        let values = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&values.values[number as usize])
    }

    /// The values of many numbers.
    pub(crate) fn values(&self, numbers: &[u32]) -> Vec<Arc<T>> {
        let values = self.0.read().unwrap_or_else(PoisonError::into_inner);
        numbers.iter().map(|it| Arc::clone(&values.values[*it as usize])).collect()
    }

    /// The number of values, and the number of those whose hash another value has.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let values = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (values.values.len() as u64, values.ties)
    }
}

impl<T: Part> Values<T> {
    /// Compares a value that was not found by its hash with known ones: some of the first, which are
    /// many of those that a small system has, and the last.
    fn compare(&self, value: &T) -> Result<(), Disagree> {
        let last = self.values.len().saturating_sub(COMPARED).max(COMPARED);
        let first = self.values.iter().take(COMPARED);
        for known in first.chain(self.values.iter().skip(last)) {
            if **known == *value && content_hash(&**known) != content_hash(value) {
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
        assert_ne!(known[0].hash, known[1].hash);
        assert_ne!(known[1].hash, known[2].hash);
        assert_eq!(known[1].hash, known[3].hash);
        assert_eq!(interner.counts(), (3, 2));
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
