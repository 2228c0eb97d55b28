//! A judgement of the paths and operations that each input touches finds the same as one of everything.

#[allow(dead_code, reason = "the other tests use the rest")]
mod common;

use std::collections::BTreeSet;

use common::{Cluster, N0, N1, N2, content, story_of};
use proptest::prelude::*;
use steadfast_conform::testing::conform_with;
use steadfast_conform::{Finding, Judged, Moment};
use steadfast_guarantees::twins::TWINS;
use steadfast_protocol::{
    Consistency, ContentId, Decisions, Fold, Input, Intent, Log, NodeId, Steadfast,
};

/// A verdict: the guarantee, the finding, and the place.
type Verdict = (&'static str, Finding, Option<Moment>);

/// The verdicts of both judgements on a run with these decisions, which must be the same.
fn verdicts(cluster: &Cluster, decisions: &'static dyn Decisions) -> [Vec<Verdict>; 2] {
    let replayed = |judges_all| conform_with(&cluster.directories(), decisions, judges_all);
    let [touched, whole] = [false, true].map(|it| replayed(it).expect("recordings"));
    assert_eq!((touched.counts, &touched.misfit), (whole.counts, &whole.misfit));
    // The order of all operations is judged at the end of a run, or after each answer.
    let place = |it: &Judged| if it.id == "G5" { None } else { it.at };
    let verdict = |it: &Judged| (it.id, it.finding, place(it));
    [touched, whole].map(|it| it.guarantees.iter().map(verdict).collect())
}

const NODES: [NodeId; 3] = [N0, N1, N2];

/// One thing that happens in a random run.
#[derive(Clone, Copy, Debug)]
struct Happening {
    kind: u8,
    node: usize,
    path: usize,
    number: u8,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = (0..20_u8, 0..3_usize, 0..3_usize, 1..4_u8);
    let happening =
        happening.prop_map(|(kind, node, path, number)| Happening { kind, node, path, number });
    prop::collection::vec(happening, 1..60)
}

/// A run of nodes with these decisions.
fn run(decisions: &'static dyn Decisions, happenings: &[Happening]) -> Cluster {
    let mut it = Cluster::start([decisions; 3]);
    it.settle();
    it.elect(N0);
    let mut down = [false; 3];
    for happening in happenings {
        let Happening { kind, node: at, path, number } = *happening;
        let (node, peer, path) = (NODES[at], NODES[(at + 1) % 3], ["a", "b", "c"][path]);
        match kind {
            _ if down[at] && kind < 18 => {
                down[at] = !it.begin(node);
                if down[at] {
                    continue;
                }
                for peer in NODES.into_iter().filter(|it| *it != node && !down[it.index()]) {
                    it.connect(node, peer);
                }
            }
            0..5 => drop(it.put(node, path, &number.to_string())),
            5 => drop(it.write(node, path, Intent::Delete)),
            6 | 7 => it.read(node, path, Consistency::Linearizable),
            8 => it.read(node, path, Consistency::Stale),
            9 => it.upload(node, path, content(number)),
            10 => it.rot(node, content(number), number % 2 == 0),
            11 => it.elect(node),
            12 => it.hear(node, Input::Tick),
            13 => it.disconnect(node, peer),
            14 if !down[peer.index()] => {
                it.disconnect(node, peer);
                it.connect(node, peer);
            }
            15 if number == 1 => it.trim(node),
            15 if number == 2 => it.begin_trim(node),
            15 => it.end_trim(node),
            16 => {
                it.kill(node);
                down[at] = true;
                it.lose(node, content(number));
            }
            _ => it.settle(),
        }
    }
    it.end();
    it
}

#[test]
fn both_judgements_agree_on_the_story_of_every_twin() {
    let mut broken = 0;
    for twin in TWINS {
        let decisions = twin.variant.decisions;
        let Some(story) = story_of([decisions; 3]) else { continue };
        let [touched, whole] = verdicts(&story, decisions);
        assert_eq!(touched, whole, "{}", twin.variant.name);
        broken += usize::from(whole.iter().any(|it| it.1 == Finding::Broken));
    }
    assert!(broken >= 5, "{broken} of {} twins break a guarantee", TWINS.len());
}

/// Nodes delete all contents at a trim.
struct KeepsNothing;

impl Decisions for KeepsNothing {
    fn keeps_content(&self, _: ContentId, _: (&Log, &Fold), _: &BTreeSet<ContentId>) -> bool {
        false
    }
}

#[test]
fn a_content_that_goes_is_judged_at_once() {
    let mut it = Cluster::start([&KeepsNothing as &'static dyn Decisions; 3]);
    it.settle();
    it.elect(N0);
    it.upload(N0, "a", content(1));
    it.settle();
    it.trim(N0);
    it.put(N0, "b", "another file");
    it.settle();
    it.end();
    let [touched, whole] = verdicts(&it, &KeepsNothing);
    assert_eq!(touched, whole);
    let broken = whole.iter().find(|it| it.0 == "G10");
    assert!(broken.is_some_and(|it| it.1 == Finding::Broken), "{broken:?}");
}

/// Nodes ask for no content that they lack when they start.
struct AsksForNothing;

impl Decisions for AsksForNothing {
    fn asks_after_recovery(&self) -> bool {
        false
    }
}

#[test]
fn a_content_that_is_lost_while_a_node_is_down_is_judged_at_its_start() {
    let mut it = Cluster::start([&AsksForNothing as &'static dyn Decisions; 3]);
    it.settle();
    it.elect(N0);
    it.upload(N0, "a", content(1));
    it.settle();
    it.kill(N1);
    it.lose(N1, content(1));
    assert!(it.begin(N1), "a good log");
    it.hear(N1, Input::Tick);
    it.end();
    let [touched, whole] = verdicts(&it, &AsksForNothing);
    assert_eq!(touched, whole);
    let broken = whole.iter().find(|it| it.0 == "G10");
    assert!(broken.is_some_and(|it| it.1 == Finding::Broken), "{broken:?}");
}

/// A file is written, deleted, and written again after a node has forgotten the delete.
fn written_after_a_forgotten_delete() -> [Happening; 6] {
    [0, 5, 17, 15, 0, 11].map(|kind| Happening { kind, node: 0, path: 1, number: 1 })
}

#[test]
fn a_delete_that_is_forgotten_and_hidden_by_a_later_version_breaks_nothing() {
    let judged = verdicts(&run(&Steadfast, &written_after_a_forgotten_delete()), &Steadfast);
    let broken = judged.iter().flatten().find(|it| it.1 == Finding::Broken);
    assert_eq!(broken, None);
}

#[test]
fn a_write_to_a_path_whose_delete_is_forgotten_is_judged_by_the_whole_log() {
    let twin = TWINS.iter().find(|it| it.variant.name == "delete-does-not-yield");
    let decisions = twin.expect("the twin").variant.decisions;
    let happenings = written_after_a_forgotten_delete();
    let [touched, whole] = verdicts(&run(decisions, &happenings), decisions);
    assert_eq!(touched, whole);
    let broken = whole.iter().find(|it| it.0 == "G3");
    assert!(broken.is_some_and(|it| it.1 == Finding::Broken), "{broken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn both_judgements_agree_on_random_runs(happenings in happenings()) {
        let [touched, whole] = verdicts(&run(&Steadfast, &happenings), &Steadfast);
        // Rot that takes the last good copy may break others.
        prop_assert!(whole.iter().all(|it| it.0 != "G3" || it.1 != Finding::Broken));
        prop_assert_eq!(touched, whole);
    }

    #[test]
    fn both_judgements_agree_on_random_runs_of_twins(
        twin in 0..TWINS.len(),
        happenings in happenings(),
    ) {
        let decisions = TWINS[twin].variant.decisions;
        let [touched, whole] = verdicts(&run(decisions, &happenings), decisions);
        prop_assert_eq!(touched, whole, "{}", TWINS[twin].variant.name);
    }
}
