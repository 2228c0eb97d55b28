//! `steadfast sync`: a directory and the files below a prefix are made equal.

mod compare;
mod local;
mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use steadfast_client::{Client, Code, Condition, Error};
use steadfast_output::exit_code::INCOMPLETE;
use steadfast_output::{escaped, warn};

use self::compare::remote_files;
use self::local::Tree;
use self::plan::{Action, Deed};
use super::put::upload;
use super::{Cluster, failed, get};
use crate::failure::Failure;

/// The options of `steadfast sync`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The directory. Links in it are left out.
    directory: PathBuf,
    /// The files below PREFIX/ belong to the directory; an empty prefix means all files.
    prefix: String,
    /// Make the directory equal to the files of the cluster instead of the other way round.
    #[arg(long)]
    down: bool,
    /// Delete files that the other side does not have.
    #[arg(long)]
    delete: bool,
    /// Print the changes and make none.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

/// The number of files by what was done with them.
#[derive(Default)]
struct Counts {
    written: u64,
    deleted: u64,
    unchanged: u64,
    failed: u64,
    bytes: u64,
}

impl Options {
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let prefix = below(&self.prefix)?;
        let tree = Tree::read(&self.directory, self.down)?;
        let remote = remote_files(client, &prefix).await?;
        let plan = plan::Plan { prefix: &prefix, down: self.down, delete: self.delete };
        let (actions, unchanged) = plan.make(&tree, remote)?;
        let mut counts = Counts { unchanged, ..Counts::default() };
        for action in &actions {
            self.perform(client, &tree, action, &mut counts).await?;
        }
        self.finish(&counts)
    }

    async fn perform(
        &self,
        client: &Client,
        tree: &Tree,
        action: &Action,
        counts: &mut Counts,
    ) -> Result<(), Failure> {
        let result = match self.dry_run {
            true => Ok(()),
            false => self.try_perform(client, tree, action).await?,
        };
        if let Err(why) = result {
            counts.failed += 1;
            warn(format_args!("steadfast: {}: left alone, {why}", action.path));
            return Ok(());
        }
        match action.deed {
            Deed::Write { length } => {
                counts.written += 1;
                counts.bytes += length;
            }
            Deed::Delete => counts.deleted += 1,
        }
        let name = action.deed.name();
        let record = json!({"action": name, "path": action.path, "length": action.deed.length()});
        self.cluster.show(&record, || format!("{name}  {}", escaped(&action.path)))
    }

    /// The inner error is why one file is left alone.
    async fn try_perform(
        &self,
        client: &Client,
        tree: &Tree,
        action: &Action,
    ) -> Result<Result<(), String>, Failure> {
        let path = action.path.as_str();
        let local = tree.path_of(&action.name);
        if self.down {
            return match (action.deed, action.version) {
                (Deed::Write { .. }, Some(version)) => {
                    tree.make_directory_of(&action.name)?;
                    let mut download = match client.get(path).version(version).await {
                        Ok(download) => download,
                        Err(error) => return skipped(error),
                    };
                    get::save(&mut download, &local).await.map(Ok)
                }
                _ => tree.remove(&action.name).map(Ok),
            };
        }
        let condition = match action.version {
            Some(version) => Condition::IsOneOf(vec![version]),
            None => Condition::IsNew,
        };
        let written = match action.deed {
            Deed::Write { .. } => {
                let (upload, bar) = upload(&local)?;
                let written = client.put(path, upload).when(condition).await;
                bar.finish_and_clear();
                written
            }
            Deed::Delete => client.delete(path).when(condition).await,
        };
        written.map_or_else(skipped, |_| Ok(Ok(())))
    }

    fn finish(&self, counts: &Counts) -> Result<ExitCode, Failure> {
        let Counts { written, deleted, unchanged, failed, bytes } = counts;
        let record = json!({"written": written, "deleted": deleted, "unchanged": unchanged,
            "failed": failed, "bytes": bytes, "dry_run": self.dry_run});
        self.cluster.show(&record, || {
            let would = if self.dry_run { "would be " } else { "" };
            format!("{written} files ({bytes} bytes) {would}written, {deleted} {would}deleted, {unchanged} unchanged")
        })?;
        Ok(if *failed > 0 { ExitCode::from(INCOMPLETE) } else { ExitCode::SUCCESS })
    }
}

/// Goes on where another client or program changed one file; any other failure ends the command.
fn skipped(error: Error) -> Result<Result<(), String>, Failure> {
    let is_changed = matches!(
        error.code(),
        Some(Code::PreconditionFailed | Code::UnknownVersion | Code::NotFound | Code::Deleted)
    );
    match &error {
        _ if is_changed => Ok(Err("another client changed it meanwhile".to_owned())),
        Error::Source { .. } => Ok(Err(error.to_string())),
        _ => Err(failed(error)),
    }
}

/// The prefix with a slash at its end, or nothing.
fn below(prefix: &str) -> Result<String, Failure> {
    let prefix = prefix.trim_end_matches('/');
    if prefix.is_empty() {
        return Ok(String::new());
    }
    steadfast_client::check_path(prefix).map_err(failed)?;
    Ok(format!("{prefix}/"))
}
