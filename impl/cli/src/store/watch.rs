//! `steadfast watch`: changes as they happen.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use steadfast_client::{Client, Event, Position};
use steadfast_output::escaped;

use super::{Cluster, failed};
use crate::failure::Failure;

/// The options of `steadfast watch`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Show only paths that begin with this.
    #[arg(default_value = "")]
    prefix: String,
    /// Begin at this position, such as n0-5,n1-3 from an earlier `--json`, instead of now. Empty is the beginning.
    #[arg(long, value_name = "POSITION")]
    since: Option<Position>,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    /// Prints changes until the program is ended.
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let mut changes = client.changes(self.since.clone(), &self.prefix).await.map_err(failed)?;
        loop {
            match changes.next().await.map_err(failed)? {
                Event::Change(it, position) => {
                    let record = json!({"event": "change", "position": position, "path": it.path,
                        "version": it.version, "deleted": it.deleted, "conflicts": it.conflicts});
                    self.cluster.show(&record, || {
                        let deed = if it.deleted { "deleted" } else { "written" };
                        let conflict = if it.conflicts == 0 { "" } else { "  (in conflict)" };
                        format!(
                            "{deed}  {:<8}  {}{conflict}",
                            it.version.to_string(),
                            escaped(&it.path)
                        )
                    })?;
                }
                Event::State(position) => {
                    let record = json!({"event": "state", "position": position});
                    self.cluster.show(&record, || {
                        "changes are missing, because the log does not hold them any more: list the files".to_owned()
                    })?;
                }
            }
        }
    }
}
