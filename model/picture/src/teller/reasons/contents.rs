//! Reasons about contents.

use steadfast_node::ContentCopy;

use super::{Around, Reason};
use crate::teller::Teller;
use crate::words;

impl Teller {
    pub(super) fn bad_content(&self, around: Around<'_>) -> Option<Reason> {
        around.after.replicas().find_map(|replica| {
            let mut heads = replica.files().iter().flat_map(|(_, heads)| heads);
            let bad = heads.find(|it| {
                let served = it.change.named().map(|it| around.after.served(replica.id(), it));
                served == Some(ContentCopy::Wrong)
            })?;
            let (id, text) = (replica.id(), words::entry(bad));
            let words =
                format!("{id} serves {text} from a copy whose bytes are not those of its name");
            Some(Reason::new(words, [self.logged(id, bad), Some(around.number)]))
        })
    }

    /// A node that shows a version whose content it cannot serve.
    pub(super) fn missing_content(&self, around: Around<'_>) -> Option<Reason> {
        around.after.replicas().find_map(|replica| {
            let id = replica.id();
            let mut heads = replica.files().iter().flat_map(|(_, heads)| heads);
            let (entry, copy) = heads.find_map(|it| {
                let copy = around.after.copy(id, it.change.named()?);
                (copy != ContentCopy::Exact).then_some((it, copy))
            })?;
            let state = if copy == ContentCopy::Wrong { "a bad copy" } else { "no copy" };
            let text = words::entry(entry);
            let words =
                format!("nothing is left to happen, and {id} shows {text} with {state} of it");
            Some(Reason::new(words, [self.logged(id, entry), Some(around.number)]))
        })
    }
}
