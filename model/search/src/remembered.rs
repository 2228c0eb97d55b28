//! The answers of a system, remembered for the components that it looked at.
//!
//! An answer (which steps does this rule allow, does this property hold, what follows) is found by
//! a walk: a node names the place that the system looks at next, the component there leads to the
//! next node, and a leaf holds the answer. A method depends only on the components that it looks
//! at. So it always looks at the same place first, the second place depends on the component in the
//! first, and so on. Every method thus gets a footprint of exactly the components that it used. No
//! footprint has to be declared, so none can be declared wrongly.

mod calls;
mod effect_at;

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub(crate) use calls::{change_of, follow_up, holds, outcomes};
pub(crate) use effect_at::EffectAt;

use crate::flaw::{Fault, Flaw, caught};
use crate::intern::{Disagree, Interner, Known};
use crate::system::{BEFORE, Effect, How, IS_KEPT, Noted, Place, Rule, System, summary_of};
use crate::tables::Tables;

/// Set in a node that names a place, and in no leaf.
const LOOKS: u32 = 1 << 31;
/// Set in a change that names the component which comes in place of another.
const PUT: u32 = 1 << 31;
/// The largest number of properties in a group: one bit of a leaf's first word each, but not that of
/// [`LOOKS`].
const GROUP_MAX: usize = 31;
/// Offsets below it are those of no list.
const RESERVED: u32 = 1;

/// A question to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Rule(Rule),
    /// Which properties of a group hold.
    Group(usize),
    Follow(u32),
}

/// Where an answer hangs: at the root of a rule, a group or something that follows, or behind a
/// node and a component.
#[derive(Clone, Copy)]
enum Link {
    Root(usize),
    Follow(u32),
    Behind(u32, u32),
}

/// A node or a leaf as a link names it: its offset, and its first word.
#[inline]
fn pointer(at: u32, word: u32) -> u64 {
    u64::from(word) << 32 | u64::from(at)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
#[inline]
fn halves(pointer: u64) -> (u32, u32) {
    (pointer as u32, (pointer >> 32) as u32)
}

/// A system with all remembered answers about it, shared by all threads.
pub(crate) struct Remembered<'s, S: System> {
    pub system: &'s S,
    pub places: usize,
    rules: usize,
    /// The properties that are asked together.
    pub groups: Vec<Vec<usize>>,
    pub components: Interner<S::Component>,
    changes: Interner<S::Change>,
    pub steps: Interner<S::Step>,
    follows: Interner<S::Follow>,
    pub tables: RwLock<Tables>,
    /// The roots of the answers about each rule, and then about each group of properties; 0 if there
    /// are none yet.
    roots: Vec<AtomicU64>,
    /// Held while an answer is added.
    adding: Mutex<()>,
    /// For each rule, and then for each group, a mask of the places that it has ever looked at.
    seen: Vec<AtomicU64>,
}

/// The bit of a place in a mask. Two places may share a bit; the mask then claims more places than
/// were looked at, which is safe.
#[inline]
pub(crate) fn bit(place: u32) -> u64 {
    1 << (place & 63)
}

/// Longer ways are not kept.
const LAST_MAX: usize = 20;

/// The way to the last answer to a question.
#[derive(Clone, Copy, Default)]
pub(crate) struct Last {
    question: Option<Question>,
    answer: (u32, u32),
    /// The places that it looked at, as a mask.
    looked: u64,
    looks: [Looked; LAST_MAX],
    /// The number of looks; 0 if they are not all known.
    len: usize,
}

/// A look at a component.
#[derive(Clone, Copy, Default)]
struct Looked {
    /// The place, as a node has it.
    word: u32,
    component: u32,
    /// The number under which the next node is found.
    seen: u32,
    node: u32,
}

/// The component that a word of a node is about, in the state before the step or in the present one.
#[inline]
fn component_at(word: u32, [before, now]: [&[u32]; 2]) -> u32 {
    let place = (word & 0xffff) as usize;
    if word & BEFORE == 0 { now[place] } else { before[place] }
}

impl<'s, S: System> Remembered<'s, S> {
    pub(crate) fn new(system: &'s S, places: usize) -> Self {
        let groups = groups(system);
        let questions = usize::from(system.rules()) + groups.len();
        Remembered {
            system,
            places,
            rules: system.rules().into(),
            groups,
            components: Interner::new(),
            changes: Interner::new(),
            steps: Interner::new(),
            follows: Interner::new(),
            tables: RwLock::new(Tables::new(RESERVED, system.summaries())),
            roots: zeros(questions),
            adding: Mutex::new(()),
            seen: zeros(questions),
        }
    }

    /// Makes room in full tables. No other thread may use them.
    pub(crate) fn grow(&self) {
        self.tables.write().unwrap_or_else(PoisonError::into_inner).grow();
    }

    /// The number of a component.
    pub(crate) fn component(
        &self,
        tables: &Tables,
        component: Arc<S::Component>,
    ) -> Result<u32, Fault> {
        let known = agreed(self.components.number_of(component))?;
        tables.hashes.set(known.number, known.hash)?;
        Ok(known.number)
    }

    /// The places that a rule or a group has ever looked at.
    #[inline]
    pub(crate) fn seen(&self, question: Question) -> u64 {
        match self.root(question) {
            Link::Root(root) => self.seen[root].load(Ordering::Relaxed),
            Link::Follow(_) | Link::Behind(..) => u64::MAX,
        }
    }

    /// For each rule, and then for each property, the places that it has ever looked at.
    pub(crate) fn looked_at(&self) -> Vec<u64> {
        self.seen.iter().map(|it| it.load(Ordering::Relaxed)).collect()
    }

    /// Adds the places that rules and properties have looked at in another process.
    pub(crate) fn note_looked_at(&self, masks: &[u64]) {
        for (seen, mask) in self.seen.iter().zip(masks) {
            seen.fetch_or(*mask, Ordering::Relaxed);
        }
    }

    /// The remembered answer to a question: the offset behind the leaf's first word, and that word.
    /// Adds the places that were looked at, including those of the state before the step, to
    /// `looked`.
    #[inline]
    pub(crate) fn answer(
        &self,
        tables: &Tables,
        question: Question,
        before: &[u32],
        now: &[u32],
        looked: &mut u64,
    ) -> Result<(u32, u32), Fault> {
        let mut held = self.linked(tables, self.root(question));
        while held != 0 {
            let (at, word) = halves(held);
            if word & LOOKS == 0 {
                return Ok((at + 1, word));
            }
            let place = word & 0xffff;
            *looked |= bit(place);
            let seen = self.seen_by(tables, word, [before, now])?;
            held = tables.answers.value(at, seen);
        }
        self.compute(tables, question, before, now, looked)
    }

    /// The remembered answer, as [`Remembered::answer`] finds it, and the places that were looked at.
    ///
    /// `last` is the way to an answer about another state. As far as this state shows the same on that
    /// way, it is not looked up again. States that are expanded one after the other mostly do: they
    /// have parents that were, too.
    #[inline]
    pub(crate) fn answer_again(
        &self,
        tables: &Tables,
        question: Question,
        states: [&[u32]; 2],
        last: &mut Last,
    ) -> Result<((u32, u32), u64), Fault> {
        if last.question != Some(question) {
            *last = Last { question: Some(question), len: 0, ..*last };
        }
        let mut same = 0;
        while same < last.len {
            let look = &mut last.looks[same];
            let component = component_at(look.word, states);
            if component != look.component || summary_of(look.word) == Some(IS_KEPT) {
                if self.seen_by(tables, look.word, states)? != look.seen {
                    break;
                }
                look.component = component;
            }
            same += 1;
        }
        if same == 0 || same < last.len {
            self.walk(tables, question, states, last, same)?;
        }
        Ok((last.answer, last.looked))
    }

    /// Walks to an answer from the node after the first `same` looks of the last way.
    fn walk(
        &self,
        tables: &Tables,
        question: Question,
        states: [&[u32]; 2],
        last: &mut Last,
        same: usize,
    ) -> Result<(), Fault> {
        let mut link = self.root(question);
        let mut held = match last.looks[..last.len].get(same) {
            Some(look) => pointer(look.node, LOOKS | look.word),
            None => self.linked(tables, link),
        };
        let (mut len, mut looked) = (same, 0);
        last.looks[..same].iter().for_each(|it| looked |= bit(it.word & 0xffff));
        last.len = 0;
        loop {
            let (node, word) = halves(held);
            if held == 0 {
                self.compute(tables, question, states[0], states[1], &mut looked)?;
                held = self.linked(tables, link);
                continue;
            }
            if word & LOOKS == 0 {
                (last.answer, last.looked) = ((node + 1, word), looked);
                last.len = if len <= LAST_MAX { len } else { 0 };
                return Ok(());
            }
            let word = word & !LOOKS;
            let seen = self.seen_by(tables, word, states)?;
            if let Some(look) = last.looks.get_mut(len) {
                *look = Looked { word, component: component_at(word, states), seen, node };
            }
            len += 1;
            looked |= bit(word & 0xffff);
            link = Link::Behind(node, seen);
            held = tables.answers.value(node, seen);
        }
    }

    #[cold]
    fn compute(
        &self,
        tables: &Tables,
        question: Question,
        before: &[u32],
        now: &[u32],
        looked: &mut u64,
    ) -> Result<(u32, u32), Fault> {
        let parts = [self.components.values(before), self.components.values(now)];
        let summarize = |number, component: &S::Component| self.system.summary(number, component);
        let noted = Noted::new(&summarize);
        let leaf = self.leaf(tables, question, [&parts[0], &parts[1]], &noted)?;
        let noted = noted.into_words();
        let mask = noted.iter().fold(0, |mask, word| mask | bit(word & 0xffff));
        *looked |= mask;
        if let Link::Root(root) = self.root(question) {
            self.seen[root].fetch_or(mask, Ordering::Relaxed);
        }
        let mut seen = Vec::with_capacity(noted.len());
        for word in noted {
            seen.push((word, self.seen_by(tables, word, [before, now])?));
        }
        let at = self.add(tables, question, seen.into_iter(), &leaf)?;
        Ok((at + 1, leaf[0]))
    }

    /// The number under which an answer is remembered: that of a component, of its summary, or of
    /// whether the component differs from the one before.
    #[inline]
    fn seen_by(&self, tables: &Tables, word: u32, states: [&[u32]; 2]) -> Result<u32, Fault> {
        let component = component_at(word, states);
        let Some(number) = summary_of(word) else {
            return Ok(component);
        };
        if number == IS_KEPT {
            let place = (word & 0xffff) as usize;
            return Ok(u32::from(states[0][place] == states[1][place]));
        }
        match tables.summaries.value(tables.summary_at(component, number)) {
            0 => self.summarize(tables, number, component),
            known => Ok(halves(known).0 - 1),
        }
    }

    #[cold]
    fn summarize(&self, tables: &Tables, number: u16, component: u32) -> Result<u32, Fault> {
        let value = self.components.value(component);
        let during = || format!("the summary {number} of {value:?}");
        let summary = caught(during, || self.system.summary(number, &value))?;
        let summary = self.component(tables, Arc::new(summary))?;
        let at = tables.summary_at(component, number);
        tables.summaries.set(at, u64::from(summary) + 1)?;
        Ok(summary)
    }

    /// Adds an answer, unless another thread did.
    fn add(
        &self,
        tables: &Tables,
        question: Question,
        seen: impl Iterator<Item = (u32, u32)>,
        leaf: &[u32],
    ) -> Result<u32, Fault> {
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut link = self.root(question);
        for (word, component) in seen {
            let at = self.add_list(tables, question, link, &[LOOKS | word])?;
            link = Link::Behind(at, component);
        }
        self.add_list(tables, question, link, leaf)
    }

    /// Hangs a node or a leaf at a link, unless it is there.
    fn add_list(
        &self,
        tables: &Tables,
        question: Question,
        link: Link,
        list: &[u32],
    ) -> Result<u32, Fault> {
        let (at, _) = halves(self.linked(tables, link));
        if at == 0 {
            let at = tables.arena.keep(list)?;
            let pointer = pointer(at, list[0]);
            match link {
                Link::Root(root) => self.roots[root].store(pointer, Ordering::Release),
                Link::Follow(follow) => tables.follows.set(follow as usize, pointer)?,
                Link::Behind(node, component) => {
                    tables.answers.remember(node, component, pointer)?;
                }
            }
            return Ok(at);
        }
        match tables.arena.is_at(at, list) {
            true => Ok(at),
            false => Err(Flaw::NotDeterministic { during: self.text(question) }.into()),
        }
    }

    #[inline]
    fn root(&self, question: Question) -> Link {
        match question {
            Question::Rule(rule) => Link::Root(usize::from(rule.0)),
            Question::Group(group) => Link::Root(self.rules + group),
            Question::Follow(follow) => Link::Follow(follow),
        }
    }

    /// The node or leaf at a link; 0 if none is there.
    #[inline]
    fn linked(&self, tables: &Tables, link: Link) -> u64 {
        match link {
            Link::Root(root) => self.roots[root].load(Ordering::Acquire),
            Link::Follow(follow) => tables.follows.value(follow as usize),
            Link::Behind(node, component) => tables.answers.value(node, component),
        }
    }

    /// Asks the system.
    fn leaf(
        &self,
        tables: &Tables,
        question: Question,
        [before, now]: [&[Arc<S::Component>]; 2],
        noted: &Noted<'_, S::Component>,
    ) -> Result<Vec<u32>, Fault> {
        let mut leaf = Vec::new();
        match question {
            Question::Rule(rule) => {
                let outcomes = outcomes(self.system, rule, now, noted)?;
                leaf.push(short(outcomes.len()));
                for outcome in outcomes {
                    let during = || format!("the kind of {:?}", outcome.step);
                    let kind = caught(during, || self.system.kind(&outcome.step))?;
                    let step = agreed(self.steps.number(outcome.step))?.number;
                    leaf.extend([step, u32::from(outcome.is_dead) | u32::from(kind) << 1]);
                    self.write_effect(tables, question, outcome.effect, &mut leaf)?;
                }
            }
            Question::Group(group) => {
                let mut all = 0;
                for (nth, property) in self.groups[group].iter().enumerate() {
                    all |= u32::from(holds(self.system, *property, now, noted)?) << nth;
                }
                leaf.push(all);
            }
            Question::Follow(follow) => {
                let follow = self.follows.value(follow);
                let effect = follow_up(self.system, &follow, [before, now], noted)?;
                leaf.push(0);
                self.write_effect(tables, question, effect, &mut leaf)?;
            }
        }
        Ok(leaf)
    }

    fn write_effect(
        &self,
        tables: &Tables,
        question: Question,
        effect: Effect<S>,
        leaf: &mut Vec<u32>,
    ) -> Result<(), Fault> {
        let Effect { changes, follows, marks } = effect;
        assert!(changes.len() < 1 << 16, "a step changes fewer than 2^16 components");
        assert!(
            follows.len() < 1 << 8 && marks.len() < 1 << 8,
            "a step has fewer than 2^8 of each"
        );
        leaf.push(short(changes.len()) | short(follows.len()) << 16 | short(marks.len()) << 24);
        for (Place(place), change) in changes {
            self.check_place(usize::from(place), || self.text(question))?;
            let how = match change {
                How::By(change) => agreed(self.changes.number(change))?.number,
                How::Put(component) => PUT | self.component(tables, component)?,
            };
            leaf.extend([u32::from(place), how]);
        }
        for follow in follows {
            leaf.push(agreed(self.follows.number(follow))?.number);
        }
        leaf.extend(marks.into_iter().map(u32::from));
        Ok(())
    }

    /// Refuses a place that states do not have.
    pub(crate) fn check_place(
        &self,
        place: usize,
        during: impl Fn() -> String,
    ) -> Result<(), Flaw> {
        match place < self.places {
            true => Ok(()),
            false => Err(Flaw::NoSuchPlace { during: during(), place, places: self.places }),
        }
    }

    /// The component that results from a change, or from putting another one in its place.
    #[inline]
    pub(crate) fn changed(
        &self,
        tables: &Tables,
        component: u32,
        change: u32,
    ) -> Result<u32, Fault> {
        if change & PUT != 0 {
            return Ok(change & !PUT);
        }
        match tables.changed.value(change, component) {
            0 => self.compute_changed(tables, component, change),
            known => Ok(halves(known).0 - 1),
        }
    }

    #[cold]
    fn compute_changed(&self, tables: &Tables, component: u32, change: u32) -> Result<u32, Fault> {
        let (value, how) = (self.components.value(component), self.changes.value(change));
        let changed = change_of(self.system, &value, &how)?;
        let number = self.component(tables, Arc::new(changed))?;
        tables.changed.remember(change, component, u64::from(number) + 1)?;
        Ok(number)
    }

    /// A question as text.
    pub(crate) fn text(&self, question: Question) -> String {
        match question {
            Question::Rule(rule) => rule_text(rule),
            Question::Group(group) => {
                let names = self.groups[group].iter().map(|it| property_text(self.system, *it));
                names.collect::<Vec<_>>().join(" or ")
            }
            Question::Follow(follow) => follow_text(&*self.follows.value(follow)),
        }
    }
}

/// The groups of properties; larger ones than a leaf's word has room for are split.
fn groups(system: &impl System) -> Vec<Vec<usize>> {
    let groups = system.property_groups();
    let mut grouped: Vec<usize> = groups.iter().flatten().copied().collect();
    grouped.sort_unstable();
    let properties: Vec<usize> = (0..system.properties().len()).collect();
    assert!(grouped == properties, "each property is in one group: {groups:?}");
    groups.iter().flat_map(|it| it.chunks(GROUP_MAX)).map(<[usize]>::to_vec).collect()
}

/// For each rule and each group of properties, nothing.
fn zeros(questions: usize) -> Vec<AtomicU64> {
    (0..questions).map(|_| AtomicU64::new(0)).collect()
}

fn short(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 2^32 steps of one rule")
}

fn agreed(known: Result<Known, Disagree>) -> Result<Known, Flaw> {
    known.map_err(|Disagree(one, other)| Flaw::HashDisagrees { one, other })
}

fn rule_text(rule: Rule) -> String {
    format!("rule {}", rule.0)
}

fn property_text(system: &impl System, property: usize) -> String {
    let name = system.properties().into_iter().nth(property).map(|it| it.name);
    format!("the property {:?}", name.unwrap_or_default())
}

fn follow_text(follow: &impl Debug) -> String {
    format!("what follows, {follow:?},")
}
