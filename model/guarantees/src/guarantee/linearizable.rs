//! G5 linearizable.

use steadfast_protocol::Settings;

use super::{Guarantee, GuaranteeId};

/// G5: the store behaves like one register per path (Herlihy and Wing, "Linearizability", ACM
/// TOPLAS 12(3), 1990). Judged by [`History::on_stepped`](crate::History) when a read or an
/// acknowledgement returns.
pub(super) struct Linearizable;

impl Guarantee for Linearizable {
    fn id(&self) -> GuaranteeId {
        GuaranteeId::Linearizable
    }

    fn promise(&self) -> &'static str {
        "reads and acknowledged writes are linearizable, when E+W>N"
    }

    fn is_promised(&self, settings: Settings) -> bool {
        settings.is_consistent()
    }
}
