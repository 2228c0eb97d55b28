//! Models of stateright as systems of one component.

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Expectation, Model};

use crate::system::{Look, Place, Property, Rule, Steps, System};

/// A model of stateright, whose whole state is one component.
///
/// States are compared by their equality, whatever their hash leaves out. The search keeps each
/// state whole, so this is for small models and for comparisons: the engine is fast on systems of
/// many components.
pub struct Undivided<M> {
    model: M,
}

/// A property that no search of single states can judge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the property {0:?} is to hold eventually, which a search of states cannot judge; see \
     `Search::settling`"
)]
pub struct Eventually(pub String);

/// An action of a model: its position among the actions of the state, and its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Taken {
    /// The position in the list that [`Model::actions`] collects.
    pub nth: usize,
    /// The text of [`Model::format_action`].
    pub text: String,
}

impl<M: Model> Undivided<M> {
    /// The system that a model is.
    ///
    /// # Errors
    ///
    /// [`Eventually`] if the model has such a property.
    pub fn new(model: M) -> Result<Self, Eventually> {
        let properties = model.properties();
        match properties.iter().find(|it| it.expectation == Expectation::Eventually) {
            Some(property) => Err(Eventually(property.name.to_owned())),
            None => Ok(Undivided { model }),
        }
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }
}

const STATE: Place = Place(0);

impl<M> System for Undivided<M>
where
    M: Model + Sync,
    M::State: Clone + Eq + Hash + Debug + Send + Sync + 'static,
    M::Action: Debug,
{
    type Component = M::State;
    type Change = M::State;
    type Step = Taken;
    type Follow = ();

    fn name(&self) -> String {
        std::any::type_name::<M>().to_owned()
    }

    fn initial_states(&self) -> Vec<Vec<M::State>> {
        let states = self.model.init_states().into_iter();
        states.filter(|it| self.model.within_boundary(it)).map(|it| vec![it]).collect()
    }

    fn rules(&self) -> u16 {
        1
    }

    fn steps(&self, _: Rule, state: &Look<'_, M::State>, steps: &mut Steps<Self>) {
        let state = &state[STATE];
        let mut actions = Vec::new();
        self.model.actions(state, &mut actions);
        for (nth, action) in actions.into_iter().enumerate() {
            let text = self.model.format_action(&action);
            let next = self.model.next_state(state, action);
            if let Some(next) = next.filter(|it| self.model.within_boundary(it)) {
                steps.step(Taken { nth, text }).change(STATE, next);
            }
        }
    }

    fn changed(&self, _: &M::State, change: &M::State) -> M::State {
        change.clone()
    }

    fn properties(&self) -> Vec<Property> {
        let property = |it: stateright::Property<M>| match it.expectation {
            Expectation::Sometimes => Property::sometimes(it.name),
            _ => Property::always(it.name),
        };
        self.model.properties().into_iter().map(property).collect()
    }

    fn holds(&self, property: usize, state: &Look<'_, M::State>) -> bool {
        (self.model.properties()[property].condition)(&self.model, &state[STATE])
    }
}
