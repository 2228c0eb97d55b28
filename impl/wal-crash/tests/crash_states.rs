//! The enumeration at small bounds, with its counts pinned.

use steadfast_wal::Steadfast;
use steadfast_wal_crash::{
    Bounds, Counts, UNDEFENDED_LOGS, WEAKER_LOGS, WRONG_LOGS, catch, enumerate, scopes,
};

#[test]
fn every_state_of_up_to_three_operations_is_recovered() {
    let one = Counts {
        workloads: 9,
        moments: 111,
        crash_states: 1292,
        recoveries: 1576,
        damages: 31_115,
        faults: 1134,
    };
    let three = Counts {
        workloads: 585,
        moments: 4338,
        crash_states: 169_050,
        recoveries: 197_822,
        damages: 0,
        faults: 0,
    };
    let files = Counts { workloads: 84, damages: 4233, faults: 84, ..Counts::default() };
    for ((name, scope), pinned) in scopes(Bounds::Small).into_iter().zip([one, three, files]) {
        let (counts, violations) = enumerate(&scope, &Steadfast, false);
        assert!(violations.is_empty(), "{name}: {violations:#?}");
        assert_eq!(counts, pinned, "{name}");
    }
}

#[test]
fn every_wrong_log_is_caught() {
    assert!(WRONG_LOGS.len() >= 20);
    for wrong in WRONG_LOGS.iter().chain(UNDEFENDED_LOGS) {
        assert!(catch(wrong).is_some(), "{}: {}", wrong.name, wrong.about);
    }
}

#[test]
fn a_log_that_lacks_one_of_several_defences_is_right() {
    let (_, scope) = scopes(Bounds::Small).remove(0);
    for weaker in WEAKER_LOGS {
        let (_, violations) = enumerate(&scope, weaker.decisions, true);
        assert!(violations.is_empty(), "{}: {violations:#?}", weaker.name);
    }
}
