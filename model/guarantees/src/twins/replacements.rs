//! The twins that make the new log of a lost disk, each with its wrong decision.

use steadfast_protocol::{Decisions, Fold, NodeId};

use super::{Twin, Variant};
use crate::GuaranteeId;

twins! {
    ReplacedWithoutPromise "replaced-without-promise"
    "the new log of a lost disk does not hold the highest promise of the other logs",
    DeposedLeadersDoNotOverrule in "replace" {
        fn replacement(&self, joined: Fold, _: NodeId) -> Fold {
            joined.without_promise()
        }
    }

    ReplacedWithoutOneLog "replaced-without-one-log"
    "the new log of a lost disk takes over nothing from the log of node 1",
    AckedWritesSurvive in "replace-three" {
        fn joins_log_of(&self, node: NodeId) -> bool {
            node != NodeId(1)
        }
    }

    ReplacedWithoutOwnEntries "replaced-without-own-entries"
    "the new log of a lost disk does not hold the entries that its node had made",
    NoGaps in "replace-alone" {
        fn replacement(&self, joined: Fold, node: NodeId) -> Fold {
            joined.without_entries_of(node)
        }
    }

    ReplacedWithoutRequests "replaced-without-requests"
    "the new log of a lost disk does not say which requests have entries",
    NothingFromNowhere in "replace-retries" {
        fn replacement(&self, joined: Fold, _: NodeId) -> Fold {
            joined.without_requests()
        }
    }
}
