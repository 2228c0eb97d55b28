//! Searches that do not get to the end say so.

#[expect(dead_code, reason = "each test uses some of the models")]
mod models;

use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

use models::two_phase_commit::TwoPhaseCommit;
use steadfast_search::{Ended, Options, Progress, Search, Walk};

#[test]
fn a_search_ends_with_the_level_in_which_it_has_found_enough() {
    let system = TwoPhaseCommit(5);
    let whole = Search::new(&system, Options::default()).breadth_first();
    let counts = [1, 3].map(|threads| {
        let threads = NonZero::new(threads).expect("a thread");
        let options = Options { states_max: 1_000, threads, ..Options::default() };
        let report = Search::new(&system, options).breadth_first();
        assert!(matches!(report.ended, Ended::States) && !report.is_as_expected());
        (report.unique, report.generated, report.depth)
    });
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0].0 >= 1_000 && counts[0].0 < whole.unique);
}

#[test]
fn no_way_of_searching_takes_running_out_of_time_for_an_end() {
    let system = TwoPhaseCommit(6);
    let options = Options { time_max: Duration::ZERO, ..Options::default() };
    let search = Search::new(&system, options);
    for report in [search.breadth_first(), search.depth_first()] {
        assert!(matches!(report.ended, Ended::Time), "{report:?}");
        assert!(!report.is_as_expected());
    }
    let settling = search.settling(&|_, _| true, 0);
    assert!(matches!(settling.ended, Ended::Time) && !settling.always_settles());
    let walk = Walk { seed: 1, steps_max: 100, weight: &|_| 1 };
    assert!(matches!(search.walk(&walk).ended, Ended::Time));
}

#[test]
fn an_observer_hears_of_every_level_and_may_end_the_search() {
    let heard = Mutex::new(Vec::new());
    let listens = |progress: &Progress| {
        let mut heard = heard.lock().expect("nobody panicked");
        if progress.level_ended {
            heard.push((progress.depth, progress.frontier));
        }
        match progress.depth {
            6 => ControlFlow::Break("level six".to_owned()),
            _ => ControlFlow::Continue(()),
        }
    };
    let system = TwoPhaseCommit(4);
    let report = Search::new(&system, Options::default()).observed_by(&listens).breadth_first();
    assert!(matches!(&report.ended, Ended::Observer(why) if why == "level six"));
    let levels: Vec<_> = report.levels.iter().map(|it| (it.depth, it.states)).collect();
    assert_eq!(*heard.lock().expect("nobody panicked"), levels);
    assert_eq!(levels.len(), 7);
}

#[test]
fn settling_tells_of_an_end_that_is_not_good_by_the_shortest_run() {
    let system = TwoPhaseCommit(2);
    // Without decisions, nothing that is prepared ends.
    let is_chosen = |_, step: &models::two_phase_commit::Step| {
        !matches!(step, models::two_phase_commit::Step::Decide(_))
    };
    let settling = Search::new(&system, Options::default()).settling(&is_chosen, 1);
    assert!(!settling.always_settles() && settling.bad_ends > 0);
    let path = settling.bad_end.expect("a run to an end in which not all committed");
    assert_eq!(path.steps.len(), 2);
}
