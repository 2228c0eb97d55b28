//! `steadfast conflicts`: the files in conflict.

use std::process::ExitCode;

use clap::Args;
use steadfast_client::Client;
use steadfast_output::{escaped, say};

use super::{Cluster, failed, log};
use crate::failure::Failure;

/// The options of `steadfast conflicts`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// List only paths that begin with this.
    #[arg(default_value = "")]
    prefix: String,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let mut conflicts = client.conflicts(&self.prefix);
        while let Some(conflict) = conflicts.next().await.map_err(failed)? {
            self.cluster.show(&conflict, || escaped(&conflict.path))?;
            if !self.cluster.json {
                conflict.versions.iter().for_each(|it| say(log::line(it)));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
