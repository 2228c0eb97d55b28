//! The guarantees.

mod acked_writes_survive;
mod clients_in_order;
mod content_is_exact;
mod deposed_leaders_do_not_overrule;
mod effect_beats_cause;
mod linearizable;
mod log_before_apply;
mod no_gaps;
mod nothing_from_nowhere;
mod one_leader_per_epoch;
mod own;
mod replicas_converge;
mod settles;
mod versions_never_go_back;

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{NodeId, Settings};

use crate::ClusterView;

pub use own::{AddError, OwnGuarantee, add_guarantees};
pub use settles::{Continuation, SupportedLeader, timeouts_needed};

/// The code that judges one guarantee: in every state, at every step, or both.
trait Judge: Sync {
    /// The promise, in one sentence.
    fn promise(&self) -> &'static str;

    /// The guarantee that a program has added, if it is judged here.
    fn own(&self) -> Option<&'static OwnGuarantee> {
        None
    }

    /// Whether the promise is made for these settings.
    fn is_promised(&self, settings: Settings) -> bool {
        let _ = settings;
        true
    }

    /// Whether the promise also holds after a log has lost synced records.
    fn outlives_rollback(&self) -> bool {
        false
    }

    /// Whether a state keeps the promise.
    fn state(&self, cluster: &dyn ClusterView) -> bool {
        let _ = cluster;
        true
    }

    /// Whether a step in which `node` changed keeps the promise.
    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let _ = (before, after, node);
        true
    }
}

/// Declares [`GuaranteeId`], `GUARANTEES` and [`each_guarantee!`](crate::each_guarantee) from one line
/// per guarantee: its short id, its name, its variant, and its judge. The last lines are places for
/// guarantees that a program adds.
macro_rules! guarantees {
    ($dollar:tt $($short:literal $name:literal $guarantee:ident $judge:expr;)*) => {
        /// The name of a guarantee. `Own1` is the first one that a program adds (see [`add_guarantees`]).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum GuaranteeId {
            $(#[doc = $short] $guarantee,)*
        }

        /// The shipped guarantees, in the order of their ids, and the places for those of a program.
        static GUARANTEES: [&Guarantee; [$($short),*].len()] = [$(&Guarantee {
            id: GuaranteeId::$guarantee,
            short: $short,
            name: $name,
            judge: &$judge,
        }),*];

        /// Calls a macro with the variants of [`GuaranteeId`]($crate::GuaranteeId) in their order, for
        /// code that must be generated for each of them.
        #[macro_export]
        macro_rules! each_guarantee {
            ($dollar callback:ident) => { $dollar callback!($($guarantee),*) };
        }
    };
}

guarantees! { $
    "G1" "acked-writes-survive" AckedWritesSurvive acked_writes_survive::AckedWritesSurvive;
    "G2" "replicas-converge" ReplicasConverge replicas_converge::ReplicasConverge;
    "G3" "log-before-apply" LogBeforeApply log_before_apply::LogBeforeApply;
    "G4" "one-leader-per-epoch" OneLeaderPerEpoch one_leader_per_epoch::OneLeaderPerEpoch;
    "G5" "linearizable" Linearizable linearizable::Linearizable;
    "G6" "versions-never-go-back" VersionsNeverGoBack versions_never_go_back::VersionsNeverGoBack;
    "G7" "effect-beats-cause" EffectBeatsCause effect_beats_cause::EffectBeatsCause;
    "G8" "no-gaps" NoGaps no_gaps::NoGaps;
    "G9" "deposed-leaders-do-not-overrule" DeposedLeadersDoNotOverrule
        deposed_leaders_do_not_overrule::DeposedLeadersDoNotOverrule;
    "G10" "content-is-exact" ContentIsExact content_is_exact::ContentIsExact;
    "G11" "nothing-from-nowhere" NothingFromNowhere nothing_from_nowhere::NothingFromNowhere;
    "G12" "settles" Settles settles::Settles;
    "G13" "clients-in-order" ClientsInOrder clients_in_order::ClientsInOrder;
    "own-1" "own-1" Own1 own::Own(0);
    "own-2" "own-2" Own2 own::Own(1);
    "own-3" "own-3" Own3 own::Own(2);
    "own-4" "own-4" Own4 own::Own(3);
}

/// How many guarantees are shipped.
const SHIPPED: usize = 13;

/// All guarantees: the shipped ones, G1 to G13, and behind them those that [`add_guarantees`] added.
#[must_use]
pub fn guarantees() -> &'static [&'static Guarantee] {
    &GUARANTEES[..SHIPPED + own::added().len()]
}

/// A guarantee, with its names and its judge.
pub struct Guarantee {
    id: GuaranteeId,
    short: &'static str,
    name: &'static str,
    judge: &'static dyn Judge,
}

impl Guarantee {
    /// The id.
    #[must_use]
    pub fn id(&self) -> GuaranteeId {
        self.id
    }

    /// The promise, in one sentence.
    #[must_use]
    pub fn promise(&self) -> &'static str {
        self.judge.promise()
    }

    /// Whether a program added it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.judge.own().is_some()
    }

    /// Whether the promise is made for these settings.
    #[must_use]
    pub fn is_promised(&self, settings: Settings) -> bool {
        self.judge.is_promised(settings)
    }

    /// Whether the promise no longer holds, because a log has lost synced records.
    fn is_void(&self, cluster: &dyn ClusterView) -> bool {
        !cluster.rolled_back().is_empty() && !self.judge.outlives_rollback()
    }
}

impl GuaranteeId {
    /// The short id that README, code and reports use.
    #[must_use]
    pub fn short(self) -> &'static str {
        let guarantee = self.guarantee();
        guarantee.judge.own().map_or(guarantee.short, |it| it.short)
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let guarantee = self.guarantee();
        guarantee.judge.own().map_or(guarantee.name, |it| it.name)
    }

    /// The guarantee itself.
    #[must_use]
    pub fn guarantee(self) -> &'static Guarantee {
        GUARANTEES[self as usize]
    }
}

impl fmt::Display for GuaranteeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.short(), self.name())
    }
}

/// A set of guarantees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GuaranteeSet(u32);

impl GuaranteeSet {
    /// Adds a guarantee.
    pub fn insert(&mut self, guarantee: GuaranteeId) {
        self.0 |= 1 << guarantee as u32;
    }

    /// Whether the guarantee is a member.
    #[must_use]
    pub fn contains(self, guarantee: GuaranteeId) -> bool {
        self.0 & (1 << guarantee as u32) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in order.
    pub fn iter(self) -> impl Iterator<Item = GuaranteeId> {
        guarantees().iter().map(|it| it.id()).filter(move |it| self.contains(*it))
    }
}

/// Whether a guarantee holds in a state: no step so far broke it, and the state keeps it.
#[must_use]
pub fn holds(guarantee: GuaranteeId, cluster: &dyn ClusterView) -> bool {
    let guarantee = guarantee.guarantee();
    let is_kept = || guarantee.is_void(cluster) || guarantee.judge.state(cluster);
    !cluster.broken().contains(guarantee.id) && is_kept()
}

/// Whether a step in which `node` changed keeps a guarantee.
#[must_use]
pub fn keeps(
    guarantee: GuaranteeId,
    before: &dyn ClusterView,
    after: &dyn ClusterView,
    node: NodeId,
) -> bool {
    let guarantee = guarantee.guarantee();
    guarantee.is_void(after) || guarantee.judge.step(before, after, node)
}

/// The guarantees that a step breaks in which `node` changed. The driver records them in its history.
#[must_use]
pub fn broken_by_step(
    before: &dyn ClusterView,
    after: &dyn ClusterView,
    node: NodeId,
) -> GuaranteeSet {
    let mut broken = GuaranteeSet::default();
    for guarantee in guarantees() {
        if !keeps(guarantee.id, before, after, node) {
            broken.insert(guarantee.id);
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guarantees_are_numbered_from_one_without_a_gap() {
        for (at, guarantee) in guarantees().iter().enumerate() {
            assert_eq!(guarantee.id().short(), format!("G{}", at + 1));
        }
    }
}
