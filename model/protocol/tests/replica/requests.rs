//! Requests that arrive late, twice, or with the id of another request.

use crate::cluster::{Cluster, text};
use steadfast_protocol::{
    Base, Content, ContentId, Dot, Intent, NodeId, Outcome, Refusal, Sequence,
};

#[test]
fn a_request_id_that_names_another_write_is_refused_and_nothing_is_written() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let dot = Dot { origin: NodeId(0), sequence: Sequence(1) };
    let reused = Outcome::Refused(Refusal::RequestReused { dot });
    for (path, intent) in
        [("b", Intent::Put(text(1))), ("a", Intent::Put(text(2))), ("a", Intent::Delete)]
    {
        let outcome = cluster.write(0, 1, path, intent, Base::Visible);
        assert_eq!(outcome, Some(reused.clone()), "{path}");
    }
    assert_eq!(cluster.put(0, 1, "a"), Some(Outcome::Acknowledged { dot }), "a true retry");
    assert_eq!(cluster.replica(0).log().entries().count(), 1);
}

#[test]
fn a_leader_recognises_the_retry_of_a_restore() {
    let mut cluster = Cluster::new(2, 1, 1);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    let dot = Dot { origin: NodeId(0), sequence: Sequence(1) };
    let first = cluster.write(0, 2, "a", Intent::Restore(dot), Base::Visible);
    assert!(matches!(first, Some(Outcome::Acknowledged { .. })), "{first:?}");
    assert_eq!(cluster.write(0, 2, "a", Intent::Restore(dot), Base::Visible), first);
}

#[test]
fn a_late_copy_of_an_older_request_does_not_overrule_the_newer_one() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.put(0, 5, "a");
    let late = cluster.put(0, 4, "a");
    assert_eq!(late, Some(Outcome::Refused(Refusal::Superseded { newest: 5 })));
    assert_eq!(cluster.heads(0, "a")[0].request.number, 5);
    assert!(matches!(cluster.put(0, 6, "a"), Some(Outcome::Acknowledged { .. })));
}

#[test]
fn a_deposed_leader_does_not_refuse_on_the_ground_of_its_old_files() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    cluster.elect(1);
    assert!(matches!(cluster.put(1, 1, "a"), Some(Outcome::Acknowledged { .. })));
    assert!(cluster.replica(0).leads(), "it does not know of its successor");
    let unknown = Dot { origin: NodeId(1), sequence: Sequence(1) };
    let refused = [
        (2, Intent::Delete, Base::Visible),
        (3, Intent::Restore(unknown), Base::Visible),
        (4, Intent::Put(text(4)), Base::Named(vec![unknown])),
    ];
    for (number, intent, base) in refused {
        assert_eq!(cluster.write(0, number, "a", intent, base), None, "it waits to be confirmed");
    }
    cluster.elect(0);
    let refused = Outcome::Refused(Refusal::NotLeader { leader: None });
    (2..=4).for_each(|number| assert_eq!(cluster.answer(number), Some(refused.clone())));
}

#[test]
fn a_confirmed_leader_refuses_to_delete_a_missing_file() {
    for (nodes, quorum) in [(1, 1), (3, 2)] {
        let mut cluster = Cluster::new(nodes, quorum, quorum);
        cluster.elect(0);
        let outcome = cluster.write(0, 1, "a", Intent::Delete, Base::Visible);
        let path = steadfast_protocol::Path::new("a");
        assert_eq!(outcome, Some(Outcome::Refused(Refusal::NotFound { path })));
    }
}

#[test]
fn a_leader_refuses_a_content_that_it_lacks_without_asking_anybody() {
    let mut cluster = Cluster::new(3, 2, 2);
    cluster.elect(0);
    cluster.cut(0, 1);
    cluster.cut(0, 2);
    let content = ContentId([7; 32]);
    let outcome = cluster.write(0, 1, "a", Intent::Put(Content::Named(content)), Base::Visible);
    assert_eq!(outcome, Some(Outcome::Refused(Refusal::ContentMissing { content })));
}

#[test]
fn a_write_of_one_origin_is_acknowledged_while_one_of_another_waits() {
    let mut cluster = Cluster::new(3, 1, 2);
    cluster.elect(1);
    cluster.cut(0, 1);
    cluster.cut(1, 2);
    assert_eq!(cluster.put(1, 1, "a"), None, "two nodes must hold it");
    (0..2).for_each(|_| cluster.elect(0));
    cluster.link(0, 1);
    let dot = Dot { origin: NodeId(1), sequence: Sequence(1) };
    assert!(cluster.replica(0).leads() && cluster.replica(0).synced_vv().covers(dot));
    cluster.syncs = false;
    assert_eq!(cluster.put(0, 2, "b"), None, "no disk syncs it");
    assert_eq!(cluster.put(0, 1, "a"), Some(Outcome::Acknowledged { dot }));
    assert_eq!(cluster.answer(2), None);
}
