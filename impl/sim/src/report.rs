//! The consistency report: the versions that every node shows, and why some nodes do not agree.

use std::collections::BTreeSet;
use std::fmt;

use steadfast_protocol::{Change, Content, Entry, NodeId, Path};

use crate::Simulation;
use crate::timeline::size;

/// The versions of every file on every node at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The nodes with their roles.
    pub nodes: Vec<(NodeId, String)>,
    /// The files.
    pub files: Vec<FileReport>,
}

/// The versions of one file on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub path: Path,
    /// The versions of each node.
    pub shown: Vec<String>,
    /// Whether the nodes show the same versions. To have forgotten a delete is as good as to show it.
    pub is_consistent: bool,
    /// The nodes that do not show the newest version, each with the reason.
    pub divergence: Vec<String>,
}

impl Simulation {
    /// The versions of every file on every node now; for a node that is down, those that it will show again.
    #[must_use]
    pub fn report(&self) -> Report {
        let nodes: Vec<NodeId> = NodeId::all(self.setup().settings.nodes()).collect();
        let mut paths = BTreeSet::new();
        for node in &nodes {
            paths.extend(self.files_of(*node).iter().map(|(path, _)| path.clone()));
        }
        Report {
            nodes: nodes.iter().map(|node| (*node, self.condition(*node))).collect(),
            files: paths.into_iter().map(|path| self.report_file(path)).collect(),
        }
    }

    fn files_of(&self, node: NodeId) -> steadfast_protocol::Files {
        use steadfast_guarantees::ClusterView;
        let view = self.view();
        view.node(node).shown(view.decisions())
    }

    fn condition(&self, node: NodeId) -> String {
        match self.replica(node) {
            None => "down".to_owned(),
            Some(replica) if replica.leads() => format!("leads {}", replica.promise()),
            Some(replica) => format!("follows {}", replica.promise()),
        }
    }

    fn report_file(&self, path: Path) -> FileReport {
        let nodes: Vec<NodeId> = NodeId::all(self.setup().settings.nodes()).collect();
        let heads: Vec<Vec<Entry>> =
            nodes.iter().map(|node| self.files_of(*node).heads(&path).to_vec()).collect();
        let newest = heads.iter().filter_map(|it| it.first()).max_by_key(|it| it.stamp);
        let newest = newest.cloned();
        let divergence = nodes.iter().zip(&heads).filter_map(|(node, heads)| {
            let why = self.why_behind(*node, heads, newest.as_ref()?)?;
            Some(format!("{node} {why}"))
        });
        let undeleted = |heads: &Vec<Entry>| match &heads[..] {
            [only] if only.change == Change::Delete => Vec::new(),
            _ => heads.clone(),
        };
        FileReport {
            is_consistent: heads.windows(2).all(|it| undeleted(&it[0]) == undeleted(&it[1])),
            divergence: divergence.collect(),
            shown: heads.iter().map(|it| versions(it)).collect(),
            path,
        }
    }

    /// Why a node does not show the newest version that any node shows.
    fn why_behind(&self, node: NodeId, heads: &[Entry], newest: &Entry) -> Option<String> {
        if heads.first().is_some_and(|it| it.dot == newest.dot) {
            return None;
        }
        let lacks = format!("does not show {}", newest.dot);
        let Some(replica) = self.replica(node) else {
            return Some(format!("{lacks}: it is down"));
        };
        let is_forgotten = replica.fold().forgotten().covers(newest.dot);
        if heads.is_empty() && newest.change == Change::Delete && is_forgotten {
            return None;
        }
        let origin = newest.dot.origin;
        if replica.log().vv().covers(newest.dot) {
            return Some(format!("{lacks}: it has logged it and not synced it yet"));
        }
        if self
            .network
            .world
            .cut
            .is_some_and(|cut| cut.loses(origin, node) || cut.loses(node, origin))
        {
            return Some(format!("{lacks}: it is cut off from {origin}"));
        }
        if !replica.waiting().is_empty() {
            return Some(format!("{lacks}: it waits for the content"));
        }
        Some(format!("{lacks}: it has not heard of it yet"))
    }
}

/// The versions of a file in one node's eyes.
fn versions(heads: &[Entry]) -> String {
    let Some((shown, others)) = heads.split_first() else {
        return "-".to_owned();
    };
    let what = match &shown.change {
        Change::Delete => "deleted".to_owned(),
        Change::Put(Content::Named(content)) => content.to_string(),
        Change::Put(Content::Inline(bytes)) => size(bytes.len() as u64),
    };
    let others: String = others.iter().map(|it| format!(" |{}", it.dot)).collect();
    format!("{} {what}{others}", shown.dot)
}

impl Report {
    /// Whether all nodes show the same.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.files.iter().all(|file| file.is_consistent)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
        let path = width(&mut self.files.iter().map(|it| it.path.as_str().chars().count())).max(4);
        let head: Vec<String> =
            self.nodes.iter().map(|(node, condition)| format!("{node} {condition}")).collect();
        let columns: Vec<usize> = (0..head.len())
            .map(|at| {
                let cells = self.files.iter().map(|it| it.shown[at].chars().count());
                width(&mut cells.chain([head[at].chars().count()]))
            })
            .collect();
        let row = |first: &str, cells: &[String]| {
            let cells = cells.iter().zip(&columns).map(|(cell, width)| format!("  {cell:<width$}"));
            format!("  {first:<path$}{}", cells.collect::<String>()).trim_end().to_owned()
        };
        writeln!(f, "{}", row("file", &head))?;
        for file in &self.files {
            writeln!(f, "{}", row(file.path.as_str(), &file.shown))?;
        }
        for why in self
            .files
            .iter()
            .flat_map(|it| it.divergence.iter().map(move |why| format!("{}: {why}", it.path)))
        {
            writeln!(f, "  DIVERGED {why}")?;
        }
        match self.is_consistent() {
            true => writeln!(f, "  all nodes agree"),
            false => Ok(()),
        }
    }
}
