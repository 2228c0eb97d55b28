//! The successors of a state, in numbers.

use std::sync::Arc;

use crate::answer::{EffectAt, Leaf};
use crate::aspects::members;
use crate::flaw::{FOLLOWS_MAX, Fault, Flaw};
use crate::frontier::Waiting;
use crate::print::Print;
use crate::remembered::{Question, Remembered, bit};
use crate::system::{Rule, System};
use crate::tables::Tables;

/// Steps with the states after them, in numbers.
pub(crate) type Told = Vec<(u32, Vec<u32>)>;

/// A state in numbers, with its fingerprint.
pub(crate) type Numbered<P> = (Vec<u32>, P);

/// How successors are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ways {
    /// Dead steps are taken at once.
    pub drops_dead: bool,
    /// Which rules are awake in a successor is computed.
    pub sleeps: bool,
    /// Each successor comes with the steps that led to it.
    pub tells: bool,
}

/// A state that a step leads to.
#[derive(Debug)]
pub(crate) struct Successor<P> {
    pub print: P,
    /// Which of the expanded states the step begins in.
    pub parent: u32,
    pub step: u32,
    /// The offset in the batch of the places that differ, and their number.
    deltas: u32,
    deltas_len: u32,
    pub is_dead: bool,
    /// The rules that are awake in it.
    pub awake: u64,
}

/// Successors of some states.
pub(crate) struct Batch<P> {
    pub successors: Vec<Successor<P>>,
    deltas: Vec<(u32, u32)>,
    /// The answers of the rules about each expanded state.
    answers: Vec<u32>,
    /// The steps to each successor, if they are recorded: the step, and the dead ones that were
    /// taken at once.
    pub told: Vec<Told>,
}

impl<P: Print> Batch<P> {
    pub(crate) fn new() -> Self {
        Batch { successors: Vec::new(), deltas: Vec::new(), answers: Vec::new(), told: Vec::new() }
    }

    fn clear(&mut self) {
        self.successors.clear();
        self.deltas.clear();
        self.answers.clear();
        self.told.clear();
    }

    /// The answers of the rules about the `nth` of the expanded states.
    #[inline]
    pub(crate) fn answers(&self, nth: usize, rules: usize) -> &[u32] {
        &self.answers[nth * rules..(nth + 1) * rules]
    }

    /// Removes what was noted last, of a successor that is not added.
    fn forget(&mut self, successor: &Successor<P>) {
        self.deltas.truncate(successor.deltas as usize);
        self.told.truncate(self.successors.len());
    }

    /// The places in which a successor differs from its parent, with the components there.
    #[inline]
    pub(crate) fn deltas(&self, of: &Successor<P>) -> &[(u32, u32)] {
        &self.deltas[of.deltas as usize..][..of.deltas_len as usize]
    }
}

/// What one thread needs to find successors.
pub(crate) struct Expander {
    ways: Ways,
    now: Vec<u32>,
    /// The places that may differ from the state before the step.
    touched: Vec<u32>,
    follows: Vec<u32>,
    /// The marks that steps reached so far, by position.
    pub marks: Vec<bool>,
    /// The number of steps taken of each kind.
    pub taken: Vec<u64>,
    /// What the step looked at and wrote.
    trail: Trail,
    /// If rules sleep, for each rule the places that all its steps look at and write.
    rules: Vec<Masks>,
    /// If rules sleep, for each successor the rule, and what its step looked at and wrote.
    trails: Vec<(usize, Trail)>,
    /// The number of dead steps that were taken at once.
    pub dropped: u64,
    /// Which of the expanded states failed.
    pub failed: usize,
}

/// The places that a rule's steps look at and write.
#[derive(Clone, Copy, Default)]
struct Masks {
    looked: u64,
    written: u64,
    is_enabled: bool,
}

/// The places that a step looked at and wrote, as masks.
#[derive(Clone, Copy, Default)]
struct Trail {
    looked: u64,
    written: u64,
}

impl Expander {
    pub(crate) fn new(ways: Ways, marks: usize, kinds: usize) -> Self {
        assert!(
            !(ways.drops_dead && ways.sleeps),
            "dead steps are taken at once or rules sleep, not both"
        );
        Expander {
            ways,
            now: Vec::new(),
            touched: Vec::new(),
            follows: Vec::new(),
            marks: vec![false; marks],
            taken: vec![0; kinds],
            trail: Trail::default(),
            rules: Vec::new(),
            trails: Vec::new(),
            dropped: 0,
            failed: 0,
        }
    }

    /// Finds the successors of some states, in the order of states, rules and steps. `awake` says of
    /// each state which of the first 64 rules need not be left out; all, if it says nothing.
    pub(crate) fn expand<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        from: &[Waiting<'_, P>],
        awake: &[u64],
        batch: &mut Batch<P>,
    ) -> Result<(), Fault> {
        batch.clear();
        for (nth, from) in from.iter().enumerate() {
            self.failed = nth;
            let awake = awake.get(nth).copied().unwrap_or(u64::MAX);
            self.expand_state(system, tables, *from, (short(nth), awake), batch)?;
        }
        Ok(())
    }

    fn expand_state<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        from: Waiting<'_, P>,
        (parent, awake): (u32, u64),
        batch: &mut Batch<P>,
    ) -> Result<(), Fault> {
        self.now.clear();
        self.now.extend_from_slice(from.state);
        self.rules.clear();
        let first = batch.successors.len();
        let answers = batch.answers.len();
        self.ask_rules(system, tables, from, &mut batch.answers)?;
        for rule in 0..system.rules {
            let answer = Leaf(batch.answers[answers + rule]);
            if self.ways.sleeps {
                let is_enabled = answer.word(tables) > 0;
                self.rules.push(Masks { looked: answer.looked(tables), written: 0, is_enabled });
            }
            let is_asleep = rule < 64 && awake & 1 << rule == 0;
            self.take_all(system, tables, from, (parent, is_asleep), answer, batch)?;
        }
        let successors = batch.successors[first..].iter_mut();
        for (successor, (rule, trail)) in successors.zip(self.trails.drain(..)) {
            successor.awake = awake_after(&self.rules, (rule, trail), awake);
        }
        Ok(())
    }

    /// Finds the answers of the rules about a state: those about the state that this one was made of,
    /// unless they differ in an aspect that the rule looked at.
    #[inline]
    fn ask_rules<S: System, P>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        from: Waiting<'_, P>,
        answers: &mut Vec<u32>,
    ) -> Result<(), Fault> {
        let begin = answers.len();
        let known = from.rule_answers(system.rules);
        answers.extend_from_slice(known);
        answers.resize(begin + system.rules, 0);
        let stale =
            if known.is_empty() { u64::MAX } else { system.rules_by_aspect.of(from.changed) };
        for rule in members(stale, system.rules) {
            let answer = &mut answers[begin + rule];
            if *answer == 0 || Leaf(*answer).aspects(tables) & from.changed != 0 {
                let question = Question::Rule(rule_of(rule));
                *answer = system.answer(tables, question, from.state, from.state)?.0;
            }
        }
        Ok(())
    }

    /// Takes all steps that a rule allows.
    #[inline]
    fn take_all<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        from: Waiting<'_, P>,
        (parent, is_asleep): (u32, bool),
        answer: Leaf,
        batch: &mut Batch<P>,
    ) -> Result<(), Fault> {
        let mut at = answer.body();
        for _ in 0..answer.word(tables) {
            let (step, (is_dead, kind)) = (tables.arena.word(at), dead_and_kind(tables, at + 1));
            let (deltas, deltas_len, print, awake) = (0, 0, from.print, u64::MAX);
            let mut successor =
                Successor { print, parent, step, deltas, deltas_len, is_dead, awake };
            at = self.take(system, tables, from, (&mut successor, at + 2), batch)?;
            if self.ways.sleeps && self.note_trail(tables, answer, is_asleep) {
                batch.forget(&successor);
                continue;
            }
            if let Some(taken) = self.taken.get_mut(usize::from(kind)) {
                *taken += 1;
            }
            batch.successors.push(successor);
        }
        Ok(())
    }

    /// Takes a step, whose effect is at an offset, from the state in `now`, which is restored then.
    /// Returns the offset behind the effect.
    #[inline]
    fn take<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        from: Waiting<'_, P>,
        (successor, at): (&mut Successor<P>, u32),
        batch: &mut Batch<P>,
    ) -> Result<u32, Fault> {
        self.trail = Trail::default();
        let step = successor.step;
        let mut done = self.perform(system, tables, from.state, (step, at));
        let mut told = Vec::new();
        if self.ways.tells {
            told.push((step, self.now.clone()));
        }
        if done.is_ok() && self.ways.drops_dead {
            let dropped = self.drop_dead(system, tables, step, &mut told);
            done = dropped.and(done);
        }
        successor.deltas = short(batch.deltas.len());
        for place in self.touched.drain(..) {
            let at = place as usize;
            let (new, old) = (self.now[at], from.state[at]);
            // A place may have been touched several times.
            if new != old {
                batch.deltas.push((place, new));
                let part = |it| tables.hashes.part(it, place);
                successor.print = successor.print.exchanged(part(old), part(new));
                self.now[at] = old;
            }
        }
        successor.deltas_len = short(batch.deltas.len()) - successor.deltas;
        if self.ways.tells {
            batch.told.push(told);
        }
        done
    }

    /// Applies the effect of a step at an offset to `now`, with everything that follows from it.
    #[inline]
    fn perform<S: System>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        before: &[u32],
        (step, at): (u32, u32),
    ) -> Result<u32, Fault> {
        self.follows.clear();
        let end = self.apply(system, tables, at)?;
        let mut next = 0;
        while let Some(follow) = self.follows.get(next).copied() {
            if next >= FOLLOWS_MAX {
                let during = format!("the step {:?}", system.steps.get(step));
                return Err(Flaw::Endless { during }.into());
            }
            let answer = system.answer(tables, Question::Follow(follow), before, &self.now)?;
            if self.ways.sleeps {
                self.trail.looked |= answer.looked(tables);
            }
            self.apply(system, tables, answer.body())?;
            next += 1;
        }
        Ok(end)
    }

    /// Makes the changes of the effect at an offset. Returns the offset behind it.
    #[inline]
    fn apply<S: System>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        at: u32,
    ) -> Result<u32, Fault> {
        if EffectAt::is_empty(tables, at) {
            return Ok(at + 1);
        }
        let effect = EffectAt::read(tables, at);
        for (place, change) in effect.changes() {
            let now = &mut self.now[place as usize];
            *now = system.changed(tables, *now, change)?;
            self.trail.written |= bit(place);
            self.touched.push(place);
        }
        self.follows.extend(effect.follows());
        for mark in effect.marks() {
            if let Some(mark) = self.marks.get_mut(mark as usize) {
                *mark = true;
            }
        }
        Ok(effect.end())
    }

    /// Takes dead steps in `now` until there is none. The state before `step` had none: a rule that
    /// looks at nothing that was written since has none now.
    fn drop_dead<S: System>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        step: u32,
        told: &mut Told,
    ) -> Result<(), Fault> {
        for _ in 0..FOLLOWS_MAX {
            let Some(dead) = dead_step(system, tables, &self.now, self.trail.written)? else {
                return Ok(());
            };
            let before = self.now.clone();
            self.perform(system, tables, &before, dead)?;
            self.dropped += 1;
            if self.ways.tells {
                told.push((dead.0, self.now.clone()));
            }
        }
        let during = format!("the dead step {:?}", system.steps.get(step));
        Err(Flaw::Endless { during }.into())
    }

    /// A state after all its dead steps, with the steps.
    pub(crate) fn without_dead<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        (state, print): (&[u32], P),
    ) -> Result<(Vec<u32>, P, Told), Fault> {
        self.now.clear();
        self.now.extend_from_slice(state);
        self.trail = Trail { written: u64::MAX, ..Trail::default() };
        let mut told = Vec::new();
        // Every rule is asked, so that all of them have been seen from here on.
        for rule in (0..system.rules).map(rule_of) {
            system.answer(tables, Question::Rule(rule), state, state)?;
        }
        self.drop_dead(system, tables, 0, &mut told)?;
        let changes = (0..).zip(state.iter().zip(&self.now));
        let print = changes.fold(print, |print, (place, (old, new))| {
            let part = |it: &u32| tables.hashes.part(*it, place);
            print.exchanged(part(old), part(new))
        });
        Ok((self.now.clone(), print, told))
    }

    /// Notes what the step that was just taken looked at and wrote. Returns whether its rule sleeps.
    fn note_trail(&mut self, tables: &Tables, answer: Leaf, is_asleep: bool) -> bool {
        self.trail.looked |= answer.looked(tables);
        if let Some(masks) = self.rules.last_mut() {
            masks.looked |= self.trail.looked;
            masks.written |= self.trail.written;
        }
        if !is_asleep {
            self.trails.push((self.rules.len() - 1, self.trail));
        }
        is_asleep
    }
}

/// A dead step that some rule allows in a state, and the offset of its effect.
fn dead_step<S: System>(
    system: &Remembered<'_, S>,
    tables: &Tables,
    state: &[u32],
    written: u64,
) -> Result<Option<(u32, u32)>, Fault> {
    for rule in (0..system.rules).map(rule_of) {
        if system.seen(rule) & written == 0 {
            continue;
        }
        let answer = system.answer(tables, Question::Rule(rule), state, state)?;
        let mut at = answer.body();
        for _ in 0..answer.word(tables) {
            if dead_and_kind(tables, at + 1).0 {
                return Ok(Some((tables.arena.word(at), at + 2)));
            }
            at = EffectAt::end_of(tables, at + 2);
        }
    }
    Ok(None)
}

fn rule_of(number: usize) -> Rule {
    Rule(u16::try_from(number).unwrap_or(u16::MAX))
}

/// Which rules are awake in a successor.
///
/// **Sleep sets** (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems",
/// LNCS 1032, 1996, chapter 5), for rules instead of steps. Where two steps do not touch each
/// other's components, both orders lead to the same state, and the second order need not be tried:
/// after a step of rule `j` a rule `i` sleeps if it was tried before `j` in the parent, or slept
/// there, and none of its steps touches anything of this one. `i` looks at nothing that `j` wrote,
/// so it allows the same steps as before.
///
/// *Every state is found, at its depth.* Order steps by rule and position, and paths of a length
/// lexicographically. Claim: of the shortest paths to a state `x`, the least, `p = a1 .. ad`, is
/// taken. Its prefixes are the least of the shortest paths to their ends, so by induction they are
/// taken; it is left to show that `ad` does not sleep in the state `s` before it. Levels are strict:
/// when `s` is expanded, all ways to it of its depth are known, and what sleeps in it sleeps on each
/// way that was taken, that of `p` among them. So if `ad` slept, then for some `j < d` its rule had
/// been tried before, or slept before, that of `aj`, and `ad` touches nothing of `aj .. a(d-1)`. Take
/// the largest such `j` at which it was put to sleep as one tried before `aj`. Then `ad` can go
/// before `aj`, the path that results leads to `x`, is as long, and is less than `p`, against the
/// choice of `p`. Later, longer ways to `s` do not matter, so nothing is kept of a state once it is
/// expanded. (In a depth-first search they do, and rules do not sleep there.)
fn awake_after(rules: &[Masks], (rule, step): (usize, Trail), awake: u64) -> u64 {
    let mut asleep = 0;
    for (other, masks) in rules.iter().take(64).enumerate() {
        let was_tried = other < rule || awake & 1 << other == 0;
        let touches =
            step.written & (masks.looked | masks.written) != 0 || masks.written & step.looked != 0;
        if was_tried && other != rule && masks.is_enabled && !touches {
            asleep |= 1 << other;
        }
    }
    !asleep
}

/// Whether a step is dead, and its kind, as a rule's answer has them in one word.
#[expect(clippy::cast_possible_truncation, reason = "a kind has 16 bits")]
#[inline]
fn dead_and_kind(tables: &Tables, at: u32) -> (bool, u16) {
    let word = tables.arena.word(at);
    (word & 1 != 0, (word >> 1) as u16)
}

fn short(len: usize) -> u32 {
    u32::try_from(len).expect("a batch of fewer than 2^32 differences")
}

/// The step of a number.
pub(crate) fn step_of<S: System>(system: &Remembered<'_, S>, step: u32) -> Arc<S::Step> {
    system.steps.value(step)
}
