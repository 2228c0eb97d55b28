//! A system computed in full: nothing is numbered, remembered or left out. Every search compares a
//! sample with it, and replaying a path takes its steps with it.

use std::sync::Arc;

use crate::flaw::{FOLLOWS_MAX, Flaw};
use crate::print::content_hash;
use crate::remembered::{change_of, follow_up, holds, outcomes};
use crate::system::{Effect, How, Noted, Place, Rule, System};

/// A state: the components by their places.
pub type State<S> = Vec<Arc<<S as System>::Component>>;

/// A step and the state that it leads to.
pub struct Next<S: System> {
    /// The step.
    pub step: S::Step,
    /// Whether it is claimed to be dead.
    pub is_dead: bool,
    /// The state after it.
    pub state: State<S>,
    /// The marks that it reached, by position.
    pub marks: Vec<u16>,
}

/// Every step that can be taken in a state, in the order of rules.
///
/// # Errors
///
/// A [`Flaw`] if the system panics or names a place that the state does not have.
pub fn next_states<S: System>(
    system: &S,
    state: &[Arc<S::Component>],
) -> Result<Vec<Next<S>>, Flaw> {
    let summarize = |number, component: &S::Component| system.summary(number, component);
    let mut next = Vec::new();
    for rule in (0..system.rules()).map(Rule) {
        let noted = Noted::new(&summarize);
        for outcome in outcomes(system, rule, state, &noted).map_err(|it| *it)? {
            let (step, is_dead) = (outcome.step, outcome.is_dead);
            let (state, marks) = after(system, state, &step, outcome.effect)?;
            next.push(Next { step, is_dead, state, marks });
        }
    }
    Ok(next)
}

fn after<S: System>(
    system: &S,
    before: &[Arc<S::Component>],
    step: &S::Step,
    effect: Effect<S>,
) -> Result<(State<S>, Vec<u16>), Flaw> {
    let summarize = |number, component: &S::Component| system.summary(number, component);
    let mut now = before.to_vec();
    let mut marks = Vec::new();
    let mut follows: Vec<S::Follow> = Vec::new();
    let mut next = 0;
    let mut effect = Some(effect);
    loop {
        if let Some(effect) = effect.take() {
            apply(system, &mut now, effect.changes)?;
            follows.extend(effect.follows);
            marks.extend(effect.marks);
        }
        let Some(follow) = follows.get(next) else {
            return Ok((now, marks));
        };
        if next >= FOLLOWS_MAX {
            return Err(Flaw::Endless { during: format!("the step {step:?}") });
        }
        next += 1;
        let noted = Noted::new(&summarize);
        let followed = follow_up(system, follow, [before, &now], &noted);
        effect = Some(followed.map_err(|it| *it)?);
    }
}

fn apply<S: System>(
    system: &S,
    now: &mut [Arc<S::Component>],
    changes: Vec<(Place, How<S>)>,
) -> Result<(), Flaw> {
    let places = now.len();
    for (Place(place), change) in changes {
        let place = usize::from(place);
        let Some(component) = now.get_mut(place) else {
            let during = match change {
                How::By(change) => format!("the change {change:?}"),
                How::Put(component) => format!("putting {component:?}"),
            };
            return Err(Flaw::NoSuchPlace { during, place, places });
        };
        *component = match change {
            How::By(change) => Arc::new(change_of(system, component, &change).map_err(|it| *it)?),
            How::Put(component) => component,
        };
    }
    Ok(())
}

/// Whether each property holds in a state, in the order of [`System::properties`].
///
/// # Errors
///
/// A [`Flaw`] if the system panics.
pub fn verdicts<S: System>(system: &S, state: &[Arc<S::Component>]) -> Result<Vec<bool>, Flaw> {
    let properties = 0..system.properties().len();
    let summarize = |number, component: &S::Component| system.summary(number, component);
    let judge = |it| holds(system, it, state, &Noted::new(&summarize)).map_err(|it| *it);
    properties.map(judge).collect()
}

/// The remembered answers about a state.
pub(crate) struct Claim<S: System> {
    pub state: State<S>,
    pub hashes: Vec<[u64; 2]>,
    pub next: Vec<(Arc<S::Step>, State<S>)>,
    pub verdicts: Vec<bool>,
    /// Whether every tie of hashes was broken by changing a hash: then hashes are not compared.
    pub has_ties: bool,
}

/// Compares the remembered answers about a state with the full computation. It computes twice, so
/// that a dependence on more than the state has a chance to show.
pub(crate) fn compare<S: System>(system: &S, claim: &Claim<S>) -> Result<(), Flaw> {
    for (component, hash) in claim.state.iter().zip(&claim.hashes) {
        if !claim.has_ties && content_hash(&**component) != *hash {
            let detail = format!("the hash of {component:?} has changed");
            return Err(Flaw::Differs { during: "a component".into(), detail });
        }
    }
    for _ in 0..2 {
        compare_steps(system, claim)?;
        let verdicts = verdicts(system, &claim.state)?;
        for (property, (now, then)) in verdicts.iter().zip(&claim.verdicts).enumerate() {
            if now != then {
                let during = format!("the property {:?}", system.properties()[property].name);
                let detail = format!("{now} now, and {then} then");
                return Err(Flaw::Differs { during, detail });
            }
        }
    }
    Ok(())
}

fn compare_steps<S: System>(system: &S, claim: &Claim<S>) -> Result<(), Flaw> {
    let next = next_states(system, &claim.state)?;
    let differs = |detail| Flaw::Differs { during: "the steps of a state".into(), detail };
    for (now, (step, state)) in next.iter().zip(&claim.next) {
        if now.step != **step {
            return Err(differs(format!("{:?} now, and {step:?} then", now.step)));
        }
        for (place, (now, then)) in now.state.iter().zip(state).enumerate() {
            if now != then {
                let detail =
                    format!("{step:?} leads to {now:?} at place {place} now, and to {then:?} then");
                return Err(differs(detail));
            }
            if content_hash(&**now) != content_hash(&**then) {
                return Err(Flaw::HashDisagrees {
                    one: format!("{now:?}"),
                    other: format!("{then:?}"),
                });
            }
        }
    }
    match next.len() == claim.next.len() {
        true => Ok(()),
        false => Err(differs(format!("{} now, and {} then", next.len(), claim.next.len()))),
    }
}
