//! `steadfast log`: the versions of a file.

use std::process::ExitCode;

use clap::Args;
use steadfast_client::{Client, Head, Version};
use steadfast_output::say;

use super::{Cluster, failed};
use crate::failure::Failure;

/// The options of `steadfast log`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The path in the cluster.
    path: String,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let versions = client.versions(&self.path).await.map_err(failed)?;
        if self.cluster.json {
            self.cluster.show(&versions, String::new)?;
        } else {
            versions.versions.iter().for_each(|it| say(line(it)));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A version as people read it.
pub(super) fn line(head: &Head) -> String {
    let mark = if head.visible { '*' } else { ' ' };
    let content = match (head.deleted, head.length) {
        (true, _) => "deleted".to_owned(),
        (false, Some(length)) => format!("{length} bytes"),
        (false, None) => "unknown length".to_owned(),
    };
    let replaces: Vec<String> = head.replaces.iter().map(Version::to_string).collect();
    let replaces = match replaces.is_empty() {
        true => String::new(),
        false => format!("  replaces {}", replaces.join(", ")),
    };
    format!("{mark} {:<8}  {content}  stamp {}{replaces}", head.version.to_string(), head.stamp)
}
