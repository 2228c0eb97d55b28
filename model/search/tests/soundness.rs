//! Systems that break the rules are noticed, with the run that led there.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};

use steadfast_search::{
    DeadSteps, Effect, Ended, Flaw, Flawed, Look, Options, Place, Property, Rule, Search, Steps,
    System,
};

/// A method of a broken system, given the rule or property, the state and a count of calls.
type Broken<T> = fn(u16, &Look<'_, Number>, u32) -> T;

/// Two counters up to 9; each rule is told to add to one of them. Some method is broken.
struct Counters {
    adds: Broken<u8>,
    holds: Broken<bool>,
    changes: fn(&Number, u8) -> Number,
    follow: Option<Effects>,
    is_dead: bool,
    place_of: fn(u16) -> u16,
    calls: AtomicU32,
    /// What rule 0 saw last, behind the engine's back.
    seen: AtomicU32,
}

#[derive(Clone, Copy)]
enum Effects {
    Again,
    Panic,
}

/// A number, and something that its equality ignores.
#[derive(Clone, Debug)]
struct Number(u8, u8);

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.0 == other.0
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0, self.1).hash(state);
    }
}

/// How far a counter goes.
const LAST: u8 = 9;

fn right() -> Counters {
    Counters {
        adds: |rule, state, _| u8::from(state[Place(rule)].0 < LAST),
        holds: |_, state, _| state[Place(0)].0 <= LAST,
        changes: |number, add| Number(number.0 + add, 0),
        follow: None,
        is_dead: false,
        place_of: |rule| rule,
        calls: AtomicU32::new(0),
        seen: AtomicU32::new(0),
    }
}

impl System for Counters {
    type Component = Number;
    type Change = u8;
    type Step = u16;
    type Follow = ();

    fn name(&self) -> String {
        "counters".into()
    }

    fn initial_states(&self) -> Vec<Vec<Number>> {
        vec![vec![Number(0, 0), Number(0, 0)]]
    }

    fn rules(&self) -> u16 {
        2
    }

    fn steps(&self, rule: Rule, state: &Look<'_, Number>, steps: &mut Steps<Self>) {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if rule.0 == 0 {
            self.seen.store(u32::from(state[Place(0)].0), Ordering::Relaxed);
        }
        let add = (self.adds)(rule.0, state, calls + (self.seen.load(Ordering::Relaxed) << 16));
        if add > 0 {
            let step = steps.step(rule.0).change(Place((self.place_of)(rule.0)), add);
            if self.follow.is_some() {
                step.then(());
            }
            if self.is_dead {
                step.dead();
            }
        }
    }

    fn changed(&self, component: &Number, change: &u8) -> Number {
        (self.changes)(component, *change)
    }

    fn follow(
        &self,
        (): &(),
        _: &Look<'_, Number>,
        now: &Look<'_, Number>,
        effect: &mut Effect<Self>,
    ) {
        match self.follow {
            Some(Effects::Again) => effect.then(()),
            Some(Effects::Panic) if now[Place(0)].0 == 2 => panic!("at two"),
            _ => effect,
        };
    }

    fn properties(&self) -> Vec<Property> {
        vec![Property::always("in range")]
    }

    fn holds(&self, property: usize, state: &Look<'_, Number>) -> bool {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        (self.holds)(u16::try_from(property).expect("one"), state, calls)
    }
}

fn flaw_with(system: &Counters, options: Options) -> Box<Flawed<Counters>> {
    match Search::new(system, options).breadth_first().ended {
        Ended::Flawed(flawed) => flawed,
        ended => panic!("{ended}"),
    }
}

fn flaw(system: &Counters) -> Box<Flawed<Counters>> {
    flaw_with(system, Options::default())
}

/// The steps that led to where a flaw showed lead there.
fn led_there(flawed: &Flawed<Counters>) -> Vec<u16> {
    let path = flawed.path.as_ref().expect("a run that can be repeated");
    assert_eq!(*path.last(), flawed.state);
    path.labels()
}

#[test]
fn the_right_system_is_searched_to_the_end_and_sampled() {
    let system = right();
    let report = Search::new(&system, Options::default()).breadth_first();
    assert!(report.is_as_expected(), "{report:?}");
    assert_eq!((report.unique, report.generated, report.depth), (100, 181, 18));
    assert_eq!(report.sampled, 100);
}

/// Rule 1 uses the first counter, which it did not look at: it remembers what rule 0 saw.
#[test]
fn a_footprint_that_forgets_an_input_is_caught() {
    let adds: Broken<u8> = |rule, state, told| match rule {
        0 => u8::from(state[Place(0)].0 < LAST),
        _ => u8::from(state[Place(1)].0 < LAST && told >> 16 != 5),
    };
    let system = Counters { adds, ..right() };
    let flawed = flaw(&system);
    assert!(
        matches!(flawed.flaw, Flaw::Differs { .. } | Flaw::NotDeterministic { .. }),
        "{flawed}"
    );
    assert!(flawed.state.len() == 2);
    // With the input looked at, nothing is wrong.
    let adds: Broken<u8> = |rule, state, _| {
        let is_held = rule == 1 && state[Place(0)].0 == 5;
        u8::from(state[Place(rule)].0 < LAST && !is_held)
    };
    let system = Counters { adds, ..right() };
    assert!(Search::new(&system, Options::default()).breadth_first().is_as_expected());
}

/// As above, for a property.
#[test]
fn a_verdict_that_depends_on_more_than_it_looked_at_is_caught() {
    let holds: Broken<bool> = |_, state, calls| state[Place(0)].0 <= LAST && calls % 97 != 96;
    let flawed = flaw(&Counters { holds, ..right() });
    let Flaw::Differs { during, .. } = &flawed.flaw else { panic!("{flawed}") };
    assert!(during.contains("in range"));
}

#[test]
fn steps_that_depend_on_more_than_the_state_are_caught() {
    let adds: Broken<u8> =
        |rule, state, calls| u8::from(state[Place(rule)].0 < LAST && calls % 7 != 3);
    let flawed = flaw(&Counters { adds, ..right() });
    assert!(
        matches!(flawed.flaw, Flaw::Differs { .. } | Flaw::NotDeterministic { .. }),
        "{flawed}"
    );
}

#[test]
fn a_hash_that_disagrees_with_equality_is_caught() {
    let changes = |number: &Number, add| Number(number.0 + add, number.1 + 1 + add);
    let adds: Broken<u8> = |rule, state, _| match rule {
        0 => 2 * u8::from(state[Place(0)].0 < 2),
        _ => u8::from(state[Place(1)].0 < 2),
    };
    let flawed = flaw(&Counters { changes, adds, ..right() });
    assert!(matches!(flawed.flaw, Flaw::HashDisagrees { .. }), "{flawed}");
}

#[test]
fn a_panic_is_passed_on_with_the_run_that_led_there() {
    let adds: Broken<u8> = |rule, state, _| {
        assert!(state[Place(0)].0 < 3, "three is too much");
        u8::from(state[Place(rule)].0 < LAST)
    };
    let flawed = flaw(&Counters { adds, ..right() });
    let Flaw::Panicked { during, message } = &flawed.flaw else { panic!("{flawed}") };
    assert_eq!((during.as_str(), message.as_str()), ("rule 0", "three is too much"));
    assert_eq!(led_there(&flawed), [0, 0, 0]);

    let changes = |number: &Number, add| match number.0 {
        2 => panic!("no change of two"),
        it => Number(it + add, 0),
    };
    let flawed = flaw(&Counters { changes, ..right() });
    assert!(matches!(&flawed.flaw, Flaw::Panicked { during, .. } if during.contains("change 1")));
    assert_eq!(led_there(&flawed).len(), 2);

    let flawed = flaw(&Counters { follow: Some(Effects::Panic), ..right() });
    assert!(matches!(&flawed.flaw, Flaw::Panicked { message, .. } if message == "at two"));
    assert_eq!(led_there(&flawed), [0]);

    let holds: Broken<bool> = |_, state, _| {
        assert!(state[Place(0)].0 < 1, "no verdict");
        true
    };
    let flawed = flaw(&Counters { holds, ..right() });
    assert!(matches!(&flawed.flaw, Flaw::Panicked { during, .. } if during.contains("in range")));
    assert_eq!(led_there(&flawed), [0]);
}

#[test]
fn a_place_that_no_state_has_is_refused() {
    let flawed = flaw(&Counters { place_of: |rule| rule + 7, ..right() });
    assert_eq!(
        flawed.flaw,
        Flaw::NoSuchPlace { during: "rule 0".into(), place: 7, places: 2 },
        "{flawed}"
    );
}

#[test]
fn what_follows_for_ever_is_refused() {
    let flawed = flaw(&Counters { follow: Some(Effects::Again), ..right() });
    assert!(matches!(flawed.flaw, Flaw::Endless { .. }), "{flawed}");
    assert!(flawed.flaw.to_string().contains("the step 0"), "{flawed}");
}

/// Steps that count are not dead: the state that they lead to can do less.
#[test]
fn a_step_that_is_wrongly_claimed_to_be_dead_is_caught() {
    for dead_steps in [DeadSteps::Explore, DeadSteps::Check, DeadSteps::Drop] {
        let holds: Broken<bool> = |_, state, _| state[Place(0)].0 != 4;
        let system = Counters { is_dead: true, holds, ..right() };
        let flawed = flaw_with(&system, Options { dead_steps, ..Options::default() });
        assert!(matches!(flawed.flaw, Flaw::DeadStepMatters { .. }), "{dead_steps:?}: {flawed}");
    }
}

#[test]
fn a_flaw_is_found_on_several_threads_and_in_every_way_of_searching() {
    let adds: Broken<u8> = |rule, state, _| {
        assert!(state[Place(1)].0 < 8, "eight");
        u8::from(state[Place(rule)].0 < LAST)
    };
    let system = Counters { adds, ..right() };
    let threads = NonZero::new(3).expect("a thread");
    let flawed = flaw_with(&system, Options { threads, ..Options::default() });
    assert!(matches!(flawed.flaw, Flaw::Panicked { .. }));
    let search = Search::new(&system, Options::default());
    assert!(matches!(search.depth_first().ended, Ended::Flawed(_)));
    assert!(matches!(search.settling(&|_, _| true, 0).ended, Ended::Flawed(_)));
}
