//! The trait for systems, and the arguments and results of its methods.

use std::cell::{OnceCell, RefCell};
use std::fmt::Debug;
use std::hash::Hash;
use std::ops::Index;
use std::sync::Arc;

/// Where a component stands in a state, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u16);

/// One of the rules by which steps are found, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule(pub u16);

/// Values of a type that can be a part of a system.
pub trait Part: Eq + Hash + Debug + Send + Sync + 'static {}

impl<T: Eq + Hash + Debug + Send + Sync + 'static> Part for T {}

/// A system whose states consist of a fixed number of components.
///
/// Every method must depend on its arguments alone: the engine calls it once and remembers the
/// answer, for the components that it looked at. Components are compared by their equality, and
/// hashed with their `Hash`, which must agree. Every search computes a sample of states in full and
/// compares it with the remembered answers; see [`Flaw`](crate::Flaw).
pub trait System: Sync {
    /// One part of a state. Systems of different parts use an enum.
    type Component: Part;
    /// How one component becomes another.
    type Change: Part;
    /// The label of a step, for people and for programs that replay a path.
    type Step: Part + Clone;
    /// A consequence of a step that must look at the state after the step's changes; `()` if the
    /// system has none.
    type Follow: Part;

    /// The system with its parameters, as text. A checkpoint of another name is refused.
    fn name(&self) -> String;

    /// The states in which a run may begin: a component for each place, the same number in each.
    fn initial_states(&self) -> Vec<Vec<Self::Component>>;

    /// The number of rules. Each is tried in each state, in order.
    fn rules(&self) -> u16;

    /// All steps that a rule allows next. The fewer components it looks at, the more often its
    /// answer is found remembered.
    fn steps(&self, rule: Rule, state: &Look<'_, Self::Component>, steps: &mut Steps<Self>);

    /// The component after a change.
    fn changed(&self, component: &Self::Component, change: &Self::Change) -> Self::Component;

    /// The effect of a consequence, given the state before the step and the state now, with the
    /// step's changes and those of its earlier consequences.
    fn follow(
        &self,
        follow: &Self::Follow,
        before: &Look<'_, Self::Component>,
        now: &Look<'_, Self::Component>,
        effect: &mut Effect<Self>,
    ) {
        let _ = (follow, before, now, effect);
    }

    /// The properties that every state is judged by.
    fn properties(&self) -> Vec<Property>;

    /// The properties by position, in groups that are asked and remembered together: those that look
    /// at much the same components. A search panics unless each is in one group. By default each has its
    /// own.
    fn property_groups(&self) -> Vec<Vec<usize>> {
        (0..self.properties().len()).map(|it| vec![it]).collect()
    }

    /// Whether a property, by its position in [`System::properties`], holds in a state.
    fn holds(&self, property: usize, state: &Look<'_, Self::Component>) -> bool;

    /// The names of the marks that a step can reach, such as a situation without which a search
    /// without findings proves little. See [`Effect::mark`].
    fn marks(&self) -> Vec<String> {
        Vec::new()
    }

    /// The kinds of steps by name. How often each was taken is counted.
    fn kinds(&self) -> Vec<String> {
        Vec::new()
    }

    /// The kind of a step, by its position in [`System::kinds`].
    fn kind(&self, step: &Self::Step) -> u16 {
        let _ = step;
        0
    }

    /// The number of summaries.
    fn summaries(&self) -> u16 {
        0
    }

    /// Those details of a component on which an answer depends; see [`Look::summary`]. What each
    /// number below [`System::summaries`] means is up to the system.
    ///
    /// # Panics
    ///
    /// If the system has no such summary, as most have none.
    fn summary(&self, number: u16, component: &Self::Component) -> Self::Component {
        panic!("the system has no summary {number} of {component:?}")
    }
}

/// A system whose components can be written into a checkpoint.
pub trait Portable: System {
    /// Appends a component as bytes.
    fn encode(&self, component: &Self::Component, bytes: &mut Vec<u8>);

    /// The component that exactly these bytes were made of; `None` for any others.
    fn decode(&self, bytes: &[u8]) -> Option<Self::Component>;
}

/// A predicate over states by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The name.
    pub name: String,
    /// What is expected of it.
    pub expected: Expected,
}

/// How often a property has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// In every state. A state in which it does not is a violation.
    Always,
    /// In some state. [`Report`](crate::Report) shows if none was found.
    Sometimes,
}

impl Property {
    /// A property that must hold in every state.
    pub fn always(name: impl Into<String>) -> Property {
        Property { name: name.into(), expected: Expected::Always }
    }

    /// A property that must hold in some state.
    pub fn sometimes(name: impl Into<String>) -> Property {
        Property { name: name.into(), expected: Expected::Sometimes }
    }
}

/// A state as a system sees it. The engine notes the places that are looked at: it remembers an
/// answer for the components that stood there, so that no input can be left out.
pub struct Look<'a, C> {
    parts: &'a [Arc<C>],
    side: u32,
    noted: &'a Noted<'a, C>,
}

/// Marks a noted place as one of the state before the step.
pub(crate) const BEFORE: u32 = 1 << 16;
/// The position of a summary's number in a noted word, with 1 added; 0 stands for the component
/// itself.
const SUMMARY_SHIFT: u32 = 17;
/// Numbers of summaries are below it.
pub(crate) const SUMMARIES_MAX: u16 = 1 << 13;
/// Stands in a noted word, where numbers of summaries do, for whether the component is the one that
/// stood there before the step.
pub(crate) const IS_KEPT: u16 = SUMMARIES_MAX;

/// The number of the summary that a noted word is about, if it is about one.
#[expect(clippy::cast_possible_truncation, reason = "14 bits")]
#[inline]
pub(crate) fn summary_of(word: u32) -> Option<u16> {
    (word >> SUMMARY_SHIFT & 0x3fff).checked_sub(1).map(|it| it as u16)
}

/// What an answer depends on, in the order in which it was looked at.
pub(crate) struct Noted<'a, C> {
    words: RefCell<Vec<u32>>,
    summarize: &'a dyn Fn(u16, &C) -> C,
    /// The summaries that were handed out, by their words.
    summaries: OnceCell<Box<Kept<C>>>,
}

struct Kept<C> {
    word: u32,
    summary: C,
    next: OnceCell<Box<Kept<C>>>,
}

impl<'a, C> Noted<'a, C> {
    pub(crate) fn new(summarize: &'a dyn Fn(u16, &C) -> C) -> Self {
        Noted { words: RefCell::default(), summarize, summaries: OnceCell::new() }
    }

    pub(crate) fn into_words(self) -> Vec<u32> {
        self.words.into_inner()
    }

    fn note(&self, word: u32) {
        let mut words = self.words.borrow_mut();
        if !words.contains(&word) {
            words.push(word);
        }
    }

    fn summary(&self, word: u32, number: u16, component: &C) -> &C {
        let mut place = &self.summaries;
        while let Some(kept) = place.get() {
            if kept.word == word {
                return &kept.summary;
            }
            place = &kept.next;
        }
        let summary = (self.summarize)(number, component);
        &place.get_or_init(|| Box::new(Kept { word, summary, next: OnceCell::new() })).summary
    }
}

impl<'a, C> Look<'a, C> {
    pub(crate) fn new(parts: &'a [Arc<C>], side: u32, noted: &'a Noted<'a, C>) -> Self {
        Look { parts, side, noted }
    }

    /// The details of the component at a place that [`System::summary`] computes for a number. The
    /// engine remembers the answer for the summary, so that it finds it again for every component with
    /// the same summary.
    ///
    /// # Panics
    ///
    /// If there is no such place, or the system has no such summary.
    #[must_use]
    pub fn summary(&self, Place(place): Place, number: u16) -> &'a C {
        assert!(number < SUMMARIES_MAX, "no system has {number} summaries");
        let whole = u32::from(place) | self.side;
        let word = whole | u32::from(number + 1) << SUMMARY_SHIFT;
        // A look at the whole component covers its summary.
        if !self.noted.words.borrow().contains(&whole) {
            self.noted.note(word);
        }
        self.noted.summary(word, number, &self.parts[usize::from(place)])
    }

    /// Whether the component at a place is now equal to the one before the step. Only this fact is
    /// noted, not the components. For the two looks of [`System::follow`]: call it on one and pass the
    /// other as `before`.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    #[must_use]
    pub fn has_kept(&self, Place(place): Place, before: &Look<'_, C>) -> bool
    where
        C: PartialEq,
    {
        self.noted.note(u32::from(place) | u32::from(IS_KEPT + 1) << SUMMARY_SHIFT);
        let [now, before] = [self, before].map(|it| &it.parts[usize::from(place)]);
        Arc::ptr_eq(now, before) || now == before
    }

    /// The number of places. Nothing is noted, as this is the same in every state.
    #[must_use]
    pub fn places(&self) -> usize {
        self.parts.len()
    }
}

impl<C> Index<Place> for Look<'_, C> {
    type Output = C;

    /// The component at a place.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    fn index(&self, place: Place) -> &C {
        self.noted.note(u32::from(place.0) | self.side);
        &self.parts[usize::from(place.0)]
    }
}

/// How a component changes.
pub(crate) enum How<S: System + ?Sized> {
    By(S::Change),
    Put(Arc<S::Component>),
}

/// The effect of a step, or of a consequence of it.
pub struct Effect<S: System + ?Sized> {
    pub(crate) changes: Vec<(Place, How<S>)>,
    pub(crate) follows: Vec<S::Follow>,
    pub(crate) marks: Vec<u16>,
}

impl<S: System + ?Sized> Effect<S> {
    pub(crate) fn new() -> Self {
        Effect { changes: Vec::new(), follows: Vec::new(), marks: Vec::new() }
    }

    /// Changes a component. Changes take place in the order in which they are named.
    pub fn change(&mut self, place: Place, change: S::Change) -> &mut Self {
        self.changes.push((place, How::By(change)));
        self
    }

    /// Puts another component in the place of one. This is faster than a change if the rule already
    /// knows the component that results.
    pub fn put(&mut self, place: Place, component: S::Component) -> &mut Self {
        self.changes.push((place, How::Put(Arc::new(component))));
        self
    }

    /// Adds a consequence, after the changes and after earlier consequences.
    pub fn then(&mut self, follow: S::Follow) -> &mut Self {
        self.follows.push(follow);
        self
    }

    /// Notes that something was reached, by its position in [`System::marks`].
    pub fn mark(&mut self, mark: u16) -> &mut Self {
        self.marks.push(mark);
        self
    }
}

/// Something that can happen.
pub struct Outcome<S: System + ?Sized> {
    pub(crate) step: S::Step,
    pub(crate) is_dead: bool,
    pub(crate) effect: Effect<S>,
}

impl<S: System + ?Sized> Outcome<S> {
    /// Changes a component; see [`Effect::change`].
    pub fn change(&mut self, place: Place, change: S::Change) -> &mut Self {
        self.effect.change(place, change);
        self
    }

    /// Puts another component in place of one; see [`Effect::put`].
    pub fn put(&mut self, place: Place, component: S::Component) -> &mut Self {
        self.effect.put(place, component);
        self
    }

    /// Lets something follow; see [`Effect::then`].
    pub fn then(&mut self, follow: S::Follow) -> &mut Self {
        self.effect.then(follow);
        self
    }

    /// Notes that something was reached; see [`Effect::mark`].
    pub fn mark(&mut self, mark: u16) -> &mut Self {
        self.effect.mark(mark);
        self
    }

    /// Claims that the step is dead: that it makes no difference when it happens. See
    /// [`DeadSteps`](crate::DeadSteps).
    pub fn dead(&mut self) -> &mut Self {
        self.is_dead = true;
        self
    }
}

/// Where a rule puts the steps that it finds.
pub struct Steps<S: System + ?Sized>(pub(crate) Vec<Outcome<S>>);

impl<S: System + ?Sized> Steps<S> {
    /// Adds a step, which does nothing until its changes are named.
    #[expect(clippy::missing_panics_doc, reason = "the outcome was just pushed")]
    pub fn step(&mut self, step: S::Step) -> &mut Outcome<S> {
        self.0.push(Outcome { step, is_dead: false, effect: Effect::new() });
        self.0.last_mut().expect("the outcome just pushed")
    }
}
