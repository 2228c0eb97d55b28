//! `steadfast rm`: deletes files.

use std::process::ExitCode;

use clap::Args;
use steadfast_client::{Client, check_path};

use super::{Cluster, failed};
use crate::failure::Failure;

/// The options of `steadfast rm`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The paths in the cluster.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    /// All paths are checked before the first file is deleted. The first failure ends the command.
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        for path in &self.paths {
            check_path(path).map_err(failed)?;
        }
        for path in &self.paths {
            let deleted = client.delete(path).await.map_err(failed)?;
            self.cluster.show(&deleted, || format!("{} {path}", deleted.version))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
