//! `steadfast get`: reads a file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use steadfast_client::{Client, Download, Version};
use steadfast_output::{StandardOutput, WholeFile, names_standard_output};

use super::{Cluster, failed};
use crate::delta::progress::{Observed, bar};
use crate::failure::Failure;
use crate::names::{is_standard, shown};

/// The options of `steadfast get`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The path in the cluster.
    path: String,
    /// The file that is made, which appears when it is complete; `-` is standard output.
    #[arg(short, long, value_name = "FILE|-", default_value = "-")]
    output: PathBuf,
    /// This version instead of the visible one, such as n0-5.
    #[arg(long)]
    version: Option<Version>,
    /// From any node, without asking the cluster: faster, and perhaps outdated.
    #[arg(long)]
    stale: bool,
    #[command(flatten)]
    pub(super) cluster: Cluster,
}

impl Options {
    pub(super) async fn run(&self, client: &Client) -> Result<ExitCode, Failure> {
        let to_standard = is_standard(&self.output) || names_standard_output(&self.output);
        if to_standard && self.cluster.json {
            let message = "standard output cannot take both the content and --json";
            return Err(Failure::usage(message).help("name a file with -o"));
        }
        let mut get = client.get(&self.path);
        if let Some(version) = self.version {
            get = get.version(version);
        }
        if self.stale {
            get = get.stale();
        }
        if to_standard {
            let out = StandardOutput::for_data();
            let mut out =
                out.map_err(|error| Failure::io("cannot write to standard output", &error))?;
            let mut download = get.await.map_err(failed)?;
            receive(&mut download, &mut out, &self.output).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut download = get.await.map_err(failed)?;
        save(&mut download, &self.output).await?;
        let metadata = download.metadata();
        self.cluster.show(metadata, || format!("{} {}", metadata.version, self.path))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes a file of a content. An old file stays until the new one is complete.
pub(super) async fn save(download: &mut Download, path: &Path) -> Result<(), Failure> {
    let cannot = |error| Failure::io(format!("cannot write {}", shown(path)), &error);
    let mut file = WholeFile::create(path).map_err(cannot)?;
    receive(download, &mut file, path).await?;
    file.finish().map_err(cannot)
}

async fn receive(
    download: &mut Download,
    out: &mut impl Write,
    path: &Path,
) -> Result<(), Failure> {
    let bar = bar("get", download.length());
    let mut out = Observed { inner: out, bar: &bar };
    let cannot = |error| Failure::io(format!("cannot write {}", shown(path)), &error);
    while let Some(piece) = download.next().await.map_err(failed)? {
        out.write_all(&piece).map_err(cannot)?;
    }
    out.flush().map_err(cannot)?;
    bar.finish_and_clear();
    Ok(())
}
