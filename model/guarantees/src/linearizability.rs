//! Decides whether the history of one read/write register is linearizable, in
//! `O(n log n)` for `n` operations.
//!
//! In general that question is NP-complete. It becomes easy because every written
//! value is unique, so a read shows which write it saw: this is the problem that
//! P. B. Gibbons and E. Korach call linearizability with a read-mapping ("Testing
//! Shared Memories", SIAM Journal on Computing 26(4), 1997, pages 1208-1244).
//!
//! # Terms
//!
//! - A *cluster* is a write together with the reads of its value. The initial value
//!   has a cluster too, whose write returned before the history began.
//! - The *zone* of a cluster lies between the earliest return of a member and the
//!   latest invocation of a member.
//! - A zone is *forward* if that earliest return comes first. The register then holds
//!   the value throughout the zone: it was already there at the start of the zone,
//!   and a read that begins at its end sees it still.
//! - Otherwise the zone is *backward*: all members overlap, and one moment within the
//!   zone is enough for all of them.
//!
//! # The decision
//!
//! A history is linearizable if and only if all of this holds:
//!
//! 1. every value read was written, and no read returned before its write was invoked;
//! 2. no two forward zones overlap;
//! 3. no backward zone lies inside a forward zone.
//!
//! # Why that is enough
//!
//! Say that cluster X *precedes* cluster Y if a member of X returned before a member of
//! Y was invoked, that is, if the earliest return in X comes before the latest
//! invocation in Y. Conditions 2 and 3 say that no two clusters precede each other.
//! Then there is no longer cycle either. Suppose there is one:
//!
//! 1. Take the cluster of the cycle whose latest invocation comes first, and let X be
//!    the cluster before it. The earliest return in X comes before that invocation.
//! 2. It therefore comes before the latest invocation in any cluster of the cycle, so X
//!    precedes all of them, also the one before X, which precedes X.
//!
//! So the clusters can be put in an order that respects real time. Within a cluster the
//! write goes first and its reads follow in the order of their invocation, which
//! condition 1 allows.

mod explained;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use explained::Explained;

/// When an operation was invoked or returned: any clock that orders the events of one
/// history. Two events never share a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub u64);

/// What an operation on one register did. `V` identifies the written value; no two
/// writes of a history share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access<V> {
    /// Stores the value.
    Write(V),
    /// Answers the value found. `None` is the register's initial value.
    Read(Option<V>),
}

/// One operation of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<V> {
    /// What the operation did.
    pub access: Access<V>,
    /// When a client asked for it.
    pub invoked: Time,
    /// When the client heard that it was done; later than `invoked`. `None` while the
    /// outcome is unknown: the operation may take effect at any time after its
    /// invocation, or never. A read that never returned says nothing and is ignored.
    pub returned: Option<Time>,
}

/// Where a value that a register held came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The register held it from the start.
    InitialValue,
    /// The write at this index of the history stored it.
    Write(usize),
}

/// Why a history is not linearizable. Operations are named by their index in the slice
/// that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLinearizable {
    /// Two writes share a value, so that a read of it does not show which one it saw.
    #[error(
        "operations {first} and {second} write the same value, so reads of it cannot be judged"
    )]
    DuplicateValue {
        /// The write with the lower index.
        first: usize,
        /// The write with the higher index.
        second: usize,
    },
    /// A read answered a value that no operation writes.
    #[error("operation {read} read a value that nobody wrote")]
    ReadOfUnwritten {
        /// The read.
        read: usize,
    },
    /// A read had already returned the value when its write was invoked.
    #[error(
        "operation {read} read the value of operation {write} and returned before that was invoked"
    )]
    ReadBeforeWrite {
        /// The read.
        read: usize,
        /// The write of the value it read.
        write: usize,
    },
    /// A read saw a value that another one had replaced before the read began: a
    /// backward zone lies inside a forward zone.
    #[error("operation {read} read {old}, but {new} had replaced that before the read began")]
    StaleRead {
        /// The read.
        read: usize,
        /// Where the value it read came from.
        old: Source,
        /// Where the value that replaced it came from.
        new: Source,
    },
    /// When either of two reads began, the value that the other one saw had already been
    /// in the register, so each value would have to replace the other: two forward
    /// zones overlap.
    #[error(
        "operation {first_read} read {first} after {second} had been in the register, \
         and operation {second_read} read {second} after {first} had been in the register"
    )]
    ContradictoryReads {
        /// The last read to see the value that was in the register earlier.
        first_read: usize,
        /// Where that value came from.
        first: Source,
        /// The last read to see the other value.
        second_read: usize,
        /// Where the other value came from.
        second: Source,
    },
}

/// Decides whether one order of the operations, each taking effect at a moment between
/// its invocation and its return, explains what every read saw.
///
/// The order of the slice does not matter. If the history breaks several rules, the
/// error names one violation, always the same one for the same slice.
///
/// # Errors
///
/// Says which operations contradict each other. [`NotLinearizable::DuplicateValue`] is
/// an error of the caller instead: such a history cannot be judged.
///
/// # Panics
///
/// If an operation did not return after its own invocation.
pub fn judge<V: Ord>(operations: &[Operation<V>]) -> Result<(), NotLinearizable> {
    assert_returns_follow_invocations(operations);
    let clusters = clusters(operations)?;
    let zones =
        clusters.into_iter().filter_map(|(source, members)| Zone::of(source, &members, operations));
    let (mut forward, backward): (Vec<Zone>, Vec<Zone>) = zones.partition(Zone::is_forward);
    forward.sort_by_key(|zone| zone.earliest_return);
    forward_zones_are_apart(&forward)?;
    backward_zones_are_outside(&backward, &forward)
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::InitialValue => write!(formatter, "the initial value"),
            Source::Write(write) => write!(formatter, "the value of operation {write}"),
        }
    }
}

/// The members of every cluster, by index.
type Clusters = BTreeMap<Source, Vec<usize>>;

/// Where the members of a cluster force its value to be in the register.
#[derive(Debug)]
struct Zone {
    source: Source,
    /// When the first member returned. `None` is before the history.
    earliest_return: Option<Time>,
    /// When the last member was invoked.
    latest_invocation: Time,
    /// The member invoked last. In a forward zone this is a read, since a write is
    /// invoked before any read of its value returns.
    last: usize,
}

impl Zone {
    /// The zone of a cluster, or nothing if the cluster does not constrain the history:
    /// nobody read the initial value, or nobody saw a write whose outcome is unknown.
    fn of<V>(source: Source, members: &[usize], operations: &[Operation<V>]) -> Option<Self> {
        let returns = members.iter().filter_map(|&member| operations[member].returned);
        let earliest_return = match source {
            Source::InitialValue => None,
            Source::Write(_) => Some(returns.min()?),
        };
        let last = *members.iter().max_by_key(|&&member| operations[member].invoked)?;
        Some(Self { source, earliest_return, latest_invocation: operations[last].invoked, last })
    }

    fn is_forward(&self) -> bool {
        self.precedes(self)
    }

    /// Whether a member of this cluster returned before a member of the other one was
    /// invoked.
    fn precedes(&self, other: &Self) -> bool {
        self.earliest_return < Some(other.latest_invocation)
    }
}

fn assert_returns_follow_invocations<V>(operations: &[Operation<V>]) {
    for (index, operation) in operations.iter().enumerate() {
        assert!(
            operation.returned.is_none_or(|returned| operation.invoked < returned),
            "operation {index} returns after its own invocation"
        );
    }
}

/// Groups the writes with the reads of their values, which is condition 1.
fn clusters<V: Ord>(operations: &[Operation<V>]) -> Result<Clusters, NotLinearizable> {
    let writes = writes_by_value(operations)?;
    let mut clusters: Clusters =
        writes.values().map(|&write| (Source::Write(write), vec![write])).collect();
    for (read, operation) in operations.iter().enumerate() {
        let (Access::Read(value), Some(returned)) = (&operation.access, operation.returned) else {
            continue;
        };
        let source = source_of(value.as_ref(), read, &writes)?;
        if let Source::Write(write) = source
            && returned < operations[write].invoked
        {
            return Err(NotLinearizable::ReadBeforeWrite { read, write });
        }
        clusters.entry(source).or_default().push(read);
    }
    Ok(clusters)
}

fn writes_by_value<V: Ord>(
    operations: &[Operation<V>],
) -> Result<BTreeMap<&V, usize>, NotLinearizable> {
    let mut writes = BTreeMap::new();
    for (second, operation) in operations.iter().enumerate() {
        let Access::Write(value) = &operation.access else {
            continue;
        };
        if let Some(first) = writes.insert(value, second) {
            return Err(NotLinearizable::DuplicateValue { first, second });
        }
    }
    Ok(writes)
}

fn source_of<V: Ord>(
    value: Option<&V>,
    read: usize,
    writes: &BTreeMap<&V, usize>,
) -> Result<Source, NotLinearizable> {
    match value {
        None => Ok(Source::InitialValue),
        Some(value) => writes
            .get(value)
            .map(|&write| Source::Write(write))
            .ok_or(NotLinearizable::ReadOfUnwritten { read }),
    }
}

/// Condition 2. The zones are sorted by their start, so if any two overlap then two
/// neighbours do.
fn forward_zones_are_apart(forward: &[Zone]) -> Result<(), NotLinearizable> {
    for (first, second) in forward.iter().zip(forward.iter().skip(1)) {
        if second.precedes(first) {
            return Err(NotLinearizable::ContradictoryReads {
                first_read: first.last,
                first: first.source,
                second_read: second.last,
                second: second.source,
            });
        }
    }
    Ok(())
}

/// Condition 3. The forward zones are sorted and apart, so only the last one that
/// starts before a backward zone can contain it.
fn backward_zones_are_outside(backward: &[Zone], forward: &[Zone]) -> Result<(), NotLinearizable> {
    for new in backward {
        let started = forward.partition_point(|old| old.precedes(new));
        if let Some(old) = forward[..started].last()
            && new.precedes(old)
        {
            return Err(NotLinearizable::StaleRead {
                read: old.last,
                old: old.source,
                new: new.source,
            });
        }
    }
    Ok(())
}
