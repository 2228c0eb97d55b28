//! The successors of a state, in numbers.

use std::sync::Arc;

use crate::flaw::{FOLLOWS_MAX, Fault, Flaw};
use crate::print::Print;
use crate::remembered::{EffectAt, Last, Question, Remembered, bit};
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
    /// Which of the states of the batch the step begins in.
    pub parent: u32,
    /// The offset of the differences in the batch, and their number.
    deltas: u32,
    deltas_len: u32,
    pub step: u32,
    pub is_dead: bool,
    pub kind: u16,
    /// The rules that are awake in it.
    pub awake: u64,
    looked: u64,
    /// The places that were written, as a mask.
    pub written: u64,
    /// The rule that found the step.
    pub rule: Rule,
}

impl<P> Successor<P> {
    /// Whether the step is a self-loop: it leads to the state in which it begins, which an earlier level has found.
    pub(crate) fn is_self_loop(&self) -> bool {
        self.deltas_len == 0
    }
}

/// Successors of some states.
pub(crate) struct Batch<P> {
    pub successors: Vec<Successor<P>>,
    deltas: Vec<(u32, u32)>,
    /// The steps to each successor, if they are recorded: the step, and the dead ones that were
    /// taken at once.
    pub told: Vec<Told>,
}

impl<P: Print> Batch<P> {
    pub(crate) fn new() -> Self {
        Batch { successors: Vec::new(), deltas: Vec::new(), told: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.successors.clear();
        self.deltas.clear();
        self.told.clear();
    }

    /// The places in which a successor differs from its parent, with the components there.
    #[inline]
    pub(crate) fn deltas(&self, of: &Successor<P>) -> &[(u32, u32)] {
        &self.deltas[of.deltas as usize..(of.deltas + of.deltas_len) as usize]
    }
}

/// The number of kept answers about what follows.
const FOLLOWS_KEPT: usize = 256;

/// What one thread needs to find successors.
pub(crate) struct Expander {
    ways: Ways,
    now: Vec<u32>,
    /// The places that differ from the state before the step.
    touched: Vec<u32>,
    follows: Vec<u32>,
    /// The marks that steps reached so far, by position.
    pub marks: Vec<bool>,
    /// The number of steps taken of each kind.
    pub taken: Vec<u64>,
    /// Per rule, the places that all its steps look at and write.
    rules: Vec<Masks>,
    /// Per rule, the answer about the state that was expanded last.
    last: Vec<Last>,
    /// The answers about what followed from steps, by the offset of the step's effect: the same step
    /// in the next state has the same one.
    last_follows: Vec<Last>,
    /// The number of dead steps that were taken at once.
    pub dropped: u64,
}

#[derive(Clone, Copy, Default)]
struct Masks {
    looked: u64,
    written: u64,
    is_enabled: bool,
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
            rules: Vec::new(),
            last: Vec::new(),
            last_follows: vec![Last::default(); FOLLOWS_KEPT],
            dropped: 0,
        }
    }

    /// Adds the successors of a state to a batch, in the order of rules and steps. `awake` says which
    /// of the first 64 rules need not be left out.
    pub(crate) fn expand<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        (state, print): (&[u32], P),
        (parent, awake): (u32, u64),
        batch: &mut Batch<P>,
    ) -> Result<(), Fault> {
        self.now.clear();
        self.now.extend_from_slice(state);
        let first = batch.successors.len();
        self.rules.clear();
        self.last.resize_with(usize::from(system.system.rules()), Last::default);
        for rule in (0..system.system.rules()).map(Rule) {
            let mut masks = Masks::default();
            let question = Question::Rule(rule);
            let last = &mut self.last[usize::from(rule.0)];
            let ((mut at, steps), looked) =
                system.answer_again(tables, question, [state, state], last)?;
            masks.looked = looked;
            let is_asleep = rule.0 < 64 && awake & 1 << rule.0 == 0;
            masks.is_enabled = steps > 0;
            for _ in 0..steps {
                let begun = (batch.deltas.len(), batch.told.len());
                let (mut successor, end) = self.take(system, tables, (state, print), at, batch)?;
                at = end;
                (successor.parent, successor.rule) = (parent, rule);
                successor.looked |= looked;
                masks.looked |= successor.looked;
                masks.written |= successor.written;
                if is_asleep {
                    batch.deltas.truncate(begun.0);
                    batch.told.truncate(begun.1);
                } else {
                    if let Some(taken) = self.taken.get_mut(usize::from(successor.kind)) {
                        *taken += 1;
                    }
                    batch.successors.push(successor);
                }
            }
            self.rules.push(masks);
        }
        if self.ways.sleeps {
            let rules = &self.rules;
            batch.successors[first..]
                .iter_mut()
                .for_each(|it| it.awake = awake_after(rules, it, awake));
        }
        Ok(())
    }

    /// Takes the step whose list begins at an offset; returns the offset behind it.
    #[inline]
    fn take<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        (state, print): (&[u32], P),
        at: u32,
        batch: &mut Batch<P>,
    ) -> Result<(Successor<P>, u32), Fault> {
        let (step, (is_dead, kind)) = (tables.arena.word(at), dead_and_kind(tables, at + 1));
        let mut successor = Successor {
            print,
            parent: 0,
            deltas: short(batch.deltas.len()),
            deltas_len: 0,
            step,
            is_dead,
            kind,
            awake: u64::MAX,
            looked: 0,
            written: 0,
            rule: Rule(0),
        };
        self.touched.clear();
        let done = self.perform(system, tables, state, step, at + 2, &mut successor);
        let mut told = Vec::new();
        if self.ways.tells {
            told.push((step, self.now.clone()));
        }
        let done = match done {
            Ok(end) if self.ways.drops_dead => {
                self.drop_dead(system, tables, &mut successor, &mut told).map(|()| end)
            }
            done => done,
        };
        for place in &self.touched {
            let at = *place as usize;
            if self.now[at] != state[at] {
                batch.deltas.push((*place, self.now[at]));
            }
            self.now[at] = state[at];
        }
        successor.deltas_len = short(batch.deltas.len()) - successor.deltas;
        if self.ways.tells {
            batch.told.push(told);
        }
        Ok((successor, done?))
    }

    /// Applies the effect at an offset to `now`, with everything that follows from it. Returns the
    /// offset behind the effect.
    #[inline]
    fn perform<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        before: &[u32],
        step: u32,
        at: u32,
        successor: &mut Successor<P>,
    ) -> Result<u32, Fault> {
        self.follows.clear();
        let end = self.apply(system, tables, at, successor)?;
        let mut next = 0;
        while let Some(follow) = self.follows.get(next).copied() {
            if next >= FOLLOWS_MAX {
                let during = format!("the step {:?}", system.steps.value(step));
                return Err(Flaw::Endless { during }.into());
            }
            let question = Question::Follow(follow);
            let last = &mut self.last_follows[(at as usize + next) % FOLLOWS_KEPT];
            let ((at, _), looked) =
                system.answer_again(tables, question, [before, &self.now], last)?;
            successor.looked |= looked;
            self.apply(system, tables, at, successor)?;
            next += 1;
        }
        Ok(end)
    }

    #[inline]
    fn apply<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        at: u32,
        successor: &mut Successor<P>,
    ) -> Result<u32, Fault> {
        let effect = EffectAt::read(tables, at);
        for nth in 0..effect.changes_len {
            let (place, change) = effect.change(tables, nth);
            let old = self.now[place as usize];
            let new = system.changed(tables, old, change)?;
            successor.written |= bit(place);
            if new == old {
                continue;
            }
            if !self.touched.contains(&place) {
                self.touched.push(place);
            }
            self.now[place as usize] = new;
            let part = |it| tables.hashes.part(it, place);
            successor.print = successor.print.exchanged(part(old), part(new));
        }
        for nth in 0..effect.follows_len {
            self.follows.push(effect.follow(tables, nth));
        }
        for nth in 0..effect.marks_len {
            if let Some(mark) = self.marks.get_mut(effect.mark(tables, nth) as usize) {
                *mark = true;
            }
        }
        Ok(effect.end())
    }

    /// Takes dead steps in `now` until there is none. The state before had none: a rule that looks at
    /// nothing that was written since has none now.
    fn drop_dead<S: System, P: Print>(
        &mut self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        successor: &mut Successor<P>,
        told: &mut Told,
    ) -> Result<(), Fault> {
        let mut written = successor.written;
        for _ in 0..FOLLOWS_MAX {
            let Some((step, at)) = self.dead_step(system, tables, written)? else {
                return Ok(());
            };
            let before = self.now.clone();
            self.perform(system, tables, &before, step, at, successor)?;
            self.dropped += 1;
            written |= successor.written;
            if self.ways.tells {
                told.push((step, self.now.clone()));
            }
        }
        let during = format!("the dead step {:?}", system.steps.value(successor.step));
        Err(Flaw::Endless { during }.into())
    }

    /// A dead step that some rule allows in `now`, and the offset of its effect.
    fn dead_step<S: System>(
        &self,
        system: &Remembered<'_, S>,
        tables: &Tables,
        written: u64,
    ) -> Result<Option<(u32, u32)>, Fault> {
        for rule in (0..system.system.rules()).map(Rule) {
            if system.seen(Question::Rule(rule)) & written == 0 {
                continue;
            }
            let (mut at, steps) =
                system.answer(tables, Question::Rule(rule), &self.now, &self.now, &mut 0)?;
            for _ in 0..steps {
                if dead_and_kind(tables, at + 1).0 {
                    return Ok(Some((tables.arena.word(at), at + 2)));
                }
                at = EffectAt::read(tables, at + 2).end();
            }
        }
        Ok(None)
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
        self.touched.clear();
        let mut told = Vec::new();
        // Every rule is asked, so that all of them have been seen from here on.
        for rule in (0..system.system.rules()).map(Rule) {
            system.answer(tables, Question::Rule(rule), state, state, &mut 0)?;
        }
        let mut successor = Successor {
            print,
            parent: 0,
            deltas: 0,
            deltas_len: 0,
            step: 0,
            is_dead: false,
            kind: 0,
            awake: u64::MAX,
            looked: 0,
            written: u64::MAX,
            rule: Rule(0),
        };
        self.drop_dead(system, tables, &mut successor, &mut told)?;
        Ok((self.now.clone(), successor.print, told))
    }
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
fn awake_after<P>(rules: &[Masks], successor: &Successor<P>, awake: u64) -> u64 {
    let rule = usize::from(successor.rule.0);
    let mut asleep = 0;
    for (other, masks) in rules.iter().take(64).enumerate() {
        let was_tried = other < rule || awake & 1 << other == 0;
        let touches = successor.written & (masks.looked | masks.written) != 0
            || masks.written & successor.looked != 0;
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
