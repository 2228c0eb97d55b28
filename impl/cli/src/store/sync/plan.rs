//! The changes that make both sides equal.

use std::collections::BTreeMap;

use steadfast_client::{File, Version};

use super::compare::is_same;
use super::local::Tree;
use crate::delta::progress::bar;
use crate::failure::Failure;

/// A change of one file on the side that is changed.
pub(super) struct Action {
    /// The name below the directory and the prefix.
    pub(super) name: String,
    /// The path in the cluster.
    pub(super) path: String,
    pub(super) deed: Deed,
    /// The version in the cluster, if there is one.
    pub(super) version: Option<Version>,
}

/// The kind of a change.
#[derive(Clone, Copy)]
pub(super) enum Deed {
    Write { length: u64 },
    Delete,
}

impl Deed {
    pub(super) fn name(self) -> &'static str {
        match self {
            Deed::Write { .. } => "write",
            Deed::Delete => "delete",
        }
    }

    pub(super) fn length(self) -> Option<u64> {
        match self {
            Deed::Write { length } => Some(length),
            Deed::Delete => None,
        }
    }
}

/// How changes are found.
pub(super) struct Plan<'a> {
    pub(super) prefix: &'a str,
    pub(super) down: bool,
    pub(super) delete: bool,
}

impl Plan<'_> {
    /// The changes in the order of names, and the number of files that are equal.
    pub(super) fn make(
        &self,
        tree: &Tree,
        mut remote: BTreeMap<String, File>,
    ) -> Result<(Vec<Action>, u64), Failure> {
        let (mut actions, mut unchanged) = (Vec::new(), 0);
        let bar = bar("compare", tree.files.values().sum());
        for (name, &length) in &tree.files {
            let other = remote.remove(name);
            let is_same = match &other {
                Some(other) => is_same(&tree.path_of(name), length, other)?,
                None => false,
            };
            bar.inc(length);
            unchanged += u64::from(is_same);
            let deed = match &other {
                _ if is_same => None,
                None if self.down => self.delete.then_some(Deed::Delete),
                Some(other) if self.down => Some(Deed::Write { length: other.length.unwrap_or(0) }),
                _ => Some(Deed::Write { length }),
            };
            let version = other.map(|it| it.version);
            actions.extend(deed.map(|deed| self.action(name, deed, version)));
        }
        bar.finish_and_clear();
        for (name, file) in remote {
            let deed = match self.down {
                true => Some(Deed::Write { length: file.length.unwrap_or(0) }),
                false => self.delete.then_some(Deed::Delete),
            };
            actions.extend(deed.map(|deed| self.action(&name, deed, Some(file.version))));
        }
        actions.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((actions, unchanged))
    }

    fn action(&self, name: &str, deed: Deed, version: Option<Version>) -> Action {
        let path = format!("{}{name}", self.prefix);
        Action { name: name.to_owned(), path, deed, version }
    }
}
