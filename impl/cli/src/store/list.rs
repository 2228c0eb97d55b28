//! `steadfast ls`: lists the files.

use std::process::ExitCode;

use clap::Args;
use steadfast_client::{Client, File};
use steadfast_output::escaped;

use super::{Cluster, failed};
use crate::failure::Failure;

/// The options of `steadfast ls`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// List only paths that begin with this.
    #[arg(default_value = "")]
    prefix: String,
    /// From any node, without asking the cluster: faster, and perhaps outdated.
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let list = client.list(&self.prefix);
        let mut files = if self.stale { list.stale() } else { list };
        while let Some(file) = files.next().await.map_err(failed)? {
            self.cluster.show(&file, || line(&file))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(file: &File) -> String {
    let length = file.length.map_or("?".to_owned(), |it| it.to_string());
    let conflicts = match file.conflicts {
        0 => String::new(),
        others => format!("  ({others} in conflict)"),
    };
    format!("{length:>12}  {:<8}  {}{conflicts}", file.version.to_string(), escaped(&file.path))
}
