//! G4 one-leader-per-epoch.

use super::{Guarantee, GuaranteeId};

/// G4: an epoch is led once, by one node. Judged by [`History::on_stepped`](crate::History) when
/// somebody begins to lead.
pub(super) struct OneLeaderPerEpoch;

impl Guarantee for OneLeaderPerEpoch {
    fn id(&self) -> GuaranteeId {
        GuaranteeId::OneLeaderPerEpoch
    }

    fn promise(&self) -> &'static str {
        "no epoch is ever led by two nodes, nor twice by one"
    }
}
