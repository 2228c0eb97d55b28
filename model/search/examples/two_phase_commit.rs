//! Two-phase commit (Gray, Lamport, "Consensus on Transaction Commit", TODS 31(1), 2006, section 3)
//! with any number of resource managers, searched to the end.
//!
//! `cargo run -p steadfast-search --example two_phase_commit 7`

use std::convert::Infallible;

use steadfast_search::{Look, Options, Place, Property, Rule, Search, Steps, System};

/// A transaction manager and this many resource managers.
pub(crate) struct TwoPhaseCommit(pub(crate) u16);

/// The components: the transaction manager at place 0, the resource managers behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// Its decision, which it has sent to all.
    Manager(Option<Vote>),
    /// Its state, and its message to the transaction manager that it is prepared.
    Resource { state: Resource, prepared: Message },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Unsent,
    Sent,
    Received,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Vote {
    Commit,
    Abort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    Working,
    Prepared,
    Ended(Vote),
}

/// What happens, and to which resource manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Decide(Vote),
    HearPrepared(u16),
    Prepare(u16),
    ChooseAbort(u16),
    Obey(u16, Vote),
}

const MANAGER: Place = Place(0);
/// The number of the summary of a resource manager that has its state alone.
const STATE: u16 = 0;

impl System for TwoPhaseCommit {
    type Component = Part;
    type Change = Infallible;
    type Step = Step;
    type Follow = ();

    fn name(&self) -> String {
        format!("two-phase commit of {}", self.0)
    }

    fn initial_states(&self) -> Vec<Vec<Part>> {
        let resource = Part::Resource { state: Resource::Working, prepared: Message::Unsent };
        let manager = Part::Manager(None);
        vec![[manager].into_iter().chain((0..self.0).map(|_| resource.clone())).collect()]
    }

    /// One for the decision, and one for each resource manager.
    fn rules(&self) -> u16 {
        1 + self.0
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, Part>, steps: &mut Steps<Self>) {
        let Part::Manager(decided) = state[MANAGER] else { unreachable!() };
        if rule == 0 {
            let is_received =
                |it| matches!(state[Place(it)], Part::Resource { prepared: Message::Received, .. });
            let mut decide = |vote| {
                steps.step(Step::Decide(vote)).put(MANAGER, Part::Manager(Some(vote)));
            };
            if decided.is_none() && (1..=self.0).all(is_received) {
                decide(Vote::Commit);
            }
            if decided.is_none() {
                decide(Vote::Abort);
            }
            return;
        }
        let (number, place) = (rule - 1, Place(rule));
        let Part::Resource { state: resource, prepared } = state[place] else { unreachable!() };
        if decided.is_none() && prepared != Message::Unsent {
            let received = Part::Resource { state: resource, prepared: Message::Received };
            steps.step(Step::HearPrepared(number)).put(place, received);
        }
        if resource == Resource::Working {
            let ready = Part::Resource { state: Resource::Prepared, prepared: Message::Sent };
            steps.step(Step::Prepare(number)).put(place, ready);
            let aborted = Part::Resource { state: Resource::Ended(Vote::Abort), prepared };
            steps.step(Step::ChooseAbort(number)).put(place, aborted);
        }
        if let Some(vote) = decided {
            let ended = Part::Resource { state: Resource::Ended(vote), prepared };
            steps.step(Step::Obey(number, vote)).put(place, ended);
        }
    }

    /// Steps put components in the place of others, and change none.
    fn changed(&self, _: &Part, change: &Infallible) -> Part {
        match *change {}
    }

    fn properties(&self) -> Vec<Property> {
        vec![
            Property::always("nobody commits what another one aborts"),
            Property::sometimes("all commit"),
            Property::sometimes("all abort"),
        ]
    }

    /// All of them look at the resource managers.
    fn property_groups(&self) -> Vec<Vec<usize>> {
        vec![vec![0, 1, 2]]
    }

    fn summaries(&self) -> u16 {
        1
    }

    /// [`STATE`] is all that the properties look at, so they are not asked again when a message is received.
    fn summary(&self, _: u16, part: &Part) -> Part {
        match *part {
            Part::Resource { state, .. } => Part::Resource { state, prepared: Message::Unsent },
            Part::Manager(decided) => Part::Manager(decided),
        }
    }

    fn holds(&self, property: usize, state: &Look<'_, Part>) -> bool {
        let has_ended = |it, vote| matches!(*state.summary(Place(it), STATE), Part::Resource { state: Resource::Ended(its), .. } if its == vote);
        let any = |vote| (1..=self.0).any(|it| has_ended(it, vote));
        let all = |vote| (1..=self.0).all(|it| has_ended(it, vote));
        match property {
            0 => !(any(Vote::Commit) && any(Vote::Abort)),
            1 => all(Vote::Commit),
            _ => all(Vote::Abort),
        }
    }
}

fn main() {
    let argument = std::env::args().nth(1);
    let resources = argument.and_then(|it| it.parse().ok()).filter(|it| (1..=16).contains(it));
    let Some(resources) = resources else {
        eprintln!("two_phase_commit: name a number of resource managers from 1 to 16");
        std::process::exit(2);
    };
    let report = Search::new(&TwoPhaseCommit(resources), Options::default()).breadth_first();
    println!("{} states, {} steps, depth {}", report.unique, report.generated, report.depth);
    println!("as expected: {}", report.is_as_expected());
}
