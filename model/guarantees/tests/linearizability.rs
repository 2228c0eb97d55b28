//! The linearizability judge against directed cases, a brute force, another tester, and
//! long histories of a simulated atomic register.

#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use steadfast_guarantees::linearizability::{
    Access, NotLinearizable, Operation, Source, Time, judge,
};

// Directed cases.

#[test]
fn empty_history_is_linearizable() {
    check(&[], Ok(()));
}

#[test]
fn reads_between_writes_see_the_write_before_them() {
    check(
        &[read_initial(1, 2), write(10, 3, 4), read(10, 5, 6), write(20, 7, 8), read(20, 9, 10)],
        Ok(()),
    );
}

#[test]
fn read_concurrent_with_a_write_may_see_the_old_or_the_new_value() {
    check(&[write(10, 1, 4), read_initial(2, 3)], Ok(()));
    check(&[write(10, 1, 4), read(10, 2, 3)], Ok(()));
}

#[test]
fn stale_read_after_an_acknowledged_write_is_caught() {
    check(
        &[write(10, 1, 2), write(20, 3, 4), read(10, 5, 6)],
        Err(NotLinearizable::StaleRead { read: 2, old: Source::Write(0), new: Source::Write(1) }),
    );
}

#[test]
fn stale_read_is_caught_between_values_that_were_read_in_order() {
    check(
        &[
            write(10, 1, 2),
            read(10, 3, 4),
            write(20, 5, 6),
            write(30, 7, 8),
            read(20, 9, 10),
            write(40, 11, 12),
            read(40, 13, 14),
        ],
        Err(NotLinearizable::StaleRead { read: 4, old: Source::Write(2), new: Source::Write(3) }),
    );
}

#[test]
fn read_of_the_initial_value_after_an_acknowledged_write_is_caught() {
    check(
        &[write(10, 0, 1), read_initial(2, 3)],
        Err(NotLinearizable::StaleRead {
            read: 1,
            old: Source::InitialValue,
            new: Source::Write(0),
        }),
    );
}

#[test]
fn new_value_then_old_value_is_caught_while_the_write_still_runs() {
    check(
        &[write(10, 1, 2), write(20, 3, 8), read(20, 4, 5), read(10, 6, 7)],
        Err(NotLinearizable::StaleRead { read: 3, old: Source::Write(0), new: Source::Write(1) }),
    );
}

#[test]
fn reads_that_disagree_on_the_order_of_two_concurrent_writes_are_caught() {
    check(
        &[write(10, 1, 4), write(20, 2, 3), read(20, 5, 7), read(10, 6, 8)],
        Err(NotLinearizable::ContradictoryReads {
            first_read: 2,
            first: Source::Write(1),
            second_read: 3,
            second: Source::Write(0),
        }),
    );
}

#[test]
fn initial_value_seen_again_between_reads_of_a_write_is_caught() {
    check(
        &[write(10, 1, 8), read(10, 2, 3), read_initial(4, 5), read(10, 6, 7)],
        Err(NotLinearizable::ContradictoryReads {
            first_read: 2,
            first: Source::InitialValue,
            second_read: 3,
            second: Source::Write(0),
        }),
    );
}

#[test]
fn later_read_of_the_older_of_two_acknowledged_writes_is_caught() {
    check(
        &[write(10, 1, 2), write(20, 3, 4), read(20, 5, 6), read(10, 7, 8)],
        Err(NotLinearizable::ContradictoryReads {
            first_read: 3,
            first: Source::Write(0),
            second_read: 2,
            second: Source::Write(1),
        }),
    );
}

#[test]
fn unknown_write_may_take_effect_late() {
    check(&[unknown_write(10, 1), write(20, 2, 3), read(20, 4, 5), read(10, 6, 7)], Ok(()));
}

#[test]
fn unknown_write_takes_effect_only_once() {
    check(
        &[unknown_write(10, 1), read(10, 2, 3), write(20, 4, 5), read(10, 6, 7)],
        Err(NotLinearizable::StaleRead { read: 3, old: Source::Write(0), new: Source::Write(2) }),
    );
}

#[test]
fn unknown_write_that_nobody_saw_is_harmless() {
    check(&[read_initial(1, 2), unknown_write(10, 3), read_initial(4, 5)], Ok(()));
}

#[test]
fn read_that_never_returned_is_ignored() {
    let unanswered = Operation { returned: None, ..read(99, 1, 2) };
    check(&[unanswered, write(10, 3, 4)], Ok(()));
}

#[test]
fn read_of_a_value_nobody_wrote_is_caught() {
    check(&[write(10, 1, 2), read(20, 3, 4)], Err(NotLinearizable::ReadOfUnwritten { read: 1 }));
}

#[test]
fn read_that_returned_before_its_write_was_invoked_is_caught() {
    check(
        &[read(10, 1, 2), write(10, 3, 4)],
        Err(NotLinearizable::ReadBeforeWrite { read: 0, write: 1 }),
    );
}

#[test]
fn two_writes_of_one_value_cannot_be_judged() {
    assert_eq!(
        judge(&[write(10, 1, 2), write(10, 3, 4)]),
        Err(NotLinearizable::DuplicateValue { first: 0, second: 1 }),
    );
}

#[test]
#[should_panic(expected = "operation 0 returns after its own invocation")]
fn operation_that_returns_before_its_own_invocation_panics() {
    let _ = judge(&[write(10, 2, 1)]);
}

#[test]
fn messages_name_the_operations() {
    let stale =
        NotLinearizable::StaleRead { read: 7, old: Source::InitialValue, new: Source::Write(3) };
    assert_eq!(
        stale.to_string(),
        "operation 7 read the initial value, \
         but the value of operation 3 had replaced that before the read began"
    );
}

/// The judge gives the expected verdict, and both twins agree with it.
#[track_caller]
fn check(history: &[Operation<u8>], expected: Result<(), NotLinearizable>) {
    assert_eq!(judge(history), expected);
    assert_eq!(brute_force(history), expected.is_ok());
    assert_eq!(stateright_accepts(history), expected.is_ok());
}

// Random small histories.

const OPERATIONS_MAX: usize = 7;

/// How much later than a write a read begins on average, so that few histories are
/// rejected for the plain reason that a read came before its write.
const READ_DELAY_TICKS: u8 = 6;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn judge_agrees_with_brute_force_and_stateright(history in small_history()) {
        let verdict = judge(&history);
        prop_assert_eq!(verdict.is_ok(), brute_force(&history), "{:?}", verdict);
        prop_assert_eq!(verdict.is_ok(), stateright_accepts(&history), "{:?}", verdict);
    }
}

#[test]
fn random_histories_reach_every_verdict() {
    let mut runner = TestRunner::deterministic();
    let mut verdicts = BTreeMap::new();
    for _ in 0..4096 {
        let history = small_history().new_tree(&mut runner).unwrap().current();
        *verdicts.entry(verdict_name(&judge(&history))).or_insert(0) += 1;
    }
    assert!(verdicts.len() == 5 && verdicts.values().all(|&count| count >= 50), "{verdicts:?}");
}

fn verdict_name(verdict: &Result<(), NotLinearizable>) -> &'static str {
    match verdict {
        Ok(()) => "linearizable",
        Err(NotLinearizable::DuplicateValue { .. }) => "duplicate value",
        Err(NotLinearizable::ReadOfUnwritten { .. }) => "read of unwritten",
        Err(NotLinearizable::ReadBeforeWrite { .. }) => "read before write",
        Err(NotLinearizable::StaleRead { .. }) => "stale read",
        Err(NotLinearizable::ContradictoryReads { .. }) => "contradictory reads",
    }
}

/// What the strategy draws for one operation: a write if there is no read, and on a
/// coarse clock when it begins and how long it takes, if it returns.
type Draft = (Option<Option<u8>>, u8, Option<u8>);

fn small_history() -> impl Strategy<Value = Vec<Operation<u8>>> {
    let read = prop_oneof![1 => Just(None), 3 => (0..3_u8).prop_map(Some)];
    let draft =
        (prop::option::weighted(0.5, read), 0..20_u8, prop::option::weighted(0.85, 1..8_u8));
    prop::collection::vec(draft, 1..=OPERATIONS_MAX).prop_map(|drafts| history_of(&drafts))
}

/// Numbers the writes, so that their values are unique, and spreads the events of the
/// coarse clock, so that their times are.
fn history_of(drafts: &[Draft]) -> Vec<Operation<u8>> {
    let distinct =
        |tick: u8, index: usize| Time(tick as u64 * OPERATIONS_MAX as u64 + index as u64);
    let mut values = 0..;
    drafts
        .iter()
        .enumerate()
        .map(|(index, &(read, begin, duration))| {
            let (access, begin) = match read {
                Some(value) => (Access::Read(value), begin + READ_DELAY_TICKS),
                None => (Access::Write(values.next().unwrap()), begin),
            };
            Operation {
                access,
                invoked: distinct(begin, index),
                returned: duration.map(|duration| distinct(begin + duration, index)),
            }
        })
        .collect()
}

/// Whether any order of the operations explains the reads: tries them all.
fn brute_force(history: &[Operation<u8>]) -> bool {
    assert!(history.len() <= OPERATIONS_MAX);
    can_continue(None, history)
}

/// Whether the remaining operations can follow while the register holds this value.
/// Those whose outcome is unknown need not happen.
fn can_continue(register: Option<u8>, remaining: &[Operation<u8>]) -> bool {
    remaining.iter().all(|operation| operation.returned.is_none())
        || (0..remaining.len()).any(|index| {
            let mut rest = remaining.to_vec();
            let next = rest.remove(index);
            let too_early = rest.iter().any(|other| returned_before(other, &next));
            !too_early
                && match next.access {
                    Access::Write(value) => can_continue(Some(value), &rest),
                    Access::Read(value) => value == register && can_continue(register, &rest),
                }
        })
}

fn returned_before(earlier: &Operation<u8>, later: &Operation<u8>) -> bool {
    earlier.returned.is_some_and(|returned| returned < later.invoked)
}

/// The verdict of Stateright's tester, with a thread for every operation.
fn stateright_accepts(history: &[Operation<u8>]) -> bool {
    let mut tester = LinearizabilityTester::new(Register(None));
    for (thread, happening) in events(history) {
        let valid = match (happening, &history[thread].access) {
            (Event::Invoked, Access::Write(value)) => {
                tester.on_invoke(thread, RegisterOp::Write(Some(*value)))
            }
            (Event::Invoked, Access::Read(_)) => tester.on_invoke(thread, RegisterOp::Read),
            (Event::Returned, Access::Write(_)) => tester.on_return(thread, RegisterRet::WriteOk),
            (Event::Returned, Access::Read(value)) => {
                tester.on_return(thread, RegisterRet::ReadOk(*value))
            }
        };
        valid.expect("every operation is invoked once and then returns at most once");
    }
    tester.is_consistent()
}

#[derive(Clone, Copy)]
enum Event {
    Invoked,
    Returned,
}

/// What happened to which operation, in the order of time.
fn events(history: &[Operation<u8>]) -> Vec<(usize, Event)> {
    let mut events = BTreeMap::new();
    for (index, operation) in history.iter().enumerate() {
        events.insert(operation.invoked, (index, Event::Invoked));
        if let Some(returned) = operation.returned {
            events.insert(returned, (index, Event::Returned));
        }
    }
    events.into_values().collect()
}

// Long histories.

const LONG_HISTORY_OPERATIONS: usize = 10_000;

#[test]
fn ten_thousand_operations_on_an_atomic_register_are_linearizable() {
    for seed in 1..=5 {
        let history = AtomicRegister::new(seed).run(LONG_HISTORY_OPERATIONS);
        assert!(shows_late_effects(&history), "seed {seed} is too tame");
        assert_eq!(judge(&history), Ok(()), "seed {seed}");
    }
}

#[test]
fn one_stale_read_among_ten_thousand_operations_is_caught() {
    for seed in 1..=5 {
        let mut history = AtomicRegister::new(seed).run(LONG_HISTORY_OPERATIONS);
        let stale = make_one_read_stale(&mut history);
        let verdict = judge(&history);
        assert!(
            matches!(
                verdict,
                Err(NotLinearizable::StaleRead { read, .. }
                    | NotLinearizable::ContradictoryReads { first_read: read, .. })
                if read == stale
            ),
            "seed {seed}: the read at {stale} is stale, but the verdict is {verdict:?}"
        );
    }
}

/// Whether somebody read a write whose outcome its own client never learned.
fn shows_late_effects(history: &[Operation<u64>]) -> bool {
    let read: BTreeSet<_> = history.iter().filter_map(value_read).collect();
    history.iter().any(|operation| match operation.access {
        Access::Write(value) => operation.returned.is_none() && read.contains(&value),
        Access::Read(_) => false,
    })
}

fn value_read(operation: &Operation<u64>) -> Option<u64> {
    match (&operation.access, operation.returned) {
        (Access::Read(value), Some(_)) => *value,
        _ => None,
    }
}

/// Makes a read in the middle answer the first acknowledged value, which thousands of
/// operations have replaced since, and returns its index.
fn make_one_read_stale(history: &mut [Operation<u64>]) -> usize {
    let old = history
        .iter()
        .find_map(|operation| match (&operation.access, operation.returned) {
            (Access::Write(value), Some(_)) => Some(*value),
            _ => None,
        })
        .expect("a write was acknowledged");
    let middle = history.len() / 2;
    let stale = (middle..history.len())
        .find(|&index| value_read(&history[index]).is_some())
        .expect("a read in the second half returned");
    history[stale].access = Access::Read(Some(old));
    stale
}

const CLIENTS: u64 = 8;

/// A register whose operations take effect at one moment, some time between invocation
/// and return. Clients sometimes give up on a write, which may then take effect at any
/// later time.
struct AtomicRegister {
    random: Random,
    value: Option<u64>,
    history: Vec<Operation<u64>>,
    /// What each client is doing, by its index in the history.
    clients: [Client; CLIENTS as usize],
    /// Writes that were given up before they took effect.
    abandoned: Vec<usize>,
}

#[derive(Clone, Copy)]
enum Client {
    Idle,
    Waiting(usize),
    Done(usize),
}

impl AtomicRegister {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            value: None,
            history: Vec::new(),
            clients: [Client::Idle; CLIENTS as usize],
            abandoned: Vec::new(),
        }
    }

    /// Lets random clients make steps, one at every tick, until there are this many
    /// operations. Some of them have not returned by then.
    fn run(mut self, operations: usize) -> Vec<Operation<u64>> {
        let mut now = Time(0);
        while self.history.len() < operations {
            now = Time(now.0 + 1);
            let client = self.random.below(CLIENTS) as usize;
            self.clients[client] = match self.clients[client] {
                Client::Idle => self.invoke(now),
                Client::Waiting(operation) if self.random.below(50) == 0 => self.give_up(operation),
                Client::Waiting(operation) => self.take_effect(operation),
                Client::Done(operation) => self.finish(operation, now),
            };
            self.maybe_apply_abandoned();
        }
        self.history
    }

    fn invoke(&mut self, now: Time) -> Client {
        let index = self.history.len();
        let access = match self.random.below(3) {
            0 => Access::Write(index as u64),
            _ => Access::Read(None),
        };
        self.history.push(Operation { access, invoked: now, returned: None });
        Client::Waiting(index)
    }

    fn give_up(&mut self, operation: usize) -> Client {
        self.abandoned.push(operation);
        Client::Idle
    }

    fn take_effect(&mut self, operation: usize) -> Client {
        match &mut self.history[operation].access {
            Access::Write(value) => self.value = Some(*value),
            Access::Read(value) => *value = self.value,
        }
        Client::Done(operation)
    }

    /// The answer reaches the client, or is lost.
    fn finish(&mut self, operation: usize, now: Time) -> Client {
        if self.random.below(50) != 0 {
            self.history[operation].returned = Some(now);
        }
        Client::Idle
    }

    fn maybe_apply_abandoned(&mut self) {
        if self.random.below(200) == 0
            && let Some(operation) = self.abandoned.pop()
        {
            self.take_effect(operation);
        }
    }
}

/// Splitmix64 of Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

// How the tests write operations down.

fn write(value: u8, invoked: u64, returned: u64) -> Operation<u8> {
    operation(Access::Write(value), invoked, Some(returned))
}

fn unknown_write(value: u8, invoked: u64) -> Operation<u8> {
    operation(Access::Write(value), invoked, None)
}

fn read(value: u8, invoked: u64, returned: u64) -> Operation<u8> {
    operation(Access::Read(Some(value)), invoked, Some(returned))
}

fn read_initial(invoked: u64, returned: u64) -> Operation<u8> {
    operation(Access::Read(None), invoked, Some(returned))
}

fn operation(access: Access<u8>, invoked: u64, returned: Option<u64>) -> Operation<u8> {
    Operation { access, invoked: Time(invoked), returned: returned.map(Time) }
}
