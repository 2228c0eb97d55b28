//! `steadfast verify`: every content on the nodes against its name.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use steadfast_client::{Client, Error, Finding};
use steadfast_output::exit_code::{BROKEN, INCOMPLETE};
use steadfast_output::warn;

use super::{Cluster, failed};
use crate::failure::Failure;

/// The options of `steadfast verify`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The nodes; all if none is named.
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    /// Exit code 1 says that a content is damaged, 3 that a node did not verify all.
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let known: Vec<&str> = client.nodes().collect();
        if let Some(unknown) = self.nodes.iter().find(|it| !known.contains(&it.as_str())) {
            let message =
                format!("there is no node {unknown:?}; the nodes are {}", known.join(", "));
            return Err(Failure::usage(message));
        }
        let named: Vec<&str> = self.nodes.iter().map(String::as_str).collect();
        let (mut is_damaged, mut is_incomplete) = (false, false);
        for node in if named.is_empty() { known } else { named } {
            match self.verify(client, node).await? {
                Ok(bad) => is_damaged |= bad > 0,
                Err(error) => {
                    is_incomplete = true;
                    warn(format_args!("steadfast: node {node} did not verify all: {error}"));
                }
            }
        }
        Ok(match (is_damaged, is_incomplete) {
            (true, _) => ExitCode::from(BROKEN),
            (false, true) => ExitCode::from(INCOMPLETE),
            (false, false) => ExitCode::SUCCESS,
        })
    }

    /// The number of damaged contents on a node.
    async fn verify(&self, client: &Client, node: &str) -> Result<Result<u64, Error>, Failure> {
        let mut verification = match client.verify(node).await {
            Ok(verification) => verification,
            Err(error @ Error::Argument(_)) => return Err(failed(error)),
            Err(error) => return Ok(Err(error)),
        };
        loop {
            match verification.next().await {
                Err(error) => return Ok(Err(error)),
                Ok(Some(Finding::Content { content, ok, why })) => {
                    let record = json!({"node": node, "content": content, "ok": ok, "why": why});
                    let name = record["content"].as_str().unwrap_or_default().to_owned();
                    self.cluster.show(&record, || {
                        format!("{node}: {name} is damaged: {}", why.unwrap_or_default())
                    })?;
                }
                Ok(Some(Finding::End { checked, bad, bytes })) => {
                    let record =
                        json!({"node": node, "checked": checked, "bad": bad, "bytes": bytes});
                    let line =
                        || format!("{node}: {checked} contents, {bytes} bytes, {bad} damaged");
                    self.cluster.show(&record, line)?;
                    return Ok(Ok(bad));
                }
                Ok(None) => return Ok(Ok(0)),
            }
        }
    }
}
