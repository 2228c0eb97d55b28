//! Contents that nothing names any more: they are deleted, and no node waits for them.

use steadfast_protocol::{
    Append, ContentId, Counter, Dot, Effect, Entry, EntryBody, Epoch, Input, Lineages, Message,
    Need, NodeId, Path, Place, Round, Sealed, Sequence, State, VersionVector,
};

use crate::{Follower, N1, N2, N3, answered, asked, content, entry, fetches, gone, sent};

/// Whether a node tells a peer that a content is gone.
fn tells_gone(effects: &[Effect]) -> Vec<NodeId> {
    sent(effects).filter(|it| matches!(it.1, Message::Gone(_))).map(|it| it.0).collect()
}

#[test]
fn a_content_that_nothing_names_is_gone_and_sent_all_the_same_when_it_arrives() {
    let mut node = Follower::linked(&[7]);
    let need = || Message::Need(Need { content: content(9) });
    assert_eq!(tells_gone(&node.receive(N1, need())), [N1]);
    node.append(N3, &[entry(1, 2, 9)], &[9]);
    let effects = node.receive(N2, need());
    assert_eq!((tells_gone(&effects), answered(&effects)), (vec![], vec![(N2, false)]), "it waits");
    assert_eq!(fetches(&node.hear(Input::Stored { content: content(9) })), 1);
    let sent = answered(&node.hear(Input::Fetched { content: content(9) }));
    assert_eq!(sent, [(N1, true), (N2, true)]);
}

#[test]
fn a_message_is_dropped_with_those_behind_it_if_its_own_sender_says_that_its_content_is_gone() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 8)], &[]);
    node.append(N3, &[entry(1, 3, 9)], &[]);
    node.append(N3, &[entry(1, 4, 7)], &[]);
    node.append(N1, &[entry(2, 1, 9)], &[]);
    assert_eq!(node.0.waiting().len(), 4);
    node.receive(N2, gone(9));
    assert_eq!(node.0.waiting().len(), 4, "no message of that peer waits");
    node.receive(N3, gone(9));
    let left = node.0.waiting().iter().map(|it| (it.from, it.message.entries()[0].dot.sequence.0));
    assert_eq!(left.collect::<Vec<_>>(), [(N3, 2), (N1, 1)]);
    assert_eq!(node.wanted(), [content(8), content(9)]);
    node.receive(N1, gone(9));
    assert_eq!((node.0.waiting().len(), node.wanted()), (1, vec![content(8)]));
    node.append(N1, &[entry(2, 1, 9)], &[]);
    node.append(N3, &[entry(1, 3, 7)], &[]);
    node.receive(N3, gone(9));
    assert_eq!(node.0.waiting().len(), 3, "node 1 may still have it");
}

#[test]
fn a_node_that_lets_a_content_go_tells_the_peers_that_asked_for_it() {
    let mut node = Follower::linked(&[7]);
    node.append(N3, &[entry(1, 2, 9)], &[]);
    let effects = node.receive(N1, Message::Need(Need { content: content(9) }));
    assert_eq!((tells_gone(&effects), answered(&effects)), (vec![], vec![(N1, false)]));
    let effects = node.unlink(N3);
    assert_eq!(tells_gone(&effects), [N1]);
    let discards = effects.iter().filter(|it| matches!(it, Effect::Discard { .. }));
    assert_eq!(discards.count(), 0, "it never had a copy");
}

/// The second entry of node 1, which takes the place of its first.
fn replacing(named: u8) -> Entry {
    let replaces = vec![Dot { origin: N1, sequence: Sequence(1) }];
    Sealed::new(EntryBody { replaces, ..(*entry(1, 2, named)).clone() })
}

fn discarded(effects: &[Effect]) -> Vec<ContentId> {
    let discarded = effects.iter().filter_map(|it| match it {
        Effect::Discard { content } => Some(*content),
        _ => None,
    });
    discarded.collect()
}

#[test]
fn a_bad_copy_is_fetched_if_a_head_or_an_unsynced_entry_names_it_and_else_deleted() {
    for synced in [false, true] {
        let mut node = Follower::linked(&[7, 8]);
        node.append(N3, &[replacing(8)], &[]);
        if synced {
            node.hear(Input::Synced(node.0.log().length()));
        }
        let of_new = node.hear(Input::Bad { content: content(8) });
        assert_eq!((asked(&of_new), discarded(&of_new)), (vec![N3], vec![]), "{synced}");
        let of_old = node.hear(Input::Bad { content: content(7) });
        let expected = match synced {
            true => (vec![], vec![content(7)]),
            // A crash may take the newer entry back.
            false => (vec![N3], vec![]),
        };
        assert_eq!((asked(&of_old), discarded(&of_old)), expected, "{synced}");
    }
}

#[test]
fn a_node_asks_no_more_for_a_content_once_a_synced_entry_replaces_its_version() {
    let mut node = Follower::linked(&[8]);
    node.append(N3, &[replacing(8)], &[]);
    assert_eq!(node.wanted(), [content(7)]);
    let effects = node.hear(Input::Synced(node.0.log().length()));
    assert_eq!((node.wanted(), discarded(&effects)), (vec![], vec![content(7)]));
}

#[test]
fn a_bad_copy_that_an_incomplete_state_names_is_fetched() {
    let mut node = Follower::linked(&[7, 9]);
    let up_to = |sequence| {
        let mut vv = VersionVector::default();
        vv.insert(Dot { origin: N1, sequence: Sequence(sequence) });
        vv
    };
    let part = State {
        since: up_to(1),
        vv: up_to(3),
        lineages: Lineages::default(),
        counter: Counter(3),
        forgotten: VersionVector::default(),
        heads: vec![entry(1, 2, 9)],
        requests: Vec::new(),
        after: Place::Start,
        until: Some(Place::Path(Path::new("a"))),
    };
    let (epoch, state) = (Epoch { round: Round(1), node: N3 }, Some(Sealed::new(part)));
    node.receive(N3, Message::Append(Append { epoch, state, ..Append::default() }));
    node.hear(Input::Synced(node.0.log().length()));
    assert_eq!(node.0.fold().stagings().len(), 1);
    assert_eq!(asked(&node.hear(Input::Bad { content: content(9) })), [N3]);
}
