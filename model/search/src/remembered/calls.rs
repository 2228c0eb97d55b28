//! The calls of a system. A panic of the system becomes a flaw that names the question.

use std::sync::Arc;

use super::{follow_text, property_text, rule_text};
use crate::flaw::{Flaw, caught};
use crate::system::{BEFORE, Effect, Look, Noted, Outcome, Rule, Steps, System};

/// The steps that a rule allows.
pub(crate) fn outcomes<S: System>(
    system: &S,
    rule: Rule,
    now: &[Arc<S::Component>],
    noted: &Noted<'_, S::Component>,
) -> Result<Vec<Outcome<S>>, Box<Flaw>> {
    let mut steps = Steps(Vec::new());
    caught(|| rule_text(rule), || system.steps(rule, &Look::new(now, 0, noted), &mut steps))?;
    Ok(steps.0)
}

/// Whether a property holds.
pub(crate) fn holds<S: System>(
    system: &S,
    property: usize,
    now: &[Arc<S::Component>],
    noted: &Noted<'_, S::Component>,
) -> Result<bool, Box<Flaw>> {
    let during = || property_text(system, property);
    caught(during, || system.holds(property, &Look::new(now, 0, noted)))
}

/// The effect of something that follows.
pub(crate) fn follow_up<S: System>(
    system: &S,
    follow: &S::Follow,
    [before, now]: [&[Arc<S::Component>]; 2],
    noted: &Noted<'_, S::Component>,
) -> Result<Effect<S>, Box<Flaw>> {
    let mut effect = Effect::new();
    let (before, now) = (Look::new(before, BEFORE, noted), Look::new(now, 0, noted));
    caught(|| follow_text(follow), || system.follow(follow, &before, &now, &mut effect))?;
    Ok(effect)
}

/// The component after a change.
pub(crate) fn change_of<S: System>(
    system: &S,
    component: &S::Component,
    change: &S::Change,
) -> Result<S::Component, Box<Flaw>> {
    let during = || format!("the change {change:?} of {component:?}");
    caught(during, || system.changed(component, change))
}
