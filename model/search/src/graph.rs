//! Whether chosen steps come to an end: the graph that they make of the reachable states.
//!
//! From every reachable state, whichever steps led to it, every path of chosen steps must end, and
//! end in a good state. Checkers that mark states on a path as done ("eventually") miss cycles and
//! joins. This search builds the whole graph and peels its edges from the ends (Kahn, "Topological
//! Sorting of Large Networks", CACM 5(11), 1962). A state that cannot be peeled lies on a cycle or
//! leads to one.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use crate::expand::{Batch, Expander, Told, Ways, step_of};
use crate::flaw::Flaw;
use crate::plain::State;
use crate::print::Print;
use crate::report::{Ended, Path};
use crate::run::{Run, Stop, locked};
use crate::sample::Sampler;
use crate::system::{Rule, System};

/// The result of a search of the graph.
pub struct Settling<S: System> {
    /// Why it ended. Unless it is complete, only the findings are certain.
    pub ended: Ended<S>,
    /// Reachable states.
    pub unique: u64,
    /// Steps of any kind, and initial states.
    pub generated: u64,
    /// Chosen steps.
    pub edges: u64,
    /// States from which chosen steps can go on without end.
    pub endless: u64,
    /// The states in which no chosen step can be taken, in the order in which they were found.
    pub ends: Vec<State<S>>,
    /// Those of them that are not good.
    pub bad_ends: u64,
    /// A run into a cycle of chosen steps, if one was found.
    pub cycle: Option<Cycle<S>>,
    /// A run to an end that is not good, if one was found; no such run is shorter.
    pub bad_end: Option<Path<S>>,
}

impl<S: System> Settling<S> {
    /// Whether every path of chosen steps ends, and ends in a good state.
    #[must_use]
    pub fn always_settles(&self) -> bool {
        matches!(self.ended, Ended::Complete) && self.endless == 0 && self.bad_ends == 0
    }
}

/// A run whose last steps can be repeated without end.
pub struct Cycle<S: System> {
    /// The run. It ends in the state in which the cycle begins.
    pub path: Path<S>,
    /// The number of its steps that lead to the cycle; the others are the cycle.
    pub begins_after: usize,
}

/// Steps out of a state, in numbers.
type Out = Vec<(u32, u32)>;

/// The graph while it is built. States are numbered in the order in which they are found, level by
/// level.
struct Graph<P> {
    places: usize,
    states: Vec<u32>,
    prints: Vec<P>,
    numbers: HashMap<P, u32>,
    /// From which state each was found first, and by which step; itself if it is an initial one.
    found_by: Vec<(u32, u32)>,
    /// Per expanded state, the end of its chosen steps in `edges`.
    ends: Vec<usize>,
    /// The states that chosen steps lead to, with the steps.
    edges: Out,
}

impl<P: Print> Graph<P> {
    fn new(places: usize) -> Self {
        Graph {
            places,
            states: Vec::new(),
            prints: Vec::new(),
            numbers: HashMap::new(),
            found_by: Vec::new(),
            ends: Vec::new(),
            edges: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.prints.len()
    }

    fn state(&self, number: usize) -> &[u32] {
        &self.states[number * self.places..(number + 1) * self.places]
    }

    fn number(
        &mut self,
        state: &[u32],
        deltas: &[(u32, u32)],
        print: P,
        by: Option<(u32, u32)>,
    ) -> u32 {
        let next = u32::try_from(self.len()).expect("fewer than 2^32 states");
        let number = *self.numbers.entry(print).or_insert(next);
        if number == next {
            let begin = self.states.len();
            self.states.extend_from_slice(state);
            deltas.iter().for_each(|(place, it)| self.states[begin + *place as usize] = *it);
            self.prints.push(print);
            self.found_by.push(by.unwrap_or((next, 0)));
        }
        number
    }

    fn bytes(&self) -> u64 {
        let states = self.states.len() * 4 + self.len() * (size_of::<P>() + 16);
        let numbers = self.numbers.capacity() * (size_of::<(P, u32)>() + 1);
        (states + numbers + self.edges.len() * 8) as u64
    }

    /// The chosen steps out of a state: targets with steps.
    fn out(&self, number: usize) -> &[(u32, u32)] {
        let end = self.ends.get(number).copied().unwrap_or(self.edges.len());
        let begin = if number == 0 { 0 } else { self.ends.get(number - 1).copied().unwrap_or(end) };
        &self.edges[begin..end]
    }

    /// The steps from an initial state to a state, and the initial state.
    fn told(&self, number: usize) -> (usize, Told) {
        let mut told = Vec::new();
        let mut at = number;
        loop {
            let (parent, step) = self.found_by[at];
            if parent as usize == at {
                told.reverse();
                return (at, told);
            }
            told.push((step, self.state(at).to_vec()));
            at = parent as usize;
        }
    }

    /// The states that remain after repeatedly peeling states without a chosen step to a remaining
    /// state.
    fn unpeeled(&self) -> Vec<bool> {
        let mut open: Vec<u32> = Vec::with_capacity(self.len());
        let mut incoming = vec![0_usize; self.len() + 1];
        for number in 0..self.len() {
            open.push(u32::try_from(self.out(number).len()).expect("fewer than 2^32 steps"));
            self.out(number).iter().for_each(|it| incoming[it.0 as usize + 1] += 1);
        }
        (0..self.len()).for_each(|it| incoming[it + 1] += incoming[it]);
        let mut begins = incoming.clone();
        let mut from = vec![0_u32; self.edges.len()];
        for number in 0..self.len() {
            for (to, _) in self.out(number) {
                from[begins[*to as usize]] = u32::try_from(number).expect("fewer than 2^32 states");
                begins[*to as usize] += 1;
            }
        }
        let mut left = vec![true; self.len()];
        let mut ends: Vec<usize> = (0..self.len()).filter(|it| open[*it] == 0).collect();
        while let Some(end) = ends.pop() {
            left[end] = false;
            for from in &from[incoming[end]..incoming[end + 1]] {
                open[*from as usize] -= 1;
                if open[*from as usize] == 0 {
                    ends.push(*from as usize);
                }
            }
        }
        left
    }
}

/// Builds the graph and judges it. `is_chosen` selects the steps that are edges, by the
/// rule that finds them; `good` is the
/// position of the property that ends must have.
pub(crate) fn settle<S: System, P: Print>(
    run: &mut Run<'_, S, P>,
    is_chosen: &dyn Fn(Rule, &S::Step) -> bool,
    good: usize,
) -> Settling<S> {
    let initial = match run.initial() {
        Ok(initial) => initial,
        Err(stop) => return settling(run, Graph::new(0), Some(stop), good),
    };
    let mut graph = Graph::new(run.remembered.places);
    for nth in 0..initial.len() {
        graph.number(initial.state(nth), &[], initial.print(nth), None);
    }
    run.counts.generated.store(initial.len() as u64, Ordering::Relaxed);
    let stop = build(run, &mut graph, is_chosen);
    settling(run, graph, stop, good)
}

fn build<S: System, P: Print>(
    run: &Run<'_, S, P>,
    graph: &mut Graph<P>,
    is_chosen: &dyn Fn(Rule, &S::Step) -> bool,
) -> Option<Stop<P>> {
    let mut expander = run.expander(Ways { drops_dead: false, sleeps: false, tells: false });
    let mut sampler = Sampler::new(run);
    let mut batch = Batch::new();
    let mut chosen: HashMap<(Rule, u32), bool> = HashMap::new();
    let mut steps = Vec::new();
    while graph.ends.len() < graph.len() {
        let at = graph.ends.len();
        let (state, print) = (graph.state(at).to_vec(), graph.prints[at]);
        run.sample_from(at as u64);
        match sampler.sample(run, &state, print) {
            Ok(is_sampled) => {
                run.counts.sampled.fetch_add(u64::from(is_sampled), Ordering::Relaxed);
            }
            Err(stop) => return Some(stop),
        }
        if let Err(flaw) = expand(run, &mut expander, (&state, print), &mut batch) {
            return Some(Stop::Flaw(flaw, Some((state, print))));
        }
        // The rule that chooses a step need not be the only one that finds it.
        let is_new_step = |rule, step| is_chosen(rule, &step_of(&run.remembered, step));
        let by_rule = batch.successors.iter().map(|it| (it.rule, it.step));
        let mut is_taken = |(rule, step): &(Rule, u32)| {
            *chosen.entry((*rule, *step)).or_insert_with(|| is_new_step(*rule, *step))
        };
        steps.clear();
        steps.extend(by_rule.filter(|it| is_taken(it)).map(|it| it.1));
        for successor in &batch.successors {
            let number = u32::try_from(at).expect("fewer than 2^32 states");
            let by = Some((number, successor.step));
            let to = graph.number(&state, batch.deltas(successor), successor.print, by);
            if steps.contains(&successor.step) {
                graph.edges.push((to, successor.step));
            }
        }
        graph.ends.push(graph.edges.len());
        run.counts.generated.fetch_add(batch.successors.len() as u64, Ordering::Relaxed);
        if at.is_multiple_of(256) {
            locked(&run.frontier).bytes = graph.bytes();
            run.check_limits();
            run.observe(false);
            if let Some(stop) = run.take_stop() {
                return Some(stop);
            }
            if graph.len() as u64 >= run.options.states_max {
                return Some(Stop::States);
            }
        }
    }
    None
}

fn expand<S: System, P: Print>(
    run: &Run<'_, S, P>,
    expander: &mut Expander,
    from: (&[u32], P),
    batch: &mut Batch<P>,
) -> Result<(), Box<Flaw>> {
    run.with_tables(|tables| {
        batch.clear();
        expander.expand(&run.remembered, tables, from, (0, u64::MAX), batch)
    })
}

fn settling<S: System, P: Print>(
    run: &Run<'_, S, P>,
    graph: Graph<P>,
    mut stop: Option<Stop<P>>,
    good: usize,
) -> Settling<S> {
    let is_end = |it: &usize| *it < graph.ends.len() && graph.out(*it).is_empty();
    let ends: Vec<usize> = (0..graph.len()).filter(is_end).collect();
    let mut bad = Vec::new();
    for end in &ends {
        match run.with_tables(|tables| run.holds(tables, good, graph.state(*end))) {
            Ok(true) => {}
            Ok(false) => bad.push(*end),
            Err(flaw) => {
                stop.get_or_insert(Stop::Flaw(flaw, None));
                break;
            }
        }
    }
    let left = graph.unpeeled();
    let path = |number: usize, more: Told| {
        let (initial, mut told) = graph.told(number);
        told.extend(more);
        run.path_of(graph.state(initial), &told)
    };
    Settling {
        ended: run.ended(stop),
        unique: graph.len() as u64,
        generated: run.counts.generated.load(Ordering::Relaxed),
        edges: graph.edges.len() as u64,
        endless: left.iter().filter(|it| **it).count() as u64,
        ends: ends.iter().map(|it| run.remembered.components.values(graph.state(*it))).collect(),
        bad_ends: bad.len() as u64,
        cycle: left.iter().position(|it| *it).map(|first| {
            let (walk, begins) = into_cycle(&graph, &left, first);
            let begins_after = graph.told(first).1.len() + begins;
            Cycle { path: path(first, walk), begins_after }
        }),
        bad_end: bad.first().map(|end| path(*end, Vec::new())),
    }
}

/// Walks from a state that was not peeled through such states until a state repeats. Returns the
/// walk and the number of steps before that state's first visit.
fn into_cycle<P: Print>(graph: &Graph<P>, left: &[bool], first: usize) -> (Told, usize) {
    let mut met = HashMap::from([(first, 0)]);
    let mut walk = Vec::new();
    let mut at = first;
    loop {
        let next = graph.out(at).iter().find(|it| left[it.0 as usize]);
        let (to, step) = next.expect("a state that was not peeled leads to one that was not");
        at = *to as usize;
        walk.push((*step, graph.state(at).to_vec()));
        if let Some(begins) = met.insert(at, walk.len()) {
            return (walk, begins);
        }
    }
}
