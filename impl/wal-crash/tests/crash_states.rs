//! The enumeration of the small extent, with its counts pinned.

use steadfast_wal::DefaultDecisions;
use steadfast_wal_crash::{
    Counts, Extent, LogKind, SEGMENTS_AHEAD, Schedule, Scope, TWINS, Violation, WEAKENED, catch,
    catch_with_threads, enumerate, scopes,
};

#[test]
fn every_state_of_the_small_extent_is_recovered() {
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
    let threads_one = Counts {
        workloads: 27,
        moments: 353,
        crash_states: 3452,
        recoveries: 5490,
        damages: 123_410,
        faults: 3798,
    };
    let threads_two = Counts {
        workloads: 219,
        moments: 1843,
        crash_states: 44_461,
        recoveries: 59_037,
        damages: 0,
        faults: 0,
    };
    let threads_files = Counts { workloads: 60, damages: 9865, faults: 60, ..Counts::default() };
    let pinned = [one, three, files, threads_one, threads_two, threads_files];
    for ((name, scope), pinned) in scopes(Extent::Small).into_iter().zip(pinned) {
        let (counts, violations) = enumerate(&scope, &DefaultDecisions, false);
        assert!(violations.is_empty(), "{name}: {violations:#?}");
        assert_eq!(counts, pinned, "{name}");
    }
}

/// When the client runs until it blocks, the log with threads calls its disk exactly as the log without
/// threads does, with faults too. So the scopes of the log without threads judge these moments, and none
/// of them is judged twice.
#[test]
fn the_log_with_threads_repeats_the_log_without_when_the_client_goes_first() {
    let scopes = scopes(Extent::Small);
    for (name, scope) in &scopes[..2] {
        let [serial, threaded] = alone(scope);
        assert!(serial.crash_states > 0, "{name}");
        let repeated = Counts { crash_states: 0, recoveries: 0, damages: 0, ..serial };
        assert_eq!(threaded, repeated, "{name}: a moment was judged, so it differs");
    }
}

/// With two segments ahead, the log without threads makes both at once and the other does not.
#[test]
fn moments_that_differ_from_those_of_the_log_without_threads_are_judged() {
    let (_, scope) = scopes(Extent::Small).swap_remove(0);
    let [_, threaded] = alone(&Scope { geometry: SEGMENTS_AHEAD, ..scope });
    assert!(threaded.crash_states > 0 && threaded.damages > 0, "{threaded:?}");
}

/// Moments that repeat those of the log without threads are left to the scopes of that log.
#[test]
fn each_scope_with_threads_has_one_without_that_judges_all_of_it() {
    let first = LogKind::Threaded(Schedule::ClientFirst);
    for scopes in [Extent::Small, Extent::Full].map(scopes) {
        for (name, threaded) in scopes.iter().filter(|it| it.1.kinds.contains(&first)) {
            assert!(scopes.iter().any(|it| judges_all_of(&it.1, threaded)), "{name}");
        }
    }
}

fn judges_all_of(serial: &Scope, threaded: &Scope) -> bool {
    serial.kinds.contains(&LogKind::Serial)
        && serial.geometry.name == threaded.geometry.name
        && threaded.workloads.iter().all(|it| serial.workloads.contains(it))
        && serial.is_every_operation >= threaded.is_every_operation
        && serial.has_crashes >= threaded.has_crashes
        && serial.has_faults >= threaded.has_faults
        && serial.has_damages >= threaded.has_damages
        && serial.has_wrong_files >= threaded.has_wrong_files
}

/// The counts of a scope on the log without threads and on the log with threads, the client first.
fn alone(scope: &Scope) -> [Counts; 2] {
    [LogKind::Serial, LogKind::Threaded(Schedule::ClientFirst)].map(|kind| {
        let scope = Scope { kinds: vec![kind], ..scope.clone() };
        let (counts, violations) = enumerate(&scope, &DefaultDecisions, false);
        assert!(violations.is_empty(), "{violations:#?}");
        counts
    })
}

#[test]
fn every_twin_is_caught_without_and_with_threads() {
    assert!(TWINS.len() >= 20);
    for twin in TWINS {
        let serial = catch(twin);
        assert!(serial.is_some(), "{}: {}", twin.name, twin.about);
        let threaded = catch_with_threads(twin, serial.as_ref().map(|it| &it.workload));
        let threaded = threaded.unwrap_or_else(|| panic!("{} with threads", twin.name));
        assert_ne!(threaded.log, LogKind::Serial);
    }
}

/// A client that waits for a segment that nobody makes is found, and the run goes on.
#[test]
fn a_client_that_waits_forever_is_reported() {
    let twin = TWINS.iter().find(|it| it.name == "no-space-reserved").expect("a twin");
    let (_, scope) = scopes(Extent::Small).swap_remove(5);
    let (_, violations) = enumerate(&scope, twin.decisions, false);
    let is_stuck = |it: &Violation| it.broken.contains("waits forever");
    assert!(violations.iter().any(is_stuck), "{violations:#?}");
}

#[test]
fn a_log_that_lacks_one_of_several_defences_is_right() {
    let (_, scope) = scopes(Extent::Small).remove(0);
    for weakened in WEAKENED {
        let (_, violations) = enumerate(&scope, weakened.decisions, true);
        assert!(violations.is_empty(), "{}: {violations:#?}", weakened.name);
    }
}
