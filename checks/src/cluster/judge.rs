//! Judges a run from the history of its clients, the logs of its nodes and the heads at its end. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use steadfast_client::{Head, Version};
use steadfast_guarantees::linearizability::{self, Access, NotLinearizable, Source, Time};

use super::history::{Answer, Operation, OperationId, Request};
use super::logs::{Logs, request_of};

/// Everything that a run left.
pub(crate) struct Evidence<'a> {
    /// Whether the settings promise linearizable histories (E+W>N).
    pub(crate) is_linearizable: bool,
    pub(crate) operations: &'a [Operation],
    pub(crate) logs: &'a Logs,
    /// The heads of each path once all nodes hold the same.
    pub(crate) heads: &'a BTreeMap<String, Vec<Head>>,
}

/// A promise that a run broke, with the operations that show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Violation {
    pub(crate) path: Option<String>,
    pub(crate) why: String,
    pub(crate) operations: Vec<OperationId>,
}

impl Violation {
    pub(crate) fn new(why: impl Into<String>) -> Violation {
        Violation { path: None, why: why.into(), operations: Vec::new() }
    }
}

/// What became of the acknowledged writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Fates {
    /// Shown at the end.
    pub(crate) shown: u64,
    /// Kept as a conflict version.
    pub(crate) in_conflict: u64,
    /// Replaced by a write that named them, up to a head of the path or to a write that the logs have dropped.
    pub(crate) replaced: u64,
    /// Replaced, as far as is known: the logs do not reach back so far, and another write may have seen them.
    pub(crate) dropped: u64,
    /// Lost.
    pub(crate) lost: u64,
}

/// The result.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) violations: Vec<Violation>,
    pub(crate) fates: Fates,
    /// How many histories of a path were judged to be linearizable.
    pub(crate) linearizable_paths: u64,
}

/// Judges a run.
pub(crate) fn judge(evidence: &Evidence<'_>) -> Judgement {
    let mut judge = Judge::new(evidence);
    judge.learn_versions();
    judge.contents_are_exact();
    if evidence.is_linearizable {
        judge.paths_are_linearizable();
    }
    judge.no_acknowledged_write_is_lost();
    judge.judgement
}

struct Judge<'a> {
    evidence: &'a Evidence<'a>,
    /// The write that made a version.
    authors: BTreeMap<Version, OperationId>,
    by_path: BTreeMap<&'a str, Vec<OperationId>>,
    judgement: Judgement,
}

impl<'a> Judge<'a> {
    fn new(evidence: &'a Evidence<'a>) -> Judge<'a> {
        let mut by_path: BTreeMap<&str, Vec<OperationId>> = BTreeMap::new();
        for (id, it) in evidence.operations.iter().enumerate() {
            by_path.entry(&it.path).or_default().push(id);
        }
        Judge { evidence, authors: BTreeMap::new(), by_path, judgement: Judgement::default() }
    }

    fn operation(&self, id: OperationId) -> &'a Operation {
        &self.evidence.operations[id]
    }

    fn break_with(&mut self, path: &str, why: String, operations: Vec<OperationId>) {
        let path = Some(path.to_owned());
        self.judgement.violations.push(Violation { path, why, operations });
    }

    /// Finds the write that made each version: from acknowledgements, heads and logs, which must agree.
    fn learn_versions(&mut self) {
        for it in &self.evidence.logs.contradictions {
            self.judgement.violations.push(Violation::new(format!("the logs differ: {it}")));
        }
        let operations = self.evidence.operations;
        let keyed = operations.iter().enumerate();
        let requests: BTreeMap<String, OperationId> =
            keyed.filter_map(|(id, it)| Some((request_of(it.key.as_ref()?), id))).collect();
        let mut made: Vec<(Version, &str, Option<OperationId>)> = Vec::new();
        for (id, it) in operations.iter().enumerate() {
            made.extend(it.acknowledged().map(|version| (version, it.path.as_str(), Some(id))));
            if let Some(Answer::Heads(heads)) = &it.answer {
                let by = |it: &Head| requests.get(&it.request).copied();
                made.extend(heads.iter().map(|head| (head.version, it.path.as_str(), by(head))));
            }
        }
        for (version, it) in &self.evidence.logs.entries {
            made.push((*version, &it.path, requests.get(&it.request).copied()));
        }
        for (version, path, by) in made {
            let Some(by) = by else {
                self.break_with(path, format!("no client wrote version {version}"), vec![]);
                continue;
            };
            if self.operation(by).path != path {
                self.break_with(path, format!("version {version} was written elsewhere"), vec![by]);
            }
            let known = *self.authors.entry(version).or_insert(by);
            if known != by {
                let why = format!("two writes were given version {version}");
                self.break_with(path, why, vec![known, by]);
            }
        }
    }

    /// The put whose bytes a write puts at its path; `None` of a delete, and where that is not known.
    fn author_of_bytes(&self, write: OperationId) -> Option<OperationId> {
        let mut write = write;
        // A restored version is older than the write that restores it.
        loop {
            match self.operation(write).request {
                Request::Put { .. } => return Some(write),
                Request::Restore(version) | Request::Resolve(version) => {
                    let author = *self.authors.get(&version)?;
                    if author >= write {
                        return None;
                    }
                    write = author;
                }
                _ => return None,
            }
        }
    }

    /// Every content that was read is byte for byte that of the version that it was read as.
    fn contents_are_exact(&mut self) {
        for (id, it) in self.evidence.operations.iter().enumerate() {
            let Some(Answer::Found { version, author }) = it.answer else { continue };
            let Some(author) = author.filter(|it| *it < self.evidence.operations.len()) else {
                let why = format!("version {version} was read with bytes that nobody wrote");
                self.break_with(&it.path, why, vec![id]);
                continue;
            };
            let made_by = self.authors.get(&version).copied();
            let expected = made_by.and_then(|it| self.author_of_bytes(it));
            if self.operation(author).path != it.path || expected.is_some_and(|it| it != author) {
                let why = format!("version {version} was read with the bytes of another write");
                self.break_with(
                    &it.path,
                    why,
                    [Some(id), Some(author), made_by].into_iter().flatten().collect(),
                );
            }
        }
    }

    fn paths_are_linearizable(&mut self) {
        let paths: Vec<(&str, Vec<OperationId>)> =
            self.by_path.iter().map(|(path, ids)| (*path, ids.clone())).collect();
        for (path, ids) in paths {
            match self.not_linearizable(&ids) {
                None => self.judgement.linearizable_paths += 1,
                Some((why, operations)) => self.break_with(path, why, operations),
            }
        }
    }

    /// Why the operations of a path have no order, if so, with those that contradict each other.
    fn not_linearizable(&self, ids: &[OperationId]) -> Option<(String, Vec<OperationId>)> {
        let mut register = Register::default();
        let mut open: Vec<(OperationId, Vec<Option<OperationId>>)> = Vec::new();
        for id in ids {
            let it = self.operation(*id);
            if it.request.is_write() {
                register.add_write(*id, it);
                // A write over a version saw it at the same moment.
                if let (Request::Put { base: Some(base), .. }, Some(_)) =
                    (&it.request, it.acknowledged())
                {
                    match self.authors.get(base) {
                        Some(author) => register.add_read(*id, it, Some(*author)),
                        None => {
                            return Some((format!("no client wrote version {base}"), vec![*id]));
                        }
                    }
                }
                continue;
            }
            if it.request == Request::StaleGet {
                continue;
            }
            let seen = match &it.answer {
                Some(Answer::Found { version, author }) => match self.authors.get(version) {
                    Some(known) => vec![Some(*known)],
                    None => self.possible_authors(ids, *author),
                },
                Some(Answer::Heads(heads)) => {
                    vec![heads.first().and_then(|it| self.authors.get(&it.version).copied())]
                }
                Some(Answer::Deleted(version)) => {
                    match version.and_then(|it| self.authors.get(&it)) {
                        Some(known) => vec![Some(*known)],
                        None => self.possible_deletes(ids),
                    }
                }
                Some(Answer::Absent) => vec![None],
                _ => continue,
            };
            match seen[..] {
                [only] => register.add_read(*id, it, only),
                _ => open.push((*id, seen)),
            }
        }
        if let Err(error) = linearizability::judge(&register.operations) {
            return Some(register.explain(&error));
        }
        // A read whose version nothing else names is judged alone, with each write that it may have seen.
        open.iter().find_map(|(id, seen)| {
            let explains = |author: &Option<OperationId>| {
                let mut with = register.clone();
                with.add_read(*id, self.operation(*id), *author);
                linearizability::judge(&with.operations).is_ok()
            };
            let why = "no write explains this read".to_owned();
            (!seen.iter().any(explains)).then(|| (why, vec![*id]))
        })
    }

    /// The writes that may have put these bytes at the path.
    fn possible_authors(
        &self,
        ids: &[OperationId],
        put: Option<OperationId>,
    ) -> Vec<Option<OperationId>> {
        let restores = |it: &OperationId| {
            matches!(self.operation(*it).request, Request::Restore(_) | Request::Resolve(_))
        };
        ids.iter().copied().filter(|it| Some(*it) == put || restores(it)).map(Some).collect()
    }

    fn possible_deletes(&self, ids: &[OperationId]) -> Vec<Option<OperationId>> {
        let deletes = |it: &OperationId| self.operation(*it).request == Request::Delete;
        ids.iter().copied().filter(deletes).map(Some).collect()
    }

    /// Each acknowledged write is a head, or was replaced by a write that named it, and so on up to a head.
    fn no_acknowledged_write_is_lost(&mut self) {
        let mut replaced_by: BTreeMap<Version, Vec<Version>> = BTreeMap::new();
        for (version, it) in &self.evidence.logs.entries {
            it.replaces.iter().for_each(|old| replaced_by.entry(*old).or_default().push(*version));
        }
        let are_complete = self.evidence.logs.are_complete();
        let operations = self.evidence.operations;
        for (id, it) in operations.iter().enumerate() {
            let Some(version) = it.acknowledged() else { continue };
            let heads = self.evidence.heads.get(&it.path).map_or(&[][..], Vec::as_slice);
            let place = heads.iter().position(|it| it.version == version);
            let fates = &mut self.judgement.fates;
            let loss = match heads.iter().position(|it| it.version == version) {
                Some(0) => {
                    fates.shown += 1;
                    continue;
                }
                Some(_) => {
                    fates.in_conflict += 1;
                    match self.evidence.is_linearizable {
                        true => "only a conflict version",
                        false => continue,
                    }
                }
                None if leads_to_a_head(version, &replaced_by, heads) => {
                    fates.replaced += 1;
                    continue;
                }
                None if !are_complete && self.may_be_replaced(id) => {
                    self.judgement.fates.dropped += 1;
                    continue;
                }
                None => {
                    self.judgement.fates.lost += 1;
                    "lost"
                }
            };
            let why = format!("the acknowledged version {version} is {loss}");
            self.break_with(&it.path, why, vec![id]);
        }
    }

    /// Whether another write of the path had not returned before this one began, so that it may have replaced it.
    fn may_be_replaced(&self, id: OperationId) -> bool {
        let it = self.operation(id);
        let ids = &self.by_path[it.path.as_str()];
        ids.iter().filter(|other| **other != id).map(|other| self.operation(*other)).any(|other| {
            let returned = other.acknowledged().and(other.answered);
            other.request.is_write() && returned.is_none_or(|at| at > it.invoked)
        })
    }
}

/// Whether writes that replace each other lead from a version to a head.
fn leads_to_a_head(
    version: Version,
    replaced_by: &BTreeMap<Version, Vec<Version>>,
    heads: &[Head],
) -> bool {
    let mut next = vec![version];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(it) = next.pop() {
        if heads.iter().any(|head| head.version == it) {
            return true;
        }
        if seen.insert(it) {
            next.extend(replaced_by.get(&it).into_iter().flatten());
        }
    }
    false
}

/// The operations of a path as those of a register whose values are the numbers of writes.
#[derive(Clone, Default)]
struct Register {
    operations: Vec<linearizability::Operation<OperationId>>,
    /// The operation of the history behind each.
    of: Vec<OperationId>,
}

impl Register {
    fn add_write(&mut self, id: OperationId, it: &Operation) {
        let returned = it.acknowledged().and(it.answered);
        self.add(id, Access::Write(id), moment(it.invoked, 0), returned.map(|at| moment(at, 0)));
    }

    /// A read of a write's value. It lies within its operation, so that the read and the write of a conditional write
    /// do not share a moment.
    fn add_read(&mut self, id: OperationId, it: &Operation, seen: Option<OperationId>) {
        let returned = it.answered.map(|at| moment(at - 1, 2));
        self.add(id, Access::Read(seen), moment(it.invoked, 1), returned);
    }

    fn add(
        &mut self,
        id: OperationId,
        access: Access<OperationId>,
        invoked: Time,
        returned: Option<Time>,
    ) {
        self.operations.push(linearizability::Operation { access, invoked, returned });
        self.of.push(id);
    }

    /// The contradiction in words of the history.
    fn explain(&self, error: &NotLinearizable) -> (String, Vec<OperationId>) {
        let of = |at: usize| self.of[at];
        let source = |it: Source| match it {
            Source::InitialValue => None,
            Source::Write(at) => Some(of(at)),
        };
        let name = |it: Option<OperationId>| match it {
            None => "nothing".to_owned(),
            Some(id) => format!("write {id}"),
        };
        match *error {
            NotLinearizable::DuplicateValue { first, second } => {
                (error.to_string(), vec![of(first), of(second)])
            }
            NotLinearizable::ReadOfUnwritten { read } => {
                let why =
                    format!("operation {} read a value that nobody wrote to this path", of(read));
                (why, vec![of(read)])
            }
            NotLinearizable::ReadBeforeWrite { read, write } => {
                let why = format!(
                    "operation {} read write {} before that was requested",
                    of(read),
                    of(write)
                );
                (why, vec![of(read), of(write)])
            }
            NotLinearizable::StaleRead { read, old, new } => {
                let (old, new) = (source(old), source(new));
                let why = format!(
                    "operation {} read {}, which {} had replaced before it began",
                    of(read),
                    name(old),
                    name(new)
                );
                (why, [Some(of(read)), old, new].into_iter().flatten().collect())
            }
            NotLinearizable::ContradictoryReads { first_read, first, second_read, second } => {
                let (first, second) = (source(first), source(second));
                let why = format!(
                    "operation {} read {} after {} was there, and operation {} the other way round",
                    of(first_read),
                    name(first),
                    name(second),
                    of(second_read)
                );
                let ids = [Some(of(first_read)), first, Some(of(second_read)), second];
                (why, ids.into_iter().flatten().collect())
            }
        }
    }
}

/// A moment at an event of the history, or in one of the three gaps behind it.
fn moment(event: u64, gap: u64) -> Time {
    Time(event * 4 + gap)
}

#[cfg(test)]
mod tests {
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

        fn log(&mut self, id: OperationId, sequence: u64, replaces: &[u64]) {
            let request = request_of(self.operations[id].key.as_ref().expect("a write"));
            let replaces = replaces.iter().map(|it| version(*it)).collect();
            let logged = Logged { path: PATH.to_owned(), is_delete: false, request, replaces };
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
        assert_eq!(
            run.judged().fates.dropped,
            1,
            "write {last} came later and may have replaced it"
        );
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
}
