//! `steadfast resolve` and `steadfast restore`: a version is written again.

use std::process::ExitCode;

use clap::Args;
use steadfast_client::{Client, Error, Version, Written};

use super::{Cluster, failed};
use crate::failure::Failure;

/// The options of `steadfast resolve` and `steadfast restore`.
#[derive(Args, Debug)]
pub(crate) struct Again {
    /// The path in the cluster.
    path: String,
    /// The version, as `steadfast log` shows it, such as n0-5.
    version: Version,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Again {
    pub(super) async fn resolve(&self, client: &Client) -> Result<ExitCode, Failure> {
        self.show(client.resolve(&self.path, self.version).await)
    }

    pub(super) async fn restore(&self, client: &Client) -> Result<ExitCode, Failure> {
        self.show(client.restore(&self.path, self.version).await)
    }

    fn show(&self, written: Result<Written, Error>) -> Result<ExitCode, Failure> {
        let written = written.map_err(failed)?;
        self.cluster.show(&written, || format!("{} {}", written.version, self.path))?;
        Ok(ExitCode::SUCCESS)
    }
}
