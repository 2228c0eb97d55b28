//! The result of a search.

use std::fmt;
use std::time::Duration;

use crate::flaw::Flaw;
use crate::plain::State;
use crate::system::{Expected, Property, System};

/// The result of a search.
pub struct Report<S: System> {
    /// Why it ended. Anything but [`Ended::Complete`] proves nothing beyond the findings.
    pub ended: Ended<S>,
    /// The number of different states found.
    pub unique: u64,
    /// The number of states generated: initial states, and one for each step taken.
    pub generated: u64,
    /// The distance in steps of the deepest state from an initial one; depth-first, the longest path.
    pub depth: u64,
    /// The levels that were searched to their end; none unless breadth-first.
    pub levels: Vec<Level>,
    /// The properties, in the order of [`System::properties`].
    pub properties: Vec<Property>,
    /// The findings, at most one for each property, in that order.
    pub findings: Vec<Finding<S>>,
    /// The marks by name, and whether a step reached each.
    pub marks: Vec<(String, bool)>,
    /// The kinds of steps by name, and how often each was taken: once for each generated state that
    /// is not initial. Dead steps that were taken at once are not counted here.
    pub taken: Vec<(String, u64)>,
    /// Dead steps that were taken at once.
    pub dead_steps_dropped: u64,
    /// Different components, summaries among them.
    pub components: u64,
    /// Components whose hash is also that of an unequal one. They are kept apart, but a hash
    /// that has many of them is worth a look.
    pub hash_ties: u64,
    /// States that were computed in full and compared.
    pub sampled: u64,
    /// The largest size of the tables and the frontier, in bytes, without memory that components own.
    pub peak_bytes: u64,
    /// The chance that at least two states were taken for one.
    pub collision_chance: f64,
    /// The time that it took, without the time before a checkpoint.
    pub wall: Duration,
}

impl<S: System> Report<S> {
    /// Whether every state was visited.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.ended, Ended::Complete)
    }

    /// The first violation of a property that must always hold.
    #[must_use]
    pub fn violation(&self) -> Option<&Finding<S>> {
        self.findings.iter().find(|it| it.expected == Expected::Always)
    }

    /// The finding for a property by name.
    #[must_use]
    pub fn finding(&self, property: &str) -> Option<&Finding<S>> {
        self.findings.iter().find(|it| it.property == property)
    }

    /// Whether every state was visited and every property is as expected: those that must always
    /// hold did, and each that must hold sometimes was found to hold.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        let is_seen = |it: &Property| self.finding(&it.name).is_some();
        let is_as_expected = |it: &Property| is_seen(it) == (it.expected == Expected::Sometimes);
        self.is_complete() && self.properties.iter().all(is_as_expected)
    }
}

/// Why a search ended.
pub enum Ended<S: System> {
    /// Every state was visited.
    Complete,
    /// It made the finding that [`Options::until`](crate::Options::until) asks for.
    Found,
    /// It reached the limit on states.
    States,
    /// It reached the limit on time.
    Time,
    /// It would have needed more memory.
    Memory,
    /// The observer ended it, with this reason.
    Observer(String),
    /// A process that shares the search was lost or cannot go on, with the reason. Counts are those
    /// of the last round, and there are no findings.
    Peer(String),
    /// The system cannot be searched.
    Flawed(Box<Flawed<S>>),
}

/// A system that cannot be searched, with the evidence.
pub struct Flawed<S: System> {
    /// What is wrong.
    pub flaw: Flaw,
    /// The state from which it showed.
    pub state: State<S>,
    /// The run that led there, if it can be repeated.
    pub path: Option<Path<S>>,
}

impl<S: System> fmt::Display for Flawed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nin the state {:?}", self.flaw, self.state)?;
        match &self.path {
            Some(path) => write!(f, "\nafter the steps {path:?}"),
            None => write!(f, "\nthe steps that led there cannot be repeated"),
        }
    }
}

impl<S: System> fmt::Display for Ended<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Complete => write!(f, "complete"),
            Ended::Found => write!(f, "ended by a finding"),
            Ended::States => write!(f, "incomplete: reached the limit on states"),
            Ended::Time => write!(f, "incomplete: out of time"),
            Ended::Memory => write!(f, "incomplete: out of memory"),
            Ended::Observer(why) | Ended::Peer(why) => write!(f, "incomplete: {why}"),
            Ended::Flawed(flawed) => write!(f, "the system cannot be searched: {flawed}"),
        }
    }
}

impl<S: System> fmt::Debug for Ended<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<S: System> fmt::Debug for Finding<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {:?}", self.expected, self.property, self.path)
    }
}

impl<S: System> fmt::Debug for Report<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { ended, unique, generated, depth, findings, .. } = self;
        write!(f, "{ended}: {unique} of {generated} states, depth {depth}, found {findings:?}")
    }
}

/// A state in which a property does not hold that must always, or holds that must sometimes.
pub struct Finding<S: System> {
    /// The property.
    pub property: String,
    /// What is expected of it.
    pub expected: Expected,
    /// A run that reaches the state. Breadth-first, no path is shorter.
    pub path: Path<S>,
}

/// A run from an initial state: the steps, each with the state after it.
pub struct Path<S: System> {
    /// The state that it begins in.
    pub initial: State<S>,
    /// The steps, each with the state after it.
    pub steps: Vec<(S::Step, State<S>)>,
}

impl<S: System> Path<S> {
    /// The state that it ends in.
    #[must_use]
    pub fn last(&self) -> &State<S> {
        self.steps.last().map_or(&self.initial, |it| &it.1)
    }

    /// The steps without the states.
    #[must_use]
    pub fn labels(&self) -> Vec<S::Step> {
        self.steps.iter().map(|it| it.0.clone()).collect()
    }
}

impl<S: System> Clone for Path<S> {
    fn clone(&self) -> Self {
        Path { initial: self.initial.clone(), steps: self.steps.clone() }
    }
}

impl<S: System> fmt::Debug for Path<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|it| &it.0)).finish()
    }
}

/// One level of a breadth-first search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The distance in steps of its states from an initial one.
    pub depth: u64,
    /// The number of its states.
    pub states: u64,
    /// The number of steps that they allow.
    pub generated: u64,
    /// The number of states that these steps found, which is the number of states of the next level.
    pub new: u64,
    /// The time that it took.
    pub wall: Duration,
}

/// The progress of a search.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The level that is searched; depth-first, the depth of the last state.
    pub depth: u64,
    /// The number of states of that level; depth-first, the number of states that wait.
    pub frontier: u64,
    /// The number of them that were expanded.
    pub expanded: u64,
    /// The number of different states found.
    pub unique: u64,
    /// The number of states generated.
    pub generated: u64,
    /// The size of tables and frontier in bytes, without memory that components own.
    pub bytes: u64,
    /// The time that the search has taken.
    pub wall: Duration,
    /// Whether a level ended just now.
    pub level_ended: bool,
}
