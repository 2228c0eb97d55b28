//! `steadfast status`: the nodes side by side.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use steadfast_client::{Client, Status};
use steadfast_output::exit_code::INCOMPLETE;
use steadfast_output::{say, warn};

use super::Cluster;
use crate::failure::Failure;

/// The options of `steadfast status`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

/// The answer of a node.
#[derive(Serialize)]
struct Row {
    node: String,
    status: Option<Status>,
    /// Why there is no status.
    error: Option<String>,
}

impl Options {
    /// Exit code 3 says that a node did not answer.
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let rows = rows(client).await;
        let (leader, leaders) = (leader(&rows), leaders(&rows));
        let same = holds_the_same(&rows);
        let record = json!({"leader": leader, "leaders": leaders, "same": same, "nodes": rows});
        self.cluster.show(&record, || table(&rows))?;
        if !self.cluster.json {
            say(verdict(&leaders, same, &rows));
            halts(&rows).for_each(say);
            let errors = rows.iter().filter_map(|it| it.error.as_ref());
            errors.for_each(|it| warn(format_args!("steadfast: {it}")));
        }
        match rows.iter().all(|it| it.status.is_some()) {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::from(INCOMPLETE)),
        }
    }
}

/// Asks all nodes at the same time.
async fn rows(client: &Client) -> Vec<Row> {
    let ask = |node: &str| {
        let (client, node) = (client.clone(), node.to_owned());
        tokio::spawn(async move {
            let status = client.status(&node).await;
            let (status, error) = match status {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(error.to_string())),
            };
            Row { node, status, error }
        })
    };
    let asked: Vec<_> = client.nodes().map(ask).collect();
    let mut rows = Vec::new();
    for task in asked {
        rows.extend(task.await);
    }
    rows
}

/// The nodes that call themselves the leader. On the sides of a cut, several may.
fn leaders(rows: &[Row]) -> Vec<&str> {
    let statuses = rows.iter().filter_map(|it| it.status.as_ref());
    statuses.filter(|it| it.role == "leader").map(|it| it.node.as_str()).collect()
}

/// The one of them that most nodes follow.
fn leader(rows: &[Row]) -> Option<&str> {
    let statuses = rows.iter().filter_map(|it| it.status.as_ref());
    let followers = |of: &str| {
        let statuses = rows.iter().filter_map(|it| it.status.as_ref());
        statuses.filter(|it| it.leader.as_deref() == Some(of)).count()
    };
    let leaders = statuses.filter(|it| it.role == "leader");
    leaders.max_by_key(|it| followers(&it.node)).map(|it| it.node.as_str())
}

/// Whether all nodes have the same files and heads; `None` if one did not answer.
fn holds_the_same(rows: &[Row]) -> Option<bool> {
    let digests: Option<Vec<&str>> =
        rows.iter().map(|it| it.status.as_ref().map(|it| it.digest.as_str())).collect();
    digests.map(|it| it.windows(2).all(|it| it[0] == it[1]))
}

/// A line for each node that has halted.
fn halts(rows: &[Row]) -> impl Iterator<Item = String> {
    let statuses = rows.iter().filter_map(|it| it.status.as_ref());
    let halted = statuses.filter_map(|it| Some((&it.node, it.halt.as_ref()?)));
    halted.map(|(node, why)| format!("{node} has halted and must be replaced: {why}"))
}

fn verdict(leaders: &[&str], same: Option<bool>, rows: &[Row]) -> String {
    let leads = match leaders {
        [] => "no node leads".to_owned(),
        [node] => format!("{node} leads"),
        nodes => format!("{} lead, each a part of the nodes", nodes.join(" and ")),
    };
    let silent = rows.iter().filter(|it| it.status.is_none()).count();
    match same {
        Some(true) => format!("{leads}; all nodes hold the same"),
        Some(false) => format!("{leads}; the nodes differ: a node lags or the network is cut"),
        None => format!("{leads}; {silent} of {} nodes did not answer", rows.len()),
    }
}

const HEADINGS: [&str; 11] = [
    "NODE",
    "ROLE",
    "FOLLOWS",
    "EPOCH",
    "LAG",
    "LOG",
    "FILES",
    "CONFLICTS",
    "MISSING",
    "BAD",
    "DIGEST",
];

fn table(rows: &[Row]) -> String {
    let leading = leader(rows);
    let leader = rows.iter().find(|it| Some(it.node.as_str()) == leading);
    let leader = leader.and_then(|it| it.status.as_ref());
    let mut cells = vec![HEADINGS.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(|row| line(row, leader)));
    let width = |at: usize| cells.iter().map(|it| it[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let lines = cells.iter().map(|line| {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The cells of a node. Its lag is the one that the leader sees.
fn line(row: &Row, leader: Option<&Status>) -> Vec<String> {
    let Some(it) = &row.status else {
        let mut cells = vec![row.node.clone(), "no answer".to_owned()];
        cells.resize(HEADINGS.len(), "-".to_owned());
        return cells;
    };
    let peer = leader.and_then(|leader| leader.peers.iter().find(|peer| peer.node == it.node));
    let lag = match (leader.is_some_and(|leader| leader.node == it.node), peer) {
        (true, _) => "0".to_owned(),
        (false, Some(peer)) if peer.cut => "cut".to_owned(),
        (false, Some(peer)) => peer.lag.map_or("?".to_owned(), |it| it.to_string()),
        (false, None) => "?".to_owned(),
    };
    vec![
        it.node.clone(),
        it.role.clone(),
        it.leader.clone().unwrap_or_else(|| "-".to_owned()),
        it.epoch.clone(),
        lag,
        it.log.synced.to_string(),
        it.files.to_string(),
        it.conflicts.to_string(),
        it.contents.missing.to_string(),
        it.contents.bad.to_string(),
        it.digest.chars().take(12).collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(node: &str, role: &str, leader: Option<&str>, halt: Option<&str>) -> Row {
        let status = json!({
            "cluster": "", "node": node, "id": 0, "role": role, "epoch": "1.n0", "leader": leader,
            "halt": halt, "settings": {"nodes": 3, "elect": 1, "write": 1},
            "log": {"first": 1, "last": 1, "synced": 1, "bytes": 0}, "vv": "", "digest": "d",
            "files": 0, "conflicts": 0, "peers": [], "uptime_s": 0, "version": "",
            "contents": {"count": 0, "bytes": 0, "missing": 0, "bad": 0},
            "queues": {"requests": 0, "events": 0, "waiting_for_contents": 0},
        });
        let status = serde_json::from_value(status).expect("a status");
        Row { node: node.to_owned(), status: Some(status), error: None }
    }

    #[test]
    fn every_leader_and_every_halt_is_shown() {
        let rows = [
            row("a", "leader", Some("a"), None),
            row("b", "leader", Some("b"), None),
            row("c", "follower", Some("b"), None),
            row("d", "halted", None, Some("its log was rolled back")),
        ];
        assert_eq!(leaders(&rows), ["a", "b"]);
        assert_eq!(leader(&rows), Some("b"));
        assert!(verdict(&leaders(&rows), Some(true), &rows).starts_with("a and b lead"));
        let halted = ["d has halted and must be replaced: its log was rolled back"];
        assert_eq!(halts(&rows).collect::<Vec<_>>(), halted);
        let follows: Vec<String> = table(&rows)
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().nth(2).expect("a leader").to_owned())
            .collect();
        assert_eq!(follows, ["a", "b", "b", "-"]);
        assert_eq!(verdict(&[], Some(true), &rows[3..]), "no node leads; all nodes hold the same");
    }
}
