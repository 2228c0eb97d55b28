//! Lineages: which start of a node made which of its entries. By them two nodes notice that they hold different entries
//! under the same dots, also when both have dropped these entries.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::{Dot, Incarnation, NODES_MAX, NodeId, VersionVector};

/// The spans that are kept of one origin. Nodes cannot compare entries from before the oldest of them. A
/// node that starts every hour, and makes an entry each time, needs six weeks for as many.
pub(crate) const SPANS_MAX: usize = 1_024;

/// For each origin, which of its incarnations made which entries.
///
/// An incarnation makes its entries one behind the other, and what its log held at its start never changes. A node logs
/// an entry only after it has compared the incarnations of those before it, which the context of the entry covers, and joins a
/// state only after it has compared each origin. So two nodes that hold entries up to the same dot, the last one
/// made by the same incarnation, hold the same entries of this origin up to this dot. If the incarnations differ, the
/// log of the origin was rolled back in between. Kafka compares the logs of its replicas in this way (KIP-101,
/// "Alter Replication Protocol to use Leader Epoch rather than High Watermark for Truncation"), and PostgreSQL its
/// timelines.
///
/// The size grows with the starts of nodes and not with their entries, so nodes keep it although they drop entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineages(
    /// By origin, then by first entry. The entries of an origin before its first span are of incarnation zero, unless
    /// its spans are as many as are kept.
    Vec<Span>,
);

/// Entries that one incarnation of a node made: up to the next span of the same origin, or all later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Span {
    /// The first of the entries.
    first: Dot,
    incarnation: Incarnation,
}

impl Lineages {
    /// The spans of an origin, oldest first.
    fn of(&self, origin: NodeId) -> &[Span] {
        let from = self.0.partition_point(|it| it.first.origin < origin);
        let count = self.0[from..].partition_point(|it| it.first.origin == origin);
        &self.0[from..from + count]
    }

    /// The incarnation that made an entry; `None` if its span has been forgotten.
    fn incarnation(&self, dot: Dot) -> Option<Incarnation> {
        let spans = self.of(dot.origin);
        match spans.partition_point(|it| it.first <= dot) {
            0 => (spans.len() < SPANS_MAX).then(Incarnation::default),
            count => Some(spans[count - 1].incarnation),
        }
    }

    /// Whether the next entry of an origin begins a span.
    pub(crate) fn begins_span(&self, dot: Dot, incarnation: Incarnation) -> bool {
        self.incarnation(dot) != Some(incarnation)
    }

    /// Adds the next entry of an origin.
    pub(crate) fn note(&mut self, dot: Dot, incarnation: Incarnation) {
        if !self.begins_span(dot, incarnation) {
            return;
        }
        let at = self.0.partition_point(|it| it.first <= dot);
        self.0.insert(at, Span { first: dot, incarnation });
        if self.of(dot.origin).len() > SPANS_MAX {
            self.0.remove(self.0.partition_point(|it| it.first.origin < dot.origin));
        }
    }

    /// Takes the lineage of an origin from a log that holds more of its entries.
    pub(crate) fn take(&mut self, origin: NodeId, other: &Lineages) {
        let from = self.0.partition_point(|it| it.first.origin < origin);
        let count = self.of(origin).len();
        self.0.splice(from..from + count, other.of(origin).iter().copied());
    }

    /// The digest of the entries that `vv` covers, in a log that holds all of them; `None` if the span of one has been
    /// forgotten.
    pub(crate) fn digest(&self, vv: &VersionVector) -> Option<Digest> {
        let mut newest = NodeId::all(NODES_MAX).filter_map(|it| vv.newest(it));
        newest.try_fold(Digest::default(), |sum, dot| {
            Some(sum.with(dot.origin, self.incarnation(dot)?))
        })
    }

    /// Whether a log of the entries of `vv` can have them.
    pub(crate) fn is_within(&self, vv: &VersionVector) -> bool {
        let in_order = self.0.is_sorted_by(|one, next| {
            let differ = one.incarnation != next.incarnation;
            one.first < next.first && (differ || one.first.origin != next.first.origin)
        });
        let are_few = || NodeId::all(NODES_MAX).all(|it| self.of(it).len() <= SPANS_MAX);
        let is_real = |it: &Span| it.first.sequence.0 > 0 && vv.covers(it.first);
        in_order && self.0.iter().all(is_real) && are_few()
    }
}

/// A 64-bit hash of the incarnations that made the newest entries of each origin up to a version vector. A
/// message carries it beside a vector: if another node holds the entries of the vector and has another digest, the
/// two hold different entries.
///
/// The hash is XXH3 over bytes that this module defines, because nodes built by different compilers must agree. It
/// detects accidents, not attacks: different incarnations have the same digest with probability 2^-64.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Digest(pub u64);

impl Digest {
    /// The digest with another origin. Incarnation zero changes nothing: entries from before there were incarnations
    /// have digest zero.
    fn with(self, origin: NodeId, incarnation: Incarnation) -> Digest {
        match incarnation.0 {
            0 => self,
            seed => Digest(self.0 ^ XxHash3_64::oneshot_with_seed(seed, &[origin.0])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequence;

    fn dot(origin: u8, sequence: u64) -> Dot {
        Dot { origin: NodeId(origin), sequence: Sequence(sequence) }
    }

    /// The lineages of these entries: origin, number, incarnation.
    fn lineages(entries: &[(u8, u64, u64)]) -> Lineages {
        let mut lineages = Lineages::default();
        for (origin, sequence, incarnation) in entries {
            lineages.note(dot(*origin, *sequence), Incarnation(*incarnation));
        }
        lineages
    }

    #[test]
    fn a_lineage_has_a_span_for_each_incarnation_that_made_entries() {
        let lineages =
            lineages(&[(1, 1, 0), (0, 1, 7), (1, 2, 8), (0, 2, 7), (1, 3, 8), (1, 4, 0)]);
        let spans: Vec<_> = lineages.0.iter().map(|it| (it.first, it.incarnation.0)).collect();
        assert_eq!(spans, [(dot(0, 1), 7), (dot(1, 2), 8), (dot(1, 4), 0)]);
        for (at, made_by) in [(1, 0), (2, 8), (3, 8), (4, 0), (9, 0)] {
            assert_eq!(lineages.incarnation(dot(1, at)), Some(Incarnation(made_by)), "{at}");
        }
    }

    #[test]
    fn the_digests_of_two_logs_differ_where_different_incarnations_made_the_entries() {
        let one = lineages(&[(0, 1, 7), (0, 2, 7), (1, 1, 9)]);
        let other = lineages(&[(0, 1, 7), (0, 2, 8), (1, 1, 9)]);
        let digests = |newest: &[Dot]| {
            let mut vv = VersionVector::default();
            newest.iter().for_each(|it| vv.insert(*it));
            [&one, &other].map(|it| it.digest(&vv).expect("no span is forgotten"))
        };
        for same in [vec![], vec![dot(0, 1)], vec![dot(1, 1)], vec![dot(0, 1), dot(1, 1)]] {
            let [one, other] = digests(&same);
            assert_eq!(one, other, "{same:?}");
        }
        for different in [vec![dot(0, 2)], vec![dot(0, 2), dot(1, 1)]] {
            let [one, other] = digests(&different);
            assert_ne!(one, other, "{different:?}");
        }
        // The same incarnation of another node is another one.
        assert_ne!(
            Digest(0).with(NodeId(0), Incarnation(7)),
            Digest(0).with(NodeId(1), Incarnation(7))
        );
        assert_eq!(Digest(3).with(NodeId(1), Incarnation(0)), Digest(3));
        assert_eq!(Digest(0).with(NodeId(1), Incarnation(7)), Digest(0xCD21_2F8D_D32F_D172));
    }

    #[test]
    fn the_oldest_spans_of_an_origin_give_way_and_their_entries_are_not_compared() {
        let kept = SPANS_MAX as u64;
        let entries: Vec<_> = (1..=kept + 2).map(|it| (1, it, it)).collect();
        let mut full = lineages(&[(0, 1, 5), (2, 1, 6)]);
        entries.iter().for_each(|it| full.note(dot(it.0, it.1), Incarnation(it.2)));
        assert_eq!(full.0.len(), SPANS_MAX + 2);
        let known = |at| full.incarnation(dot(1, at));
        assert_eq!(
            [1, 2, 3, 4].map(known),
            [None, None, Some(Incarnation(3)), Some(Incarnation(4))]
        );
        assert_eq!(full.digest(&VersionVector::up_to(dot(1, 2))), None);
        assert!(full.digest(&VersionVector::up_to(dot(1, 3))).is_some());
        assert!(full.digest(&VersionVector::up_to(dot(0, 1))).is_some());
    }

    #[test]
    fn the_lineage_of_one_origin_is_taken_whole() {
        let mut mine = lineages(&[(0, 1, 1), (1, 1, 2), (1, 5, 3), (2, 1, 4)]);
        let its = lineages(&[(0, 1, 9), (1, 1, 2), (1, 5, 3), (1, 8, 5)]);
        mine.take(NodeId(1), &its);
        assert_eq!(mine, lineages(&[(0, 1, 1), (1, 1, 2), (1, 5, 3), (1, 8, 5), (2, 1, 4)]));
        mine.take(NodeId(2), &its);
        assert_eq!(mine, lineages(&[(0, 1, 1), (1, 1, 2), (1, 5, 3), (1, 8, 5)]));
    }

    #[test]
    fn lineages_are_of_entries_that_a_vector_covers_in_order_and_not_too_many() {
        let vv = VersionVector::up_to(dot(1, 5));
        let span = |sequence, incarnation| Span {
            first: dot(1, sequence),
            incarnation: Incarnation(incarnation),
        };
        let is_within = |spans: &[Span]| Lineages(spans.to_vec()).is_within(&vv);
        assert!(is_within(&[]) && is_within(&[span(1, 7), span(5, 8)]));
        for wrong in [
            [span(5, 7), span(6, 8)],
            [span(0, 7), span(1, 8)],
            [span(2, 7), span(1, 8)],
            [span(1, 7), span(1, 8)],
            [span(1, 7), span(2, 7)],
            [span(1, 7), Span { first: dot(0, 1), ..span(1, 7) }],
            [span(1, 7), Span { first: dot(2, 1), ..span(1, 7) }],
        ] {
            assert!(!is_within(&wrong), "{wrong:?}");
        }
        let spans = |count: u64| Lineages((1..=count).map(|it| span(it, it)).collect());
        let vv = VersionVector::up_to(dot(1, 5_000));
        let most = SPANS_MAX as u64;
        assert!(spans(most).is_within(&vv) && !spans(most + 1).is_within(&vv));
    }
}
