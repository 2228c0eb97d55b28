//! Two-phase commit (Gray, Lamport, "Consensus on Transaction Commit", TODS 31(1), 2006, section 3)
//! with any number of resource managers, searched to the end.
//!
//! `cargo run -p steadfast-search --example two_phase_commit 7`

use steadfast_search::{Look, Options, Place, Property, Rule, Search, Steps, System};

/// A transaction manager and this many resource managers.
pub(crate) struct TwoPhaseCommit(pub(crate) u16);

/// The components: the transaction manager at place 0, the resource managers behind it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// The resource managers that it has heard from, one bit each, and its decision, which it has sent to all.
    Manager { heard: u32, decided: Option<Vote> },
    /// Its state, and whether it has reported to the transaction manager that it is prepared.
    Resource { state: Resource, told: bool },
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

impl System for TwoPhaseCommit {
    type Component = Part;
    type Change = Part;
    type Step = Step;
    type Follow = ();

    fn name(&self) -> String {
        format!("two-phase commit of {}", self.0)
    }

    fn initial_states(&self) -> Vec<Vec<Part>> {
        let resource = Part::Resource { state: Resource::Working, told: false };
        let manager = Part::Manager { heard: 0, decided: None };
        vec![[manager].into_iter().chain((0..self.0).map(|_| resource.clone())).collect()]
    }

    /// One for the decision, and two for each resource manager.
    fn rules(&self) -> u16 {
        1 + 2 * self.0
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, Part>, steps: &mut Steps<Self>) {
        let Part::Manager { heard, decided } = state[MANAGER] else { unreachable!() };
        let decide = |vote| Part::Manager { heard, decided: Some(vote) };
        if rule == 0 {
            if decided.is_none() && heard.count_ones() == u32::from(self.0) {
                steps.step(Step::Decide(Vote::Commit)).change(MANAGER, decide(Vote::Commit));
            }
            if decided.is_none() {
                steps.step(Step::Decide(Vote::Abort)).change(MANAGER, decide(Vote::Abort));
            }
            return;
        }
        let number = (rule - 1) / 2;
        let place = Place(number + 1);
        let Part::Resource { state: resource, told } = state[place] else { unreachable!() };
        if rule % 2 == 0 {
            if decided.is_none() && told {
                let hears = Part::Manager { heard: heard | 1 << number, decided };
                steps.step(Step::HearPrepared(number)).change(MANAGER, hears);
            }
            return;
        }
        if resource == Resource::Working {
            let prepared = Part::Resource { state: Resource::Prepared, told: true };
            steps.step(Step::Prepare(number)).change(place, prepared);
            let aborted = Part::Resource { state: Resource::Ended(Vote::Abort), told };
            steps.step(Step::ChooseAbort(number)).change(place, aborted);
        }
        if let Some(vote) = decided {
            let ended = Part::Resource { state: Resource::Ended(vote), told };
            steps.step(Step::Obey(number, vote)).change(place, ended);
        }
    }

    fn changed(&self, _: &Part, change: &Part) -> Part {
        change.clone()
    }

    fn properties(&self) -> Vec<Property> {
        vec![
            Property::always("nobody commits what another one aborts"),
            Property::sometimes("all commit"),
            Property::sometimes("all abort"),
        ]
    }

    fn holds(&self, property: usize, state: &Look<'_, Part>) -> bool {
        let has_ended = |number, vote| matches!(state[Place(number)], Part::Resource { state: Resource::Ended(it), .. } if it == vote);
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
