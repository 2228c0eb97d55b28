//! The records that were written, and the promises about them.

/// What a log has accepted and promised at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Promise {
    /// Records up to this one were said to be durable.
    pub(crate) durable: u64,
    /// Records up to this one were accepted.
    pub(crate) accepted: u64,
    /// A checkpoint through this record was said to be written.
    pub(crate) through_least: u64,
    /// A checkpoint through this record was begun.
    pub(crate) through_most: u64,
}

/// The records that were written to a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The records; the first is number 1.
    records: Vec<Vec<u8>>,
    /// How many records were made, so that no two are the same.
    made: u64,
}

impl History {
    /// Makes the next record, of this many bytes, different from all others.
    pub(crate) fn make(&mut self, bytes: usize) -> Vec<u8> {
        self.made += 1;
        let record = pattern(self.made, bytes);
        self.records.push(record.clone());
        record
    }

    /// Forgets the records behind this one: they were never durable, and are gone.
    pub(crate) fn truncate(&mut self, last: u64) {
        self.records.truncate(usize::try_from(last).unwrap_or(usize::MAX));
    }

    /// The bytes of a record.
    pub(crate) fn record(&self, number: u64) -> Option<&[u8]> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.records.get(at).map(Vec::as_slice)
    }

    /// The state that stands for the records up to this one.
    pub(crate) fn state(through: u64) -> Vec<u8> {
        if through == 0 { Vec::new() } else { pattern(through + 1_000_000, 600) }
    }
}

fn pattern(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut made = Vec::with_capacity(bytes + 8);
    while made.len() < bytes {
        // Marsaglia, Xorshift RNGs (2003), section 3.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        made.extend_from_slice(&state.to_le_bytes());
    }
    made.truncate(bytes);
    made
}
