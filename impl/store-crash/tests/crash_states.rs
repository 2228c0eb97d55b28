//! The enumeration with its counts pinned, and every twin.

use steadfast_store::DefaultContentDecisions;
use steadfast_store_crash::{Counts, enumerate, long_workloads, short_workloads, twins};

#[test]
fn every_state_is_recovered() {
    let workloads = [short_workloads(2), long_workloads()].concat();
    let (counts, violations) = enumerate(&workloads, &DefaultContentDecisions, false);
    assert!(violations.is_empty(), "{violations:#?}");
    let pinned = Counts { workloads: 146, moments: 617, crash_states: 17_065, faults: 1638 };
    assert_eq!(counts, pinned);
}

#[test]
fn every_twin_is_caught() {
    let workloads = [short_workloads(2), long_workloads()].concat();
    let twins = twins();
    assert!(twins.len() >= 8);
    for twin in twins {
        let (_, violations) = enumerate(&workloads, twin.decisions, true);
        assert!(!violations.is_empty(), "{}: {}", twin.name, twin.about);
    }
}
