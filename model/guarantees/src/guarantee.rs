//! The twelve guarantees.

mod acked_writes_survive;
mod content_is_exact;
mod deposed_leaders_do_not_overrule;
mod effect_beats_cause;
mod linearizable;
mod log_before_apply;
mod no_gaps;
mod nothing_from_nowhere;
mod one_leader_per_epoch;
mod replicas_converge;
mod settles;
mod versions_never_go_back;

use std::fmt;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{NodeId, Settings};

use crate::ClusterView;

/// A promise that is judged in every state, at every step, or both.
pub trait Guarantee: Sync {
    /// Which one.
    fn id(&self) -> GuaranteeId;

    /// What is promised, in one sentence.
    fn promise(&self) -> &'static str;

    /// Whether it is promised with these settings.
    fn is_promised(&self, settings: Settings) -> bool {
        let _ = settings;
        true
    }

    /// Whether it is promised also after a log has lost synced records.
    fn outlives_rollback(&self) -> bool {
        false
    }

    /// Whether a state keeps it.
    fn state(&self, cluster: &dyn ClusterView) -> bool {
        let _ = cluster;
        true
    }

    /// Whether a step in which `node` changed keeps it.
    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let _ = (before, after, node);
        true
    }
}

/// The name of a guarantee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum GuaranteeId {
    /// G1
    AckedWritesSurvive,
    /// G2
    ReplicasConverge,
    /// G3
    LogBeforeApply,
    /// G4
    OneLeaderPerEpoch,
    /// G5
    Linearizable,
    /// G6
    VersionsNeverGoBack,
    /// G7
    EffectBeatsCause,
    /// G8
    NoGaps,
    /// G9
    DeposedLeadersDoNotOverrule,
    /// G10
    ContentIsExact,
    /// G11
    NothingFromNowhere,
    /// G12
    Settles,
}

const NAMES: [(&str, &str); 12] = [
    ("G1", "acked-writes-survive"),
    ("G2", "replicas-converge"),
    ("G3", "log-before-apply"),
    ("G4", "one-leader-per-epoch"),
    ("G5", "linearizable"),
    ("G6", "versions-never-go-back"),
    ("G7", "effect-beats-cause"),
    ("G8", "no-gaps"),
    ("G9", "deposed-leaders-do-not-overrule"),
    ("G10", "content-is-exact"),
    ("G11", "nothing-from-nowhere"),
    ("G12", "settles"),
];

impl GuaranteeId {
    /// The short id that README, code and reports use.
    #[must_use]
    pub fn short(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// The guarantee itself.
    #[must_use]
    pub fn guarantee(self) -> &'static dyn Guarantee {
        GUARANTEES[self as usize]
    }
}

impl fmt::Display for GuaranteeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.short(), self.name())
    }
}

/// A set of guarantees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuaranteeSet(u16);

impl GuaranteeSet {
    /// Adds one.
    pub fn insert(&mut self, guarantee: GuaranteeId) {
        self.0 |= 1 << guarantee as u16;
    }

    /// Whether it is a member.
    #[must_use]
    pub fn contains(self, guarantee: GuaranteeId) -> bool {
        self.0 & (1 << guarantee as u16) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in order.
    pub fn iter(self) -> impl Iterator<Item = GuaranteeId> {
        GUARANTEES.iter().map(|it| it.id()).filter(move |it| self.contains(*it))
    }
}

/// All guarantees, in the order of their ids.
pub static GUARANTEES: [&dyn Guarantee; 12] = [
    &acked_writes_survive::AckedWritesSurvive,
    &replicas_converge::ReplicasConverge,
    &log_before_apply::LogBeforeApply,
    &one_leader_per_epoch::OneLeaderPerEpoch,
    &linearizable::Linearizable,
    &versions_never_go_back::VersionsNeverGoBack,
    &effect_beats_cause::EffectBeatsCause,
    &no_gaps::NoGaps,
    &deposed_leaders_do_not_overrule::DeposedLeadersDoNotOverrule,
    &content_is_exact::ContentIsExact,
    &nothing_from_nowhere::NothingFromNowhere,
    &settles::Settles,
];

/// Whether a guarantee holds in a state: no step so far broke it, and the state keeps it.
#[must_use]
pub fn holds(guarantee: GuaranteeId, cluster: &dyn ClusterView) -> bool {
    let is_kept =
        || is_void(guarantee.guarantee(), cluster) || guarantee.guarantee().state(cluster);
    !cluster.history().broken().contains(guarantee) && is_kept()
}

/// Whether a guarantee is not promised any more, because a log has lost synced records.
fn is_void(guarantee: &dyn Guarantee, cluster: &dyn ClusterView) -> bool {
    !cluster.history().rolled_back().is_empty() && !guarantee.outlives_rollback()
}

/// The guarantees that a step in which `node` changed breaks. The driver notes them in its
/// history.
#[must_use]
pub fn broken_by_step(
    before: &dyn ClusterView,
    after: &dyn ClusterView,
    node: NodeId,
) -> GuaranteeSet {
    let mut broken = GuaranteeSet::default();
    for guarantee in GUARANTEES {
        if !is_void(guarantee, after) && !guarantee.step(before, after, node) {
            broken.insert(guarantee.id());
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guarantee_stands_in_the_place_of_its_id() {
        for (at, guarantee) in GUARANTEES.iter().enumerate() {
            assert_eq!(guarantee.id() as usize, at);
            assert_eq!(guarantee.id().short(), format!("G{}", at + 1));
        }
    }
}
