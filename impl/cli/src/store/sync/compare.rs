//! Whether a local and a remote file have the same content.

use std::collections::BTreeMap;
use std::fs::File as LocalFile;
use std::io;
use std::path::Path;

use steadfast_client::{Client, ContentId, File};
use steadfast_delta::manifest::{Depth, Manifest};

use super::super::failed;
use crate::failure::Failure;
use crate::names::shown;

/// The files of the cluster by their names below the prefix.
pub(super) async fn remote_files(
    client: &Client,
    prefix: &str,
) -> Result<BTreeMap<String, File>, Failure> {
    let (mut files, mut list) = (BTreeMap::new(), client.list(prefix));
    while let Some(file) = list.next().await.map_err(failed)? {
        let name = file.path.strip_prefix(prefix).unwrap_or_default();
        // Whatever a node says, a file stays below the directory.
        steadfast_client::check_path(name).map_err(failed)?;
        files.insert(name.to_owned(), file);
    }
    Ok(files)
}

/// Whether a local file of this length has the content of a remote one.
pub(super) fn is_same(path: &Path, length: u64, remote: &File) -> Result<bool, Failure> {
    if remote.length.is_some_and(|it| it != length) {
        return Ok(false);
    }
    let cannot = |error| Failure::io(format!("cannot read {}", shown(path)), &error);
    Ok(content_of(path).map_err(cannot)? == remote.content)
}

/// The name of a local content.
fn content_of(path: &Path) -> io::Result<ContentId> {
    let manifest = Manifest::read(LocalFile::open(path)?, Depth::Chunks)?;
    Ok(ContentId(manifest.root().0))
}
