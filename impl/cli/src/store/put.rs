//! `steadfast put`: writes a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use steadfast_client::{Client, Condition, Upload, Version};
use steadfast_output::standard_input;

use super::{Cluster, failed};
use crate::delta::progress::bar;
use crate::failure::Failure;
use crate::names::{is_standard, shown};

/// The options of `steadfast put`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The file that is read, or `-` for standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The path in the cluster.
    path: String,
    /// Write only if the file shows this version, such as n0-5.
    #[arg(long = "if", value_name = "VERSION", conflicts_with = "new")]
    expected: Option<Version>,
    /// Write only if there is no such file.
    #[arg(long)]
    new: bool,
    /// The idempotency key: repeat a write whose outcome is unknown with the key that the message names.
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let (upload, bar) = upload(&self.file)?;
        let mut write = client.put(&self.path, upload);
        write = match (self.new, self.expected) {
            (true, _) => write.when(Condition::IsNew),
            (false, Some(version)) => write.when(Condition::IsOneOf(vec![version])),
            (false, None) => write,
        };
        if let Some(key) = &self.key {
            write = write.key(key);
        }
        let written = write.await;
        bar.finish_and_clear();
        let written = written.map_err(failed)?;
        self.cluster.show(&written, || format!("{} {}", written.version, self.path))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A file as an upload that moves a bar.
pub(super) fn upload(path: &Path) -> Result<(Upload, ProgressBar), Failure> {
    let cannot = |error| Failure::io(format!("cannot read {}", shown(path)), &error);
    let (upload, length) = if is_standard(path) {
        drop(standard_input().map_err(cannot)?);
        (Upload::reader(tokio::io::stdin()), 0)
    } else {
        let metadata = fs::metadata(path).map_err(cannot)?;
        if metadata.is_file() {
            (Upload::file(path), metadata.len())
        } else {
            let file = fs::File::open(path).map_err(cannot)?;
            (Upload::reader(tokio::fs::File::from_std(file)), 0)
        }
    };
    let bar = bar("put", length);
    let moving = bar.clone();
    Ok((upload.on_progress(move |moved| moving.set_position(moved)), bar))
}
