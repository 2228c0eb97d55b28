//! Reasons about the promises to clients: refusals, and the order of one client's requests.

use steadfast_guarantees::Observation;
use steadfast_protocol::RequestId;

use super::{Around, Reason, fresh};
use crate::teller::Teller;
use crate::words;

impl Teller {
    /// A refusal of this step that no order of the operations explains.
    pub(super) fn unexplained_refusal(&self, around: Around<'_>) -> Option<Reason> {
        let (cluster, history) = (around.after, around.after.history());
        let mut answered = history.answered_since(around.before.history());
        let (refused, _) = answered.find(|(it, _)| !history.explains_refusal(it))?;
        let path = words::path(&refused.path);
        let said = match refused.observed()? {
            Observation::Absent => format!("{path} does not exist"),
            Observation::Unknown(dot) => format!("{dot} is no known version of {path}"),
            Observation::Replaced(dot) => format!("{dot} is no current version of {path}"),
        };
        let newest = history.acknowledged().filter(|(it, _)| it.path == refused.path).last();
        let (write, steps) = newest.map(|(it, _)| self.acknowledged(it, cluster)).unzip();
        let known = write.map(|it| format!(": {it} was there")).unwrap_or_default();
        let words = format!(
            "{} told the client of request {} that {said}, which no order of the operations \
             explains{known}",
            refused.node, refused.request.number
        );
        let steps = steps.into_iter().flatten();
        Some(Reason::new(words, steps.chain([Some(around.number)])))
    }

    /// A late copy of a request that a node has written in this step.
    pub(super) fn late_copy(&self, around: Around<'_>) -> Option<Reason> {
        around.after.nodes().find_map(|(node, after)| {
            let made = fresh(&around.before.node(node), &after);
            made.into_iter().filter(|it| it.dot.origin == node).find_map(|late| {
                let is_later = |request: RequestId| {
                    request.client == late.request.client && request.number > late.request.number
                };
                let newer = after.entries().find(|it| is_later(it.request))?;
                let words = format!(
                    "{node} wrote {} for request {}, although it held {}, which request {} of the \
                     same client had written",
                    words::entry(late),
                    late.request.number,
                    words::entry(newer),
                    newer.request.number
                );
                Some(Reason::new(words, [self.logged(node, newer), Some(around.number)]))
            })
        })
    }
}
