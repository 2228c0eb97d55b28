//! Reasons about leaders and promises.

use steadfast_guarantees::NodeView;
use steadfast_protocol::{Entry, NodeId, Record};

use super::{Around, Reason, at_steps, listed};
use crate::teller::Teller;
use crate::words;

impl Teller {
    pub(super) fn two_leaders(&self, around: Around<'_>) -> Option<Reason> {
        let leaders = around.after.history().leaders();
        let Some(both) = leaders.windows(2).rfind(|it| it[0].0 == it[1].0) else {
            return self.unelected(around);
        };
        let step = |at: usize| self.trail.led.get(&both[at]).copied();
        let (epoch, one, other) = (both[0].0, both[0].1, both[1].1);
        let words = match one == other {
            true => format!("{one} began to lead epoch {epoch} a second time"),
            false => format!("both {one} and {other} led epoch {epoch}"),
        };
        Some(Reason::new(
            words + &at_steps(&[step(0), step(1)]),
            [step(0), step(1), Some(around.number)],
        ))
    }

    /// A node that began to lead in this step although fewer than E nodes have promised its epoch.
    fn unelected(&self, around: Around<'_>) -> Option<Reason> {
        let cluster = around.after;
        let led = around.before.history().leaders();
        let begun = cluster.history().leaders().iter().filter(|it| !led.contains(it));
        begun.copied().find_map(|(epoch, leader)| {
            let is_promised =
                |it: &NodeView<'_>| it.synced_records().contains(&Record::Promise(epoch));
            let nodes = cluster.nodes().filter(|(_, it)| is_promised(it));
            let voters: Vec<NodeId> = nodes.map(|it| it.0).collect();
            let wanted = cluster.settings().elect();
            let words = format!(
                "{leader} leads epoch {epoch}, which {} of the {wanted} nodes that E demands have \
                 promised{}",
                voters.len(),
                listed(&voters)
            );
            (voters.len() < wanted).then(|| Reason::new(words, [Some(around.number)]))
        })
    }

    pub(super) fn broken_promise(
        &self,
        id: NodeId,
        node: &NodeView<'_>,
        around: Around<'_>,
    ) -> Option<Reason> {
        let promises = node.records.iter().filter_map(|it| match it {
            Record::Promise(epoch) => Some(*epoch),
            _ => None,
        });
        let promise = promises.max().unwrap_or_default();
        let newer =
            |it: &&Entry| around.after.history().epoch_of(it).is_some_and(|it| it > promise);
        let entry = node.entries().find(newer)?;
        let words = format!(
            "{id} holds {} of a newer epoch than {promise}, the highest that it has promised",
            words::entry(entry)
        );
        Some(Reason::new(words, [self.logged(id, entry), Some(around.number)]))
    }
}
