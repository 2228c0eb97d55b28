//! Judges a run from the history of its clients, the logs of its nodes and the heads at its end. Pure.

mod register;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use steadfast_client::{Head, Version};
use steadfast_guarantees::linearizability;

use super::history::{Answer, Operation, OperationId, Request};
use super::logs::{Logs, request_of};

use self::register::Register;

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
    /// Replaced by a write that named them, up to a head of the path or to a forgotten delete.
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
                // A node may have forgotten the delete.
                Some(Answer::Absent) => {
                    [None].into_iter().chain(self.possible_deletes(ids)).collect()
                }
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

    /// Each acknowledged write is a head, or was replaced by a write that named it, and so on up to a head, or up
    /// to a delete if the path has no heads, because the nodes have forgotten it.
    fn no_acknowledged_write_is_lost(&mut self) {
        let replaced_by = self.replaced_by();
        let are_complete = self.evidence.logs.are_complete();
        let operations = self.evidence.operations;
        for (id, it) in operations.iter().enumerate() {
            let Some(version) = it.acknowledged() else { continue };
            let heads = self.evidence.heads.get(&it.path).map_or(&[][..], Vec::as_slice);
            let has_followers = self.leads_to_the_end(version, &replaced_by, heads);
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
                None if has_followers => {
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

    /// The versions that took the place of each version: those that name it, and, of a delete, those whose authors had
    /// seen it and name no version, because they had forgotten it.
    fn replaced_by(&self) -> BTreeMap<Version, Vec<Version>> {
        let entries = &self.evidence.logs.entries;
        let mut deletes: BTreeMap<&str, Vec<Version>> = BTreeMap::new();
        for (version, it) in entries.iter().filter(|(_, it)| it.is_delete) {
            deletes.entry(&it.path).or_default().push(*version);
        }
        let mut replaced_by: BTreeMap<Version, Vec<Version>> = BTreeMap::new();
        for (version, it) in entries {
            let of_path = deletes.get(&*it.path).filter(|_| it.replaces.is_empty());
            let forgotten = of_path.into_iter().flatten().filter(|old| it.has_seen(**old));
            for old in it.replaces.iter().chain(forgotten) {
                replaced_by.entry(*old).or_default().push(*version);
            }
        }
        replaced_by
    }

    /// Whether writes that take each other's place lead from a version to a head, or to a delete of a path without
    /// heads.
    fn leads_to_the_end(
        &self,
        version: Version,
        replaced_by: &BTreeMap<Version, Vec<Version>>,
        heads: &[Head],
    ) -> bool {
        let deletes = |it: &Version| {
            let author = self.authors.get(it);
            author.is_some_and(|it| self.operation(*it).request == Request::Delete)
        };
        let mut next = vec![version];
        let mut seen = BTreeSet::new();
        while let Some(it) = next.pop() {
            let is_head = heads.iter().any(|head| head.version == it);
            if is_head || (heads.is_empty() && deletes(&it)) {
                return true;
            }
            if seen.insert(it) {
                next.extend(replaced_by.get(&it).into_iter().flatten());
            }
        }
        false
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

#[cfg(test)]
mod tests;
