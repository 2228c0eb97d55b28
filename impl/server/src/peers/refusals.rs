//! The reasons why no connection to a peer opens, each logged once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use steadfast_protocol::NodeId;
use steadfast_wire::Channel;

/// For each connection that does not open, the reason of the last attempt. Attempts follow each other every second,
/// and a peer that has halted or belongs to another cluster refuses them all.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<(NodeId, Channel), String>>);

impl Refusals {
    /// Notes why an attempt failed, and returns whether the one before did not fail or failed otherwise.
    pub(super) fn note(&self, peer: NodeId, channel: Channel, why: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.insert((peer, channel), why.to_owned());
        before.as_deref() != Some(why)
    }

    /// Notes that an attempt succeeded.
    pub(super) fn forget(&self, peer: NodeId, channel: Channel) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(peer, channel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_news_until_it_is_known_and_again_after_a_connection() {
        let refusals = Refusals::default();
        let (a, b) = (NodeId(0), NodeId(1));
        assert!(refusals.note(a, Channel::Log, "halted"));
        assert!(!refusals.note(a, Channel::Log, "halted"));
        assert!(refusals.note(a, Channel::Contents, "halted"));
        assert!(refusals.note(b, Channel::Log, "halted"));
        assert!(refusals.note(a, Channel::Log, "another cluster"));
        refusals.forget(a, Channel::Log);
        assert!(refusals.note(a, Channel::Log, "another cluster"));
        assert!(!refusals.note(b, Channel::Log, "halted"));
    }
}
