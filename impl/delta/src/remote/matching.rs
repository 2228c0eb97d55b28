//! Which parts of the new content the old one has, by the names of chunks and grains.

use std::ops::Range;

use super::ids::{Id, Places};

/// A stretch of the new content, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// These bytes of the old content.
    Old(Range<u64>),
    /// This number of chunks or grains, which the old content does not seem to have.
    Missing(usize),
}

/// The slots of a new content as they are found. Neighbours of the same kind become one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots(Vec<Slot>);

impl Slots {
    pub(crate) fn push_old(&mut self, range: Range<u64>) {
        match self.0.last_mut() {
            Some(Slot::Old(last)) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.0.push(Slot::Old(range)),
        }
    }

    pub(crate) fn push_missing(&mut self, count: usize) {
        match self.0.last_mut() {
            Some(Slot::Missing(last)) => *last += count,
            _ => self.0.push(Slot::Missing(count)),
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Slot> {
        self.0
    }
}

/// For each missing slot where the old bytes lie that it probably replaced: between the ends of
/// its neighbours, if these are in order.
pub(crate) fn replaced(slots: &[Slot], old_length: u64) -> Vec<Range<u64>> {
    let old = |index: Option<usize>| match index.and_then(|index| slots.get(index)) {
        Some(Slot::Old(range)) => Some(range.clone()),
        _ => None,
    };
    let missing = slots.iter().enumerate().filter(|(_, slot)| matches!(slot, Slot::Missing(_)));
    let between = |(index, _): (usize, &Slot)| {
        let start = old(index.checked_sub(1)).map_or(0, |range| range.end);
        let end = old(index.checked_add(1)).map_or(old_length, |range| range.start);
        start..end
    };
    missing.map(between).collect()
}

/// The grains of the old content that may be found in the new one.
pub(crate) struct Grains {
    /// By offset.
    all: Vec<(Id, Range<u64>)>,
    by_id: Places<u32>,
}

/// More old grains than this are not searched: their memory is bounded.
pub(crate) const OLD_GRAINS_MAX: usize = 1 << 20;

/// A replaced stretch of more grains than this many per missing one is not looked at first.
pub(super) const REPLACED_PER_MISSING: u64 = 4;
/// A replaced stretch of no more grains than this is looked at first in any case.
pub(super) const REPLACED_FREE: u64 = 256;

impl Grains {
    /// Grains in the order of their offsets; those beyond [`OLD_GRAINS_MAX`] are left out.
    pub(crate) fn new(grains: impl Iterator<Item = (Id, Range<u64>)>) -> Grains {
        let all: Vec<_> = grains.take(OLD_GRAINS_MAX).collect();
        let mut by_id = Places::default();
        for (index, (id, _)) in (0..).zip(&all) {
            by_id.insert(*id, index);
        }
        Grains { all, by_id }
    }

    /// Looks for the grains of a missing stretch: first after the one before, then among those
    /// that it replaced, then everywhere.
    pub(crate) fn find(&self, missing: &[Id], replaced: &Range<u64>) -> Vec<Option<Range<u64>>> {
        let near = self.near(missing.len(), replaced);
        let mut next = None;
        let found = missing.iter().map(|id| {
            let following = next.filter(|index| self.has(*index, *id));
            let index = following.or_else(|| near.find(*id)).or_else(|| self.by_id.find(*id))?;
            next = index.checked_add(1);
            Some(self.all[index as usize].1.clone())
        });
        found.collect()
    }

    fn has(&self, index: u32, id: Id) -> bool {
        self.all.get(index as usize).is_some_and(|(found, _)| *found == id)
    }

    fn near(&self, missing: usize, replaced: &Range<u64>) -> Places<u32> {
        let from = self.all.partition_point(|(_, range)| range.start < replaced.start);
        let to = self.all.partition_point(|(_, range)| range.end <= replaced.end);
        let mut near = Places::default();
        if from < to && (to - from) as u64 <= missing as u64 * REPLACED_PER_MISSING + REPLACED_FREE
        {
            for index in from as u32..to as u32 {
                near.insert(self.all[index as usize].0, index);
            }
        }
        near
    }
}
