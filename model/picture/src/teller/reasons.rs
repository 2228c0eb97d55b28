//! Why a guarantee breaks: which facts, and which steps made them.

use std::collections::BTreeSet;
use std::iter;

use steadfast_guarantees::linearizability::{NotLinearizable, Source};
use steadfast_guarantees::{
    ClusterView, GuaranteeId, NodeView, OperationId, OperationKind, Status,
};
use steadfast_node::ContentCopy;
use steadfast_protocol::{Change, Entry, Intent, NodeId, Record};

use super::Teller;
use crate::{Scene, words};

/// A reason, and the steps that made its facts.
pub(super) struct Reason {
    pub words: String,
    pub steps: BTreeSet<usize>,
}

impl Reason {
    fn new(words: String, steps: impl IntoIterator<Item = Option<usize>>) -> Reason {
        Reason { words, steps: steps.into_iter().flatten().collect() }
    }
}

/// The cluster around a step.
#[derive(Clone, Copy)]
struct Around<'a> {
    number: usize,
    before: &'a dyn ClusterView,
    after: &'a dyn ClusterView,
}

impl Teller {
    /// The facts that break a guarantee at a step. Where none of those known here is found, the
    /// reason says what is promised and names the step.
    pub(super) fn reason(
        &mut self,
        id: GuaranteeId,
        number: usize,
        before: &dyn Scene,
        after: &dyn Scene,
    ) -> Reason {
        let around = Around { number, before: before.cluster(), after: after.cluster() };
        let found = match id {
            GuaranteeId::AckedWritesSurvive => self.lost_write(around),
            GuaranteeId::ReplicasConverge => self.divergence(around),
            GuaranteeId::LogBeforeApply => self.unlogged(around),
            GuaranteeId::OneLeaderPerEpoch => self.two_leaders(around),
            GuaranteeId::Linearizable => self.contradiction(around),
            GuaranteeId::VersionsNeverGoBack => self.going_back(around),
            GuaranteeId::EffectBeatsCause => self.beaten_effect(around),
            GuaranteeId::NoGaps => self.gap(around),
            GuaranteeId::DeposedLeadersDoNotOverrule => self.overruling(around),
            GuaranteeId::ContentIsExact => self.bad_content(around),
            GuaranteeId::NothingFromNowhere => self.unasked(around),
            GuaranteeId::Settles => self.unsettled(around),
            GuaranteeId::ClientsInOrder => None,
        };
        found.unwrap_or_else(|| {
            let promise = id.guarantee().promise();
            Reason::new(format!("step {number} breaks its promise: {promise}"), [Some(number)])
        })
    }

    /// "n0#1 a="v0", acknowledged at step 9", and the steps of both.
    fn acknowledged(
        &self,
        entry: &Entry,
        cluster: &dyn ClusterView,
    ) -> (String, [Option<usize>; 2]) {
        let made = self.logged(entry.dot.origin, entry);
        let told = cluster.history().operations().iter();
        let place = told.into_iter().position(|it| it.request == entry.request);
        let heard = place.and_then(|it| self.story.operations[it].ended);
        let mut text = words::entry(entry);
        if let Some(made) = made {
            text += &format!(" (logged at step {made})");
        }
        match heard {
            Some(heard) => text += &format!(", acknowledged at step {heard},"),
            None => text += ", acknowledged,",
        }
        (text, [made, heard])
    }

    fn logged(&self, node: NodeId, entry: &Entry) -> Option<usize> {
        self.trail.logged.get(&(node, entry.dot)).copied()
    }

    fn lost_write(&self, around: Around<'_>) -> Option<Reason> {
        let cluster = around.after;
        let wanted = cluster.settings().write();
        if let Some(reason) = self.read_of_few_copies(around) {
            return Some(reason);
        }
        for (entry, _) in cluster.history().acknowledged() {
            let holders: Vec<NodeId> = cluster
                .nodes()
                .map(|it| it.0)
                .filter(|it| cluster.has_synced(*it, entry))
                .collect();
            let (text, steps) = self.acknowledged(entry, cluster);
            if holders.len() < wanted {
                let words = format!(
                    "{text} is synced on {} of the {wanted} nodes that W demands{}",
                    holders.len(),
                    listed(&holders)
                );
                return Some(Reason::new(words, steps.into_iter().chain([Some(around.number)])));
            }
            let misses = |node: &NodeView<'_>| {
                let heads = node.replica.map_or(&[][..], |it| it.files().heads(&entry.path));
                !heads.iter().any(|it| it.dot == entry.dot) && !is_replaced(entry, node, cluster)
            };
            let is_settled = cluster.is_settled() && cluster.has_leader();
            let is_hidden = |node: &NodeView<'_>| {
                let visible = node.replica.and_then(|it| it.files().visible(&entry.path));
                cluster.settings().is_consistent() && visible.is_some_and(|it| it.dot != entry.dot)
            };
            let mut nodes = cluster.nodes().filter(|_| is_settled);
            if let Some((id, _)) = nodes.find(|(_, it)| !misses(it) && is_hidden(it)) {
                let words = format!(
                    "the cluster has settled, and {id} lists {text} as a conflict only, which no \
                     client asked for"
                );
                return Some(Reason::new(words, steps.into_iter().chain([Some(around.number)])));
            }
            if let Some((id, _)) = cluster.nodes().find(|(_, node)| misses(node)) {
                let words = format!(
                    "the cluster has settled, and {id} shows {text} neither as visible nor as a \
                     conflict, although no write that it holds named it"
                );
                return Some(Reason::new(words, steps.into_iter().chain([Some(around.number)])));
            }
        }
        None
    }

    /// A read that was answered in this step with a version that fewer than W nodes have synced.
    fn read_of_few_copies(&self, around: Around<'_>) -> Option<Reason> {
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

    fn divergence(&self, around: Around<'_>) -> Option<Reason> {
        let mut replicas = around.after.replicas();
        let first = replicas.next()?;
        let other = replicas
            .find(|it| it.files() != first.files() || it.synced_vv() != first.synced_vv())?;
        let path = other.files().changed_since(first.files()).into_iter().next();
        let words = match &path {
            Some(path) => {
                let shows = |heads: &[Entry]| {
                    let versions: Vec<String> = heads.iter().map(words::version).collect();
                    words::versions(&versions)
                };
                format!(
                    "the cluster has settled, and for {} {} shows {} while {} shows {}",
                    words::path(path),
                    first.id(),
                    shows(first.files().heads(path)),
                    other.id(),
                    shows(other.files().heads(path))
                )
            }
            None => format!(
                "the cluster has settled, and {} holds {} while {} holds {}",
                first.id(),
                first.synced_vv(),
                other.id(),
                other.synced_vv()
            ),
        };
        let heads = path
            .iter()
            .flat_map(|it| first.files().heads(it).iter().chain(other.files().heads(it)));
        let made: Vec<Option<usize>> = heads.map(|it| self.logged(it.dot.origin, it)).collect();
        Some(Reason::new(words, made.into_iter().chain([Some(around.number)])))
    }

    fn unlogged(&self, around: Around<'_>) -> Option<Reason> {
        around.after.nodes().find_map(|(id, node)| {
            let (shown, replayed) =
                (node.replica?.files(), node.replayed(around.after.decisions()));
            let path = shown.changed_since(&replayed).into_iter().next()?;
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

    fn two_leaders(&self, around: Around<'_>) -> Option<Reason> {
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

    fn contradiction(&mut self, around: Around<'_>) -> Option<Reason> {
        let late = self.late_answer(around);
        self.not_linearizable(around).or(late)
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

    fn going_back(&self, around: Around<'_>) -> Option<Reason> {
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

    fn beaten_effect(&self, around: Around<'_>) -> Option<Reason> {
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

    fn gap(&self, around: Around<'_>) -> Option<Reason> {
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
                let is_gap = namesake.is_some() || !is_closed(&new);
                let steps = [with, self.logged(entry.dot.origin, entry), Some(around.number)];
                is_gap.then(|| Reason::new(words, steps))
            })
        })
    }

    fn overruling(&self, around: Around<'_>) -> Option<Reason> {
        let history = around.after.history();
        around.after.nodes().find_map(|(id, node)| {
            let shown = node.shown(around.after.decisions());
            let visible = shown.iter().filter_map(|(_, heads)| heads.first());
            let mut overruling = visible.filter(|it| !history.is_acknowledged(it)).filter_map(|it| {
                let epoch = history.epoch_of(it)?;
                let (acked, newer) = history.acknowledged().find(|(acked, newer)| {
                    acked.path == it.path
                        && *newer > epoch
                        && node.synced_entries().any(|held| held.dot == acked.dot)
                })?;
                let (text, [made, heard]) = self.acknowledged(acked, around.after);
                let words = format!(
                    "{id} shows {} of epoch {epoch}, which nobody acknowledged, over {text} of the \
                     newer epoch {newer}",
                    words::entry(it)
                );
                Some(Reason::new(words, [self.logged(id, it), made, heard, Some(around.number)]))
            });
            overruling.next().or_else(|| self.broken_promise(id, &node, around))
        })
    }

    fn broken_promise(
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

    fn bad_content(&self, around: Around<'_>) -> Option<Reason> {
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

    fn unasked(&self, around: Around<'_>) -> Option<Reason> {
        let history = around.after.history();
        let again = around.after.nodes().find_map(|(id, new)| {
            let fresh = fresh(&around.before.node(id), &new);
            fresh.into_iter().filter(|it| it.dot.origin == id).find_map(|entry| {
                let is_same = |it: &&Entry| it.request == entry.request && it.dot != entry.dot;
                let first = new.entries().find(is_same)?;
                let words = format!(
                    "{id} wrote {} for a request that {} had been written for",
                    words::entry(entry),
                    words::entry(first)
                );
                Some(Reason::new(words, [self.logged(id, first), Some(around.number)]))
            })
        });
        again.or_else(|| {
            around.after.replicas().find_map(|replica| {
                let mut visible = replica.files().iter().filter_map(|(_, heads)| heads.first());
                let wrong = |entry: &Entry| match history.operation(entry.request) {
                    None => Some("nobody asked for it"),
                    Some(it) if it.status == Status::Refused => {
                        Some("its client was told that it is refused")
                    }
                    Some(it) if it.path != entry.path => Some("its client asked for another path"),
                    Some(it) => match &it.kind {
                        OperationKind::Write { intent: Intent::Put(content), .. } => {
                            let is_it = entry.change == Change::Put(content.clone());
                            (!is_it).then_some("its client put something else")
                        }
                        OperationKind::Write { .. } => None,
                        OperationKind::Read { .. } => Some("its client read and did not write"),
                    },
                };
                let (entry, why) = visible.find_map(|it| Some((it, wrong(it)?)))?;
                let words = format!("{} shows {}, but {why}", replica.id(), words::entry(entry));
                Some(Reason::new(words, [self.logged(replica.id(), entry), Some(around.number)]))
            })
        })
    }

    fn unsettled(&self, around: Around<'_>) -> Option<Reason> {
        let cluster = around.after;
        let leaders: Vec<NodeId> =
            cluster.replicas().filter(|it| it.leads()).map(|it| it.id()).collect();
        if leaders.len() > 1 {
            let words = format!(
                "nothing is left to happen, and {} nodes lead{}",
                leaders.len(),
                listed(&leaders)
            );
            return Some(Reason::new(words, [Some(around.number)]));
        }
        let busy = cluster.replicas().find(|it| !it.is_idle());
        if let Some(replica) = busy {
            let words = format!(
                "nothing is left to happen, but {} still waits for a message, a sync or a content",
                replica.id()
            );
            return Some(Reason::new(words, [Some(around.number)]));
        }
        if let Some(reason) = self.missing_content(around) {
            return Some(reason);
        }
        let open = self.story.operations.iter().find(|it| it.ended.is_none());
        let diverged = self.divergence(around);
        diverged.or_else(|| {
            let open = open?;
            let words = format!(
                "nothing is left to happen, but request {} ({}) has no answer",
                open.number, open.asked
            );
            Some(Reason::new(words, [Some(open.invoked), Some(around.number)]))
        })
    }
}

impl Teller {
    /// A node that shows a version whose content it cannot serve.
    fn missing_content(&self, around: Around<'_>) -> Option<Reason> {
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

fn is_replaced(entry: &Entry, node: &NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    node.entries().any(|it| cluster.history().names(it, entry.dot))
}

/// The entries that a node logged in a step.
fn fresh<'a>(before: &NodeView<'a>, after: &NodeView<'a>) -> Vec<&'a Entry> {
    let fresh = after.records.get(before.records.len()..).unwrap_or_default();
    let entries = fresh.iter().filter_map(|it| match it {
        Record::Entry(entry) => Some(entry),
        _ => None,
    });
    entries.collect()
}

/// Whether a log holds a prefix per origin, and the context of each entry before it.
fn is_closed(node: &NodeView<'_>) -> bool {
    let mut held = steadfast_protocol::VersionVector::default();
    node.entries().all(|entry| {
        let follows = entry.dot.sequence == held.sequence(entry.dot.origin).next();
        let is_closed = follows && held.includes(&entry.context);
        held.insert(entry.dot);
        is_closed
    })
}

fn listed(nodes: &[NodeId]) -> String {
    let names: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) }
}

fn at_steps(steps: &[Option<usize>]) -> String {
    let steps: Vec<String> = steps.iter().flatten().map(usize::to_string).collect();
    if steps.is_empty() { String::new() } else { format!(" (steps {})", steps.join(" and ")) }
}
