//! Reasons about the promises to readers.

use std::iter;

use steadfast_guarantees::linearizability::{NotLinearizable, Source};
use steadfast_guarantees::{OperationId, OperationKind};
use steadfast_protocol::{Entry, NodeId};

use super::{Around, Reason, listed};
use crate::teller::Teller;
use crate::words;

impl Teller {
    /// A read that was answered in this step with a version that fewer than W nodes have synced.
    pub(super) fn read_of_few_copies(&self, around: Around<'_>) -> Option<Reason> {
        let (cluster, wanted) = (around.after, around.after.settings().write());
        let done = cluster.history().answered_since(around.before.history());
        done.filter_map(|(it, _)| match &it.kind {
            OperationKind::Read { version: Some(version) } => Some((it, version)),
            _ => None,
        })
        .find_map(|(read, version)| {
            let nodes = cluster.nodes().map(|it| it.0);
            let holders: Vec<NodeId> =
                nodes.filter(|it| cluster.has_synced(*it, version)).collect();
            let words = format!(
                "a read at {} returned {}, which is synced on {} of the {wanted} nodes that W demands{}",
                read.node,
                words::entry(version),
                holders.len(),
                listed(&holders)
            );
            let steps = [self.logged(version.dot.origin, version), Some(around.number)];
            (holders.len() < wanted).then(|| Reason::new(words, steps))
        })
    }

    pub(super) fn contradiction(&mut self, around: Around<'_>) -> Option<Reason> {
        let late = self.late_answer(around);
        self.not_linearizable(around).or(late).or_else(|| self.unexplained_refusal(around))
    }

    /// A read that was answered in this step by a leader of a lower epoch than one known before.
    fn late_answer(&self, around: Around<'_>) -> Option<Reason> {
        let history = around.after.history();
        history.answered_since(around.before.history()).find_map(|(read, known)| {
            let leader = around.after.node(read.node).replica?;
            let (node, epoch) = (read.node, leader.promise());
            let at = history.leaders().iter().rfind(|it| it.0 == known)?.1;
            let words = format!(
                "{node} answered a read as the leader of epoch {epoch}, although {at} had led the \
                 newer epoch {known} when the read began"
            );
            let led = self.trail.led.get(&(known, at)).copied();
            let is_late = matches!(read.kind, OperationKind::Read { .. }) && epoch < known;
            is_late.then(|| Reason::new(words, [led, Some(around.number)]))
        })
    }

    fn not_linearizable(&mut self, around: Around<'_>) -> Option<Reason> {
        let history = around.after.history();
        let ended = self.story.operations.iter().filter(|it| it.ended == Some(around.number));
        let ended: Vec<OperationId> = ended.map(|it| it.number).collect();
        let requests = ended.iter().filter_map(|it| history.operations().get(*it));
        let (ids, why) = requests.map(|it| it.request).find_map(|it| history.contradiction(it))?;
        let (words, places) = self.contradiction_in_words(&ids, why);
        let mut steps = vec![Some(around.number)];
        for at in places {
            let operation = &mut self.story.operations[ids[at]];
            operation.contradicts = true;
            steps.extend([Some(operation.invoked), operation.ended]);
        }
        Some(Reason::new(words, steps))
    }

    /// The contradiction, and which of the judged operations it names.
    fn contradiction_in_words(
        &self,
        ids: &[OperationId],
        why: NotLinearizable,
    ) -> (String, Vec<usize>) {
        let name = |at: usize| {
            let it = &self.story.operations[ids[at]];
            let steps = match it.ended {
                Some(end) if end == it.invoked => format!("step {end}"),
                Some(end) => format!("steps {} to {end}", it.invoked),
                None => format!("step {}, not answered", it.invoked),
            };
            format!("request {} ({} at {}, {steps})", it.number, it.asked, it.node)
        };
        let source = |it: Source| match it {
            Source::InitialValue => "the initial value".to_owned(),
            Source::Write(at) => format!("the value of {}", name(at)),
        };
        let of = |it: Source| match it {
            Source::InitialValue => None,
            Source::Write(at) => Some(at),
        };
        match why {
            NotLinearizable::DuplicateValue { first, second } => (
                format!("{} and {} wrote the same value", name(first), name(second)),
                vec![first, second],
            ),
            NotLinearizable::ReadOfUnwritten { read } => {
                (format!("{} found a value that nobody wrote", name(read)), vec![read])
            }
            NotLinearizable::ReadBeforeWrite { read, write } => (
                format!("{} found the value of {} before that was asked", name(read), name(write)),
                vec![read, write],
            ),
            NotLinearizable::StaleRead { read, old, new } => (
                format!(
                    "{} found {}, although {} had replaced that before the read was asked",
                    name(read),
                    source(old),
                    source(new)
                ),
                iter::once(read).chain(of(old)).chain(of(new)).collect(),
            ),
            NotLinearizable::ContradictoryReads { first_read, first, second_read, second } => (
                format!(
                    "{} found {} after {} had been there, and {} found them the other way round",
                    name(first_read),
                    source(first),
                    source(second),
                    name(second_read)
                ),
                [first_read, second_read].into_iter().chain(of(first)).chain(of(second)).collect(),
            ),
        }
    }

    pub(super) fn going_back(&self, around: Around<'_>) -> Option<Reason> {
        self.unshown_answer(around).or_else(|| self.older_version(around))
    }

    /// A stale read that was answered in this step with another version than its node shows.
    fn unshown_answer(&self, around: Around<'_>) -> Option<Reason> {
        let history = around.after.history();
        history.answered_since(around.before.history()).find_map(|(read, _)| {
            let OperationKind::StaleRead { version } = &read.kind else {
                return None;
            };
            let shown = around.after.node(read.node).replica?.files().visible(&read.path);
            let name = |it: Option<&Entry>| it.map_or("nothing".to_owned(), words::version);
            let words = format!(
                "a stale read at {} returned {}={}, but the node shows {}",
                read.node,
                words::path(&read.path),
                name(version.as_ref()),
                name(shown)
            );
            let logged = version.as_ref().and_then(|it| self.logged(read.node, it));
            let is_other = shown != version.as_ref();
            is_other.then(|| Reason::new(words, [logged, Some(around.number)]))
        })
    }

    /// A node that shows an older version than before.
    fn older_version(&self, around: Around<'_>) -> Option<Reason> {
        around.after.nodes().find_map(|(id, new)| {
            let was = around.before.node(id).shown(around.before.decisions());
            let is = new.shown(around.after.decisions());
            was.iter().find_map(|(path, heads)| {
                let old = heads.first()?;
                let new = is.visible(path);
                if new.is_some_and(|it| it.stamp >= old.stamp) {
                    return None;
                }
                let shows = new.map_or("nothing".to_owned(), words::version);
                let name = words::path(path);
                let words = format!(
                    "{id} showed {name}={} and now shows {shows}, which is older",
                    words::version(old)
                );
                let steps = [self.logged(id, old), new.and_then(|it| self.logged(id, it))];
                Some(Reason::new(words, steps.into_iter().chain([Some(around.number)])))
            })
        })
    }
}
