//! stateright 0.31 hashes its sets without their length, so two lists of sets may have one
//! fingerprint, and it never visits the second one. This engine compares components by equality.

use stateright::util::HashableHashSet;
use stateright::{Checker, Model, Property};
use steadfast_search::{Options, Search, Undivided};

/// Two hands, and two balls in the second one, that are moved to the first.
struct Juggler;

type Hands = Vec<HashableHashSet<u8>>;

fn hands(first: &[u8], second: &[u8]) -> Hands {
    [first, second].map(|it| it.iter().copied().collect()).into()
}

impl Model for Juggler {
    type State = Hands;
    type Action = u8;

    fn init_states(&self) -> Vec<Hands> {
        vec![hands(&[], &[1, 2])]
    }

    fn actions(&self, state: &Hands, actions: &mut Vec<u8>) {
        actions.extend([1, 2].into_iter().filter(|it| state[1].contains(it)));
    }

    fn next_state(&self, state: &Hands, ball: u8) -> Option<Hands> {
        let mut next = state.clone();
        next[1].remove(&ball);
        next[0].insert(ball);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("1 is never alone on the left", |_, it| *it != hands(&[1], &[2])),
            Property::always("2 is never alone on the left", |_, it| *it != hands(&[2], &[1])),
        ]
    }
}

#[test]
fn stateright_misses_a_violation_that_this_engine_finds() {
    let stock = Juggler.checker().spawn_bfs().join();
    // The first state and the last share a fingerprint, and so do the two between them.
    assert_eq!((stock.unique_state_count(), stock.discoveries().len()), (2, 1));
    let system = Undivided::new(Juggler).expect("no property to hold eventually");
    let report = Search::new(&system, Options::default()).breadth_first();
    assert!(report.is_complete());
    assert_eq!((report.unique, report.findings.len()), (4, 2));
}
