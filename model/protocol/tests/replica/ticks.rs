//! Which nodes need heartbeats, and which have something to achieve with the next one.

use steadfast_protocol::{
    Base, Consistency, Content, ContentId, Input, Intent, NodeId, Parameters,
};

use crate::cluster::Cluster;

/// Three nodes with E=W=2.
fn cluster(retransmits: bool) -> Cluster {
    let parameters = Parameters { retransmits, guards_elections: false, ..Parameters::default() };
    Cluster::with(3, 2, 2, parameters)
}

/// Whether each node needs ticks, and whether it lags.
fn ticks(cluster: &Cluster) -> Vec<(bool, bool)> {
    cluster.replicas().map(|it| (it.needs_ticks(), it.lags())).collect()
}

const QUIET: (bool, bool) = (false, false);

#[test]
fn a_leader_is_heard_and_lags_until_all_that_it_reaches_have_its_entries() {
    for retransmits in [false, true] {
        let mut cluster = cluster(retransmits);
        assert_eq!(ticks(&cluster), [QUIET; 3]);
        cluster.elect(0);
        cluster.put(0, 1, "a");
        assert_eq!(ticks(&cluster), [(true, false), QUIET, QUIET]);
        cluster.loses_to.insert(NodeId(2));
        cluster.put(0, 2, "a");
        assert_eq!(ticks(&cluster)[0], (true, true), "node 2 has not acknowledged");
        cluster.cut(0, 2);
        assert_eq!(ticks(&cluster)[0], (true, false), "nothing reaches it now");
    }
}

#[test]
fn a_candidate_asks_again_where_messages_can_be_lost() {
    for retransmits in [false, true] {
        let mut cluster = cluster(retransmits);
        [0, 2].into_iter().for_each(|it| cluster.loses_to.insert(NodeId(it)));
        cluster.elect(1);
        assert_eq!(ticks(&cluster), [QUIET, (retransmits, true), QUIET]);
        [0, 2].into_iter().for_each(|it| cluster.cut(1, it));
        assert_eq!(ticks(&cluster)[1], (retransmits, false), "nobody is there to be asked");
    }
}

#[test]
fn a_leader_lags_while_it_holds_a_read() {
    let mut cluster = cluster(false);
    cluster.elect(0);
    cluster.put(0, 1, "a");
    [1, 2].into_iter().for_each(|it| cluster.loses_to.insert(NodeId(it)));
    assert_eq!(ticks(&cluster)[0], (true, false));
    cluster.read(0, 2, Consistency::Linearizable);
    assert_eq!(ticks(&cluster)[0], (true, true));
}

#[test]
fn a_node_that_lacks_a_content_asks_again_where_messages_can_be_lost() {
    for retransmits in [false, true] {
        let mut cluster = cluster(retransmits);
        cluster.elect(0);
        cluster.stores = false;
        let content = ContentId([7; 32]);
        cluster.queue_input(NodeId(0), Input::Stored { content });
        let intent = Intent::Put(Content::Named(content));
        cluster.write(0, 1, "a", intent, Base::Visible);
        assert_eq!(ticks(&cluster)[1], (retransmits, true));
    }
}
