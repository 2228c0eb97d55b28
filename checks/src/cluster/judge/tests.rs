//! Runs written down by hand, right ones and wrong ones.

use steadfast_protocol::{Dot, NodeId, Sequence, VersionVector};

use super::*;
use crate::cluster::logs::Logged;

/// A run of one path that a test writes down: each operation has its own span of time, or overlaps the next one.
#[derive(Default)]
struct Run {
    operations: Vec<Operation>,
    logs: Logs,
    heads: BTreeMap<String, Vec<Head>>,
    now: u64,
    is_available: bool,
}

const PATH: &str = "p";

fn version(sequence: u64) -> Version {
    Version { origin: 0, sequence }
}

fn dot(sequence: u64) -> Dot {
    Dot { origin: NodeId(0), sequence: Sequence(sequence) }
}

impl Run {
    fn begin(&mut self, request: Request) -> OperationId {
        let id = self.operations.len();
        self.now += 1;
        let key = request.is_write().then(|| format!("key {id}"));
        let (path, invoked) = (PATH.to_owned(), self.now);
        let (answered, answer) = (None, None);
        self.operations.push(Operation {
            client: 0,
            path,
            request,
            key,
            invoked,
            answered,
            answer,
        });
        id
    }

    fn end(&mut self, id: OperationId, answer: Answer) {
        self.now += 1;
        self.operations[id].answered = Some(self.now);
        self.operations[id].answer = Some(answer);
    }

    /// A put that is acknowledged and logged over these versions.
    fn put(&mut self, sequence: u64, replaces: &[u64]) -> OperationId {
        let id = self.begin(Request::Put { bytes: 1, base: None });
        self.log(id, sequence, replaces);
        self.end(id, Answer::Written(version(sequence)));
        id
    }

    /// A delete that is acknowledged and logged over these versions.
    fn delete(&mut self, sequence: u64, replaces: &[u64]) -> OperationId {
        let id = self.begin(Request::Delete);
        self.log(id, sequence, replaces);
        self.end(id, Answer::Written(version(sequence)));
        id
    }

    fn log(&mut self, id: OperationId, sequence: u64, replaces: &[u64]) {
        let request = request_of(self.operations[id].key.as_ref().expect("a write"));
        let replaces = replaces.iter().map(|it| version(*it)).collect();
        let is_delete = self.operations[id].request == Request::Delete;
        // The author of a version has seen all versions with lower numbers.
        let mut context = VersionVector::default();
        (1..sequence).for_each(|it| context.insert(dot(it)));
        let logged = Logged { path: PATH.to_owned(), is_delete, request, replaces, context };
        self.logs.entries.insert(version(sequence), logged);
    }

    fn read(&mut self, sequence: u64, author: OperationId) -> OperationId {
        let id = self.begin(Request::Get);
        self.end(id, Answer::Found { version: version(sequence), author: Some(author) });
        id
    }

    fn show(&mut self, sequences: &[u64]) {
        let head = |(at, sequence): (usize, &u64)| Head {
            version: version(*sequence),
            visible: at == 0,
            deleted: false,
            length: None,
            content: None,
            stamp: String::new(),
            replaces: Vec::new(),
            request: self.logs.entries[&version(*sequence)].request.clone(),
        };
        let heads = sequences.iter().enumerate().map(head).collect();
        self.heads.insert(PATH.to_owned(), heads);
    }

    fn judged(&self) -> Judgement {
        judge(&Evidence {
            is_linearizable: !self.is_available,
            operations: &self.operations,
            logs: &self.logs,
            heads: &self.heads,
        })
    }

    fn is_broken_by(&self, words: &str) -> bool {
        let judgement = self.judged();
        judgement.violations.iter().any(|it| it.why.contains(words))
    }
}

#[test]
fn a_right_run_is_right() {
    let mut run = Run::default();
    let first = run.put(1, &[]);
    run.read(1, first);
    let second = run.put(2, &[1]);
    run.read(2, second);
    run.show(&[2]);
    let judgement = run.judged();
    assert_eq!(judgement.violations, []);
    assert_eq!(judgement.fates, Fates { shown: 1, replaced: 1, ..Fates::default() });
    assert_eq!(judgement.linearizable_paths, 1);
}

#[test]
fn a_write_that_nothing_replaced_is_lost() {
    for is_available in [false, true] {
        let mut run = Run { is_available, ..Run::default() };
        run.put(1, &[]);
        // It replaces nothing, so that the first one should be a conflict version.
        run.put(2, &[]);
        run.show(&[2]);
        assert!(run.is_broken_by("n0-1 is lost"), "{:?}", run.judged());
        assert_eq!(run.judged().fates.lost, 1);
    }
}

#[test]
fn a_write_is_lost_even_if_the_logs_are_trimmed_unless_another_one_may_have_seen_it() {
    let mut run = Run::default();
    run.put(1, &[]);
    let last = run.put(3, &[]);
    run.show(&[3]);
    run.logs.entries.remove(&version(1));
    assert!(!run.logs.are_complete());
    assert_eq!(run.judged().fates.dropped, 1, "write {last} came later and may have replaced it");
    let mut run = Run::default();
    run.put(1, &[]);
    run.put(3, &[]);
    run.show(&[1]);
    run.logs.entries.remove(&version(1));
    run.logs.entries.remove(&version(3));
    assert!(run.is_broken_by("n0-3 is lost"), "the only other write came before it");
}

#[test]
fn an_old_value_is_read_after_a_new_one_was_acknowledged() {
    let mut run = Run::default();
    let first = run.put(1, &[]);
    run.put(2, &[1]);
    let read = run.read(1, first);
    run.show(&[2]);
    assert!(run.is_broken_by("had replaced before it began"));
    assert!(run.judged().violations[0].operations.contains(&read));
    run.is_available = true;
    assert_eq!(run.judged().violations, [], "which is not promised with E+W<=N");
}

#[test]
fn a_write_over_a_version_must_have_seen_it() {
    for is_replaced in [false, true] {
        let mut run = Run::default();
        run.put(1, &[]);
        if is_replaced {
            run.put(2, &[1]);
        }
        let request = Request::Put { bytes: 1, base: Some(version(1)) };
        let id = run.begin(request);
        run.log(id, 3, &[if is_replaced { 2 } else { 1 }]);
        run.end(id, Answer::Written(version(3)));
        run.show(&[3]);
        assert_eq!(run.is_broken_by("had replaced before it began"), is_replaced);
    }
}

#[test]
fn a_write_whose_outcome_is_unknown_may_be_seen_or_not() {
    for is_seen in [false, true] {
        let mut run = Run::default();
        let first = run.put(1, &[]);
        let unknown = run.begin(Request::Put { bytes: 1, base: None });
        run.log(unknown, 2, &[1]);
        run.end(unknown, Answer::Failed("gave up".to_owned()));
        if is_seen {
            run.read(2, unknown);
        } else {
            run.read(1, first);
        }
        run.show(&[2]);
        assert_eq!(run.judged().violations, []);
    }
}

#[test]
fn the_value_that_a_read_saw_may_not_vanish() {
    let mut run = Run::default();
    let first = run.put(1, &[]);
    let unknown = run.begin(Request::Put { bytes: 1, base: None });
    run.log(unknown, 2, &[1]);
    run.end(unknown, Answer::Failed("gave up".to_owned()));
    run.read(2, unknown);
    run.read(1, first);
    run.show(&[2]);
    assert!(run.is_broken_by("had replaced before it began"));
}

#[test]
fn a_delete_without_a_version_is_explained_by_a_delete_or_not_at_all() {
    for is_deleted in [false, true] {
        let mut run = Run::default();
        run.put(1, &[]);
        if is_deleted {
            let delete = run.begin(Request::Delete);
            run.end(delete, Answer::Failed("gave up".to_owned()));
        }
        let read = run.begin(Request::Get);
        run.end(read, Answer::Deleted(None));
        run.show(&[1]);
        assert_eq!(run.is_broken_by("no write explains this read"), !is_deleted);
    }
}

#[test]
fn bytes_of_another_write_and_of_nobody_are_noticed() {
    let mut run = Run::default();
    let first = run.put(1, &[]);
    run.put(2, &[1]);
    let stale = run.begin(Request::StaleGet);
    run.end(stale, Answer::Found { version: version(2), author: Some(first) });
    run.show(&[2]);
    assert!(run.is_broken_by("with the bytes of another write"));
    run.operations[stale].answer = Some(Answer::Found { version: version(2), author: None });
    assert!(run.is_broken_by("bytes that nobody wrote"));
}

#[test]
fn a_version_names_one_write() {
    let mut run = Run::default();
    run.put(1, &[]);
    let again = run.begin(Request::Put { bytes: 1, base: None });
    run.end(again, Answer::Written(version(1)));
    run.show(&[1]);
    assert!(run.is_broken_by("two writes were given version n0-1"));
    let mut run = Run::default();
    run.put(1, &[]);
    run.show(&[1]);
    run.logs.entries.insert(
        version(2),
        Logged { request: "0/0".to_owned(), ..run.logs.entries[&version(1)].clone() },
    );
    assert!(run.is_broken_by("no client wrote version n0-2"));
}

#[test]
fn an_acknowledged_write_is_no_mere_conflict_version_of_a_linearizable_store() {
    let mut run = Run::default();
    run.put(1, &[]);
    run.put(2, &[]);
    run.show(&[2, 1]);
    assert!(run.is_broken_by("only a conflict version"));
    run.is_available = true;
    assert_eq!(run.judged().violations, []);
    assert_eq!(run.judged().fates, Fates { shown: 1, in_conflict: 1, ..Fates::default() });
}

#[test]
fn a_delete_may_be_forgotten_and_nothing_else() {
    let mut run = Run::default();
    run.put(1, &[]);
    run.show(&[]);
    assert!(run.is_broken_by("n0-1 is lost"));
    run.delete(2, &[1]);
    assert_eq!(run.judged().violations, []);
    let absent = run.begin(Request::Get);
    run.end(absent, Answer::Absent);
    assert_eq!(run.judged().violations, [], "the read saw the delete");
    assert_eq!(run.judged().fates, Fates { replaced: 2, ..Fates::default() });
}

#[test]
fn a_write_of_a_node_that_has_forgotten_a_delete_takes_its_place() {
    let mut run = Run::default();
    run.put(1, &[]);
    run.delete(2, &[1]);
    run.put(3, &[]);
    run.show(&[3]);
    assert_eq!(run.judged().violations, []);
    // An author that has not seen the delete leaves it beside its version.
    let late = run.logs.entries.get_mut(&version(3)).expect("it is logged");
    late.context = VersionVector::default();
    assert!(run.is_broken_by("n0-2 is lost"));
}

#[test]
fn a_path_without_versions_is_not_read_before_its_delete() {
    let mut run = Run::default();
    run.put(1, &[]);
    let absent = run.begin(Request::Get);
    run.end(absent, Answer::Absent);
    run.delete(2, &[1]);
    run.show(&[]);
    assert!(run.is_broken_by("no write explains this read"));
}
