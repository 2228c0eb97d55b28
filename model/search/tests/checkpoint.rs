//! A search that was interrupted goes on from a file, and from no other's.

#[expect(dead_code, reason = "each test uses some of the models")]
mod models;

use std::fs;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use models::two_phase_commit::{Message, Part, Resource, TwoPhaseCommit, Vote};
use steadfast_search::{
    Checkpoint, CheckpointError, DeadSteps, Ended, Options, Portable, Progress, Report, Search,
    Width,
};

impl Portable for TwoPhaseCommit {
    fn encode(&self, component: &Part, bytes: &mut Vec<u8>) {
        match component {
            Part::Manager(decided) => bytes.push(position(&DECISIONS, decided)),
            Part::Resource { state, prepared } => {
                bytes.extend([position(&RESOURCES, state), position(&MESSAGES, prepared)]);
            }
        }
    }

    fn decode(&self, bytes: &[u8]) -> Option<Part> {
        match *bytes {
            [decided] => DECISIONS.get(usize::from(decided)).map(|it| Part::Manager(*it)),
            [state, prepared] => {
                let state = *RESOURCES.get(usize::from(state))?;
                let prepared = *MESSAGES.get(usize::from(prepared))?;
                Some(Part::Resource { state, prepared })
            }
            _ => None,
        }
    }
}

const DECISIONS: [Option<Vote>; 3] = [None, Some(Vote::Commit), Some(Vote::Abort)];
const RESOURCES: [Resource; 4] = [
    Resource::Working,
    Resource::Prepared,
    Resource::Ended(Vote::Commit),
    Resource::Ended(Vote::Abort),
];

const MESSAGES: [Message; 3] = [Message::Unsent, Message::Sent, Message::Received];

fn position<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let found = all.iter().position(|it| it == one).expect("one of them");
    u8::try_from(found).expect("few")
}

fn facts(report: &Report<TwoPhaseCommit>) -> String {
    let levels: Vec<_> =
        report.levels.iter().map(|it| (it.depth, it.states, it.generated, it.new)).collect();
    let counts = (report.unique, report.generated, report.depth, report.sampled);
    format!("{report:?} {counts:?} {levels:?}")
}

fn checkpoint(directory: &Path) -> Checkpoint {
    Checkpoint {
        file: directory.join("search"),
        build: "a build".into(),
        every: Duration::from_secs(3600),
    }
}

/// Ends a search when it has expanded so many states of a level, in the middle of that level.
fn stop_after(states: u64) -> impl Fn(&Progress) -> ControlFlow<String> + Sync {
    move |progress: &Progress| match progress.unique >= states {
        true => ControlFlow::Break("enough".into()),
        false => ControlFlow::Continue(()),
    }
}

fn interrupted(
    system: &TwoPhaseCommit,
    options: &Options,
    states: u64,
    at: &Checkpoint,
) -> Report<TwoPhaseCommit> {
    let stop = stop_after(states);
    let search = Search::new(system, options.clone()).observed_by(&stop);
    let report = search.breadth_first_saved(at).expect("saved");
    assert!(matches!(&report.ended, Ended::Observer(why) if why == "enough"), "{report:?}");
    report
}

#[test]
fn an_interrupted_search_ends_like_one_that_was_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = checkpoint(directory.path());
    let system = TwoPhaseCommit(6);
    let all = Options { threads: NonZero::new(2).expect("a thread"), ..Options::default() };
    let wide = Options { fingerprints: Width::Bits128, ..all.clone() };
    let asleep = Options { sleep_sets: true, ..all.clone() };
    // A sample asks every property, which hides one that a search that goes on forgets to ask.
    let unsampled = Options { sample_every: NonZero::<u64>::MAX, ..all.clone() };
    for options in [all, wide, asleep, unsampled] {
        let whole = Search::new(&system, options.clone()).breadth_first();
        let half = interrupted(&system, &options, 20_000, &at);
        assert!(half.unique < whole.unique);
        let rest = Search::new(&system, options).breadth_first_resumed(&at).expect("resumed");
        assert_eq!(facts(&rest), facts(&whole));
    }
}

/// Saved so often that it is in the middle of levels.
#[test]
fn a_search_that_is_saved_all_the_time_ends_like_one_that_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = Checkpoint { every: Duration::ZERO, ..checkpoint(directory.path()) };
    let system = TwoPhaseCommit(5);
    let options = Options { threads: NonZero::new(3).expect("a thread"), ..Options::default() };
    let whole = Search::new(&system, options.clone()).breadth_first();
    let saved = Search::new(&system, options.clone()).breadth_first_saved(&at).expect("saved");
    assert_eq!(facts(&saved), facts(&whole));
    let last = Search::new(&system, options).breadth_first_resumed(&at).expect("resumed");
    assert_eq!(facts(&last), facts(&whole));
}

#[test]
fn a_search_ends_before_it_needs_more_memory_and_can_go_on_with_more() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = checkpoint(directory.path());
    let system = TwoPhaseCommit(6);
    let whole = Search::new(&system, Options::default()).breadth_first();
    let little = Options { memory_max_bytes: 1_500_000, ..Options::default() };
    let report = Search::new(&system, little).breadth_first_saved(&at).expect("saved");
    assert!(matches!(report.ended, Ended::Memory) && !report.is_as_expected(), "{report:?}");
    assert!(report.unique < whole.unique && report.peak_bytes < 3_000_000, "{report:?}");
    let rest =
        Search::new(&system, Options::default()).breadth_first_resumed(&at).expect("resumed");
    assert_eq!(facts(&rest), facts(&whole));
}

#[test]
fn a_checkpoint_of_another_search_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = checkpoint(directory.path());
    interrupted(&TwoPhaseCommit(5), &Options::default(), 2_000, &at);
    let refused = |system: u16, options: Options, at: &Checkpoint| {
        let system = TwoPhaseCommit(system);
        let error = Search::new(&system, options).breadth_first_resumed(at).expect_err("refused");
        assert!(matches!(error, CheckpointError::Other { .. }), "{error}");
        error.to_string()
    };
    let text = refused(6, Options::default(), &at);
    assert!(text.contains("another system: two-phase commit of 5, and this is"), "{text}");
    let build = Checkpoint { build: "a later build".into(), ..at.clone() };
    let text = refused(5, Options::default(), &build);
    assert!(text.contains("another build: a build, and this is a later build"), "{text}");
    for options in [
        Options { fingerprints: Width::Bits128, ..Options::default() },
        Options { sleep_sets: true, ..Options::default() },
        Options { dead_steps: DeadSteps::Drop, ..Options::default() },
    ] {
        assert!(refused(5, options, &at).contains("another options"));
    }
}

#[test]
fn no_damaged_file_is_taken_for_a_search() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = checkpoint(directory.path());
    let system = TwoPhaseCommit(4);
    interrupted(&system, &Options::default(), 300, &at);
    let whole = fs::read(&at.file).expect("the file");
    let resumed = || Search::new(&system, Options::default()).breadth_first_resumed(&at);
    for end in [0, 7, 8, 40, whole.len() / 2, whole.len() - 1] {
        fs::write(&at.file, &whole[..end]).expect("written");
        assert!(matches!(resumed(), Err(CheckpointError::Damaged { .. })), "cut at {end}");
    }
    for flipped in (0..whole.len()).step_by(13) {
        let mut bytes = whole.clone();
        bytes[flipped] ^= 0x41;
        fs::write(&at.file, bytes).expect("written");
        assert!(resumed().is_err(), "byte {flipped} flipped");
    }
    fs::write(&at.file, [&whole[..], &[0]].concat()).expect("written");
    assert!(resumed().is_err(), "a byte more");
    fs::remove_file(&at.file).expect("removed");
    let error = resumed().expect_err("no file");
    assert!(matches!(error, CheckpointError::Io { .. }) && error.to_string().contains("search"));
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = checkpoint(&directory.path().join("no such directory"));
    let stop = stop_after(10);
    let system = TwoPhaseCommit(4);
    let search = Search::new(&system, Options::default()).observed_by(&stop);
    let error = search.breadth_first_saved(&at).expect_err("no directory");
    assert!(error.to_string().contains("no such directory"), "{error}");
}
