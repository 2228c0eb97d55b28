//! Systems that are tables, for tests that make up their own, and a search that is too simple to be
//! wrong.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use steadfast_search::{Effect, Look, Place, Property, Rule, Steps, System};

/// How many values a component takes.
pub(crate) const VALUES: u8 = 3;

/// What a rule looks at: `place` must hold `value`, and only then the others are looked at.
pub(crate) type Guard = Vec<(u16, u8)>;

/// A step of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) guard: Guard,
    /// By how much places grow, modulo [`VALUES`].
    pub(crate) adds: Vec<(u16, u8)>,
    /// After that, if the first place was the second's value before: the third grows by one.
    pub(crate) follow: Option<(u16, u16, u16)>,
}

/// A system of components that are small numbers.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) initial: Vec<Vec<u8>>,
    pub(crate) rules: Vec<Vec<Line>>,
    /// Each is broken where its guard holds.
    pub(crate) properties: Vec<Guard>,
}

impl System for Table {
    type Component = u8;
    type Change = u8;
    type Step = (u16, usize);
    type Follow = (u16, u16, u16);

    fn name(&self) -> String {
        format!("{self:?}")
    }

    fn initial_states(&self) -> Vec<Vec<u8>> {
        self.initial.clone()
    }

    fn rules(&self) -> u16 {
        u16::try_from(self.rules.len()).expect("a few rules")
    }

    fn steps(&self, rule: Rule, state: &Look<'_, u8>, steps: &mut Steps<Self>) {
        for (nth, line) in self.rules[usize::from(rule.0)].iter().enumerate() {
            if line.guard.iter().all(|(place, value)| state[Place(*place)] == *value) {
                let step = steps.step((rule.0, nth)).mark(rule.0);
                for (place, add) in &line.adds {
                    step.change(Place(*place), *add);
                }
                if let Some(follow) = line.follow {
                    step.then(follow);
                }
            }
        }
    }

    fn changed(&self, component: &u8, change: &u8) -> u8 {
        (component + change) % VALUES
    }

    fn follow(
        &self,
        &(before, now, then): &(u16, u16, u16),
        was: &Look<'_, u8>,
        is: &Look<'_, u8>,
        effect: &mut Effect<Self>,
    ) {
        if was[Place(before)] == is[Place(now)] {
            effect.change(Place(then), 1);
        }
    }

    fn marks(&self) -> Vec<String> {
        (0..self.rules.len()).map(|it| it.to_string()).collect()
    }

    fn properties(&self) -> Vec<Property> {
        (0..self.properties.len()).map(|it| Property::always(it.to_string())).collect()
    }

    /// Two in each.
    fn property_groups(&self) -> Vec<Vec<usize>> {
        let properties: Vec<usize> = (0..self.properties.len()).collect();
        properties.chunks(2).map(<[usize]>::to_vec).collect()
    }

    fn holds(&self, property: usize, state: &Look<'_, u8>) -> bool {
        let guard = &self.properties[property];
        !guard.iter().all(|(place, value)| state[Place(*place)] == *value)
    }
}

impl Table {
    /// The steps of a state, computed in the plainest way.
    pub(crate) fn next(&self, state: &[u8]) -> Vec<((u16, usize), Vec<u8>)> {
        let mut next = Vec::new();
        for (rule, lines) in (0_u16..).zip(&self.rules) {
            for (nth, line) in lines.iter().enumerate() {
                if !line.guard.iter().all(|(place, value)| state[usize::from(*place)] == *value) {
                    continue;
                }
                let mut after = state.to_vec();
                for (place, add) in &line.adds {
                    let place = usize::from(*place);
                    after[place] = (after[place] + add) % VALUES;
                }
                if let Some((before, now, then)) = line.follow
                    && state[usize::from(before)] == after[usize::from(now)]
                {
                    after[usize::from(then)] = (after[usize::from(then)] + 1) % VALUES;
                }
                next.push(((rule, nth), after));
            }
        }
        next
    }

    pub(crate) fn is_broken(&self, property: usize, state: &[u8]) -> bool {
        self.properties[property].iter().all(|(place, value)| state[usize::from(*place)] == *value)
    }
}

/// What a search by equality finds.
#[derive(Debug, PartialEq)]
pub(crate) struct Truth {
    /// How many states each level has.
    pub(crate) levels: Vec<u64>,
    pub(crate) generated: u64,
    /// The depth at which each property breaks first.
    pub(crate) broken: BTreeMap<usize, usize>,
    pub(crate) states: Vec<Vec<u8>>,
}

/// Level by level, states told apart by equality.
pub(crate) fn truth(table: &Table) -> Truth {
    let mut level: Vec<Vec<u8>> = Vec::new();
    let mut visited = HashSet::new();
    for state in &table.initial {
        if visited.insert(state.clone()) {
            level.push(state.clone());
        }
    }
    let mut truth = Truth {
        levels: Vec::new(),
        generated: table.initial.len() as u64,
        broken: BTreeMap::new(),
        states: Vec::new(),
    };
    while !level.is_empty() {
        for property in 0..table.properties.len() {
            if level.iter().any(|it| table.is_broken(property, it)) {
                truth.broken.entry(property).or_insert(truth.levels.len());
            }
        }
        truth.levels.push(level.len() as u64);
        let mut next = Vec::new();
        for state in level {
            for (_, after) in table.next(&state) {
                truth.generated += 1;
                if visited.insert(after.clone()) {
                    next.push(after);
                }
            }
            truth.states.push(state);
        }
        level = next;
    }
    truth
}

/// The number of states with a path of chosen steps that never ends. From such a state more steps can be
/// taken than there are states.
pub(crate) fn endless(
    table: &Table,
    states: &[Vec<u8>],
    is_chosen: impl Fn(&(u16, usize)) -> bool,
) -> u64 {
    let mut goes_on: HashMap<&Vec<u8>, bool> = states.iter().map(|it| (it, true)).collect();
    for _ in 0..=states.len() {
        let still: Vec<bool> = states
            .iter()
            .map(|it| table.next(it).iter().any(|(step, to)| is_chosen(step) && goes_on[to]))
            .collect();
        if states.iter().zip(&still).all(|(state, still)| goes_on[state] == *still) {
            break;
        }
        states.iter().zip(still).for_each(|(state, still)| {
            goes_on.insert(state, still);
        });
    }
    goes_on.values().filter(|it| **it).count() as u64
}

fn guard(places: u16, len: std::ops::Range<usize>) -> impl Strategy<Value = Guard> {
    prop::collection::vec((0..places, 0..VALUES), len)
}

fn line(places: u16) -> impl Strategy<Value = Line> {
    let adds = prop::collection::vec((0..places, 1..VALUES), 0..3);
    let follow = prop::option::weighted(0.3, (0..places, 0..places, 0..places));
    (guard(places, 0..3), adds, follow).prop_map(|(guard, adds, follow)| Line {
        guard,
        adds,
        follow,
    })
}

/// Tables of up to five places.
pub(crate) fn tables() -> impl Strategy<Value = Table> {
    (1_u16..6).prop_flat_map(|places| {
        let state = prop::collection::vec(0..VALUES, usize::from(places));
        let initial = prop::collection::vec(state, 1..3);
        let rules = prop::collection::vec(prop::collection::vec(line(places), 0..3), 1..7);
        let properties = prop::collection::vec(guard(places, 1..4), 0..3);
        (initial, rules, properties).prop_map(|(initial, rules, properties)| Table {
            initial,
            rules,
            properties,
        })
    })
}
