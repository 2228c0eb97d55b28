//! Reasons about logs and the files that they explain.

use steadfast_protocol::Entry;

use super::{Around, Reason, fresh};
use crate::teller::Teller;
use crate::words;

impl Teller {
    pub(super) fn unlogged(&self, around: Around<'_>) -> Option<Reason> {
        around.after.nodes().find_map(|(id, node)| {
            let replayed = node.replayed(around.after.decisions());
            let (shown, replayed) = (node.replica?.files(), replayed.files());
            let path = shown.changed_since(replayed).into_iter().next()?;
            let (shows, holds) = (shown.visible(&path), replayed.visible(&path));
            let version = |it: Option<&Entry>| it.map_or("nothing".to_owned(), words::version);
            let words = format!(
                "{id} shows {}={}, but the replay of its synced log gives {}",
                words::path(&path),
                version(shows),
                version(holds)
            );
            let logged = shows.and_then(|it| self.logged(id, it));
            Some(Reason::new(words, [logged, Some(around.number)]))
        })
    }

    pub(super) fn beaten_effect(&self, around: Around<'_>) -> Option<Reason> {
        around.after.nodes().find_map(|(id, new)| {
            let fresh = fresh(&around.before.node(id), &new);
            fresh.into_iter().find_map(|effect| {
                let seen = |it: &&Entry| effect.context.covers(it.dot) && it.stamp >= effect.stamp;
                let cause = new.entries().find(seen)?;
                let words = format!(
                    "{} had seen {}, but its stamp {} is not higher than {}",
                    words::entry(effect),
                    words::entry(cause),
                    effect.stamp,
                    cause.stamp
                );
                let steps = [self.logged(id, cause), self.logged(id, effect), Some(around.number)];
                Some(Reason::new(words, steps))
            })
        })
    }

    pub(super) fn gap(&self, around: Around<'_>) -> Option<Reason> {
        let cluster = around.after;
        cluster.nodes().find_map(|(id, new)| {
            let fresh = fresh(&around.before.node(id), &new);
            fresh.into_iter().find_map(|entry| {
                let others = cluster.nodes().flat_map(|(id, node)| {
                    node.entries().map(move |it| (id, it)).collect::<Vec<_>>()
                });
                let namesake = others.into_iter().find(|(_, it)| it.dot == entry.dot && *it != entry);
                let (words, with) = match namesake {
                    Some((other, it)) => (
                        format!(
                            "{} is the name of two entries: {} on {id} and {} on {other}",
                            entry.dot,
                            words::entry(entry),
                            words::entry(it)
                        ),
                        self.logged(other, it),
                    ),
                    None => (
                        format!(
                            "{id} logged {} without all that is before it or that its writer had seen ({})",
                            words::entry(entry),
                            entry.context
                        ),
                        None,
                    ),
                };
                let is_gap = namesake.is_some() || !new.is_prefix_closed();
                let steps = [with, self.logged(entry.dot.origin, entry), Some(around.number)];
                is_gap.then(|| Reason::new(words, steps))
            })
        })
    }
}
