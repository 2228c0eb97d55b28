//! The enumeration with its counts pinned, and every twin.

use steadfast_store::DefaultContentDecisions;
use steadfast_store_crash::{Counts, enumerate, long_workloads, short_workloads, twins};

#[test]
fn every_state_is_recovered() {
    let workloads = [short_workloads(2), long_workloads()].concat();
    let (counts, violations) = enumerate(&workloads, &DefaultContentDecisions, false);
    assert!(violations.is_empty(), "{violations:#?}");
    assert_eq!(counts, Counts::default());
}

#[test]
fn every_twin_is_caught() {
    let workloads = [short_workloads(2), long_workloads()].concat();
    let twins = twins();
    assert!(twins.len() >= 8);
    for twin in twins {
        let (_, violations) = enumerate(&workloads, twin.decisions, true);
        let violation =
            violations.first().unwrap_or_else(|| panic!("{}: {}", twin.name, twin.about));
        println!(
            "{}: {:?} {} {}",
            twin.name, violation.workload, violation.cause, violation.broken
        );
    }
}
