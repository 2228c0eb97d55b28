//! Whether a linearizable history stays so with one more read.

use std::collections::BTreeMap;

use super::{
    Clusters, NotLinearizable, Operation, Source, Time, Zone, clusters, judge, writes_by_value,
};

/// A history that is linearizable, prepared for questions about further reads. Each question takes `O(log n)` steps,
/// and a new judgement of the history with the read `O(n log n)`.
#[derive(Debug)]
pub struct Explained<'a, V> {
    operations: &'a [Operation<V>],
    writes: BTreeMap<&'a V, usize>,
    clusters: Clusters,
    /// The zones, sorted by their earliest return.
    zones: Vec<Zone>,
    /// For each number of zones, the two latest invocations among the first ones, with their sources.
    latest: Vec<[Option<(Time, Source)>; 2]>,
}

impl<'a, V: Ord> Explained<'a, V> {
    /// Judges a history.
    ///
    /// # Errors
    /// It is not linearizable, as [`judge`] says.
    ///
    /// # Panics
    /// If an operation did not return after its own invocation.
    pub fn of(operations: &'a [Operation<V>]) -> Result<Explained<'a, V>, NotLinearizable> {
        judge(operations)?;
        let (writes, clusters) = (writes_by_value(operations)?, clusters(operations)?);
        let zone =
            |(source, members): (&Source, &Vec<usize>)| Zone::of(*source, members, operations);
        let mut zones: Vec<Zone> = clusters.iter().filter_map(zone).collect();
        zones.sort_by_key(|it| it.earliest_return);
        let mut latest = vec![[None; 2]];
        for zone in &zones {
            let [first, second] = latest.last().copied().unwrap_or_default();
            let own = Some((zone.latest_invocation, zone.source));
            latest.push(match own > first {
                true => [own, first],
                false => [first, second.max(own)],
            });
        }
        Ok(Explained { operations, writes, clusters, zones, latest })
    }

    /// Whether the history is linearizable as well with a read that answered this value, `None` for the initial one.
    #[must_use]
    pub fn explains_read(&self, value: Option<&V>, invoked: Time, returned: Time) -> bool {
        let source = match value {
            None => Source::InitialValue,
            Some(value) => match self.writes.get(value) {
                Some(write) if self.operations[*write].invoked <= returned => Source::Write(*write),
                _ => return false,
            },
        };
        let members = self.clusters.get(&source).map_or(&[][..], Vec::as_slice);
        let of_members = |it: &usize| &self.operations[*it];
        let latest = members.iter().map(|it| of_members(it).invoked).max();
        let latest_invocation = latest.map_or(invoked, |it| it.max(invoked));
        let earliest_return = match source {
            Source::InitialValue => None,
            Source::Write(_) => {
                let returns = members.iter().filter_map(|it| of_members(it).returned);
                returns.chain([returned]).min()
            }
        };
        // The clusters that precede this one must not be preceded by it.
        let preceding =
            self.zones.partition_point(|it| it.earliest_return < Some(latest_invocation));
        let others = self.latest[preceding].iter().flatten().filter(|(_, it)| *it != source);
        !others.into_iter().any(|(invocation, _)| earliest_return < Some(*invocation))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Access;
    use super::*;

    /// Up to eight operations at distinct times: their accesses, and the places of their ends in an order of all ends.
    fn histories() -> impl Strategy<Value = Vec<Operation<u64>>> {
        let accesses = prop::collection::vec((0..3_usize, any::<bool>()), 1..8);
        accesses.prop_flat_map(|accesses| {
            let ends: Vec<u64> = (0..2 * accesses.len() as u64).collect();
            Just(ends).prop_shuffle().prop_map(move |ends| {
                let operation = |(at, (kind, returns)): (usize, &(usize, bool))| {
                    let (one, other) = (ends[2 * at], ends[2 * at + 1]);
                    let access = match kind {
                        0 => Access::Read(None),
                        1 => Access::Read(Some((one + other) % ends.len() as u64 / 2)),
                        _ => Access::Write(at as u64),
                    };
                    let returned = returns.then_some(Time(one.max(other)));
                    Operation { access, invoked: Time(one.min(other)), returned }
                };
                accesses.iter().enumerate().map(operation).collect()
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn a_further_read_is_explained_if_the_history_with_it_is_linearizable(history in histories(), at in 0..8_usize) {
            let at = at % history.len();
            let mut others = history.clone();
            let read = others.remove(at);
            if let (Access::Read(value), Some(returned), Ok(explained)) =
                (&read.access, read.returned, Explained::of(&others))
            {
                let found = explained.explains_read(value.as_ref(), read.invoked, returned);
                prop_assert_eq!(found, judge(&history).is_ok(), "{:?}", history);
            }
        }
    }
}
