//! Puts a large file by its changes if the cluster has an older version of it.
//!
//! 1. The head of the file names the content that the cluster has.
//! 2. `/contents/ID/outline` has short hashes of its sections, 12 bytes for each MiB.
//! 3. `/contents/ID/chunks` has the chunks of the sections that the new file lacks.
//! 4. `PATCH` sends a delta against that content. The node makes the new content of both and compares its name.
//!
//! A node that cannot do a step refuses it, and the client puts the file whole. No step depends on another node's
//! memory of the one before.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use steadfast_delta::manifest::{Depth, Manifest, Outline, Root, Section};
use steadfast_delta::remote::PatchPlan;
use steadfast_protocol::ContentId;

use crate::answer::LENGTH_MAX;
use crate::call::Call;
use crate::path::with_parameters;
use crate::{Client, Code, Error};

/// A shorter file is put whole: that takes no longer than the questions.
const LENGTH_MIN: u64 = 4 << 20;

/// The sections whose chunks are asked for at once.
const SECTIONS_MAX: usize = 256;

/// The changes between the content that the cluster has and a file.
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) base: ContentId,
    pub(crate) result: ContentId,
    plan: PatchPlan,
    path: PathBuf,
    /// The state of the file when it was compared.
    state: State,
}

/// The parts of a file's metadata that change when it is written to.
pub(crate) type State = (u64, Option<SystemTime>);

pub(crate) fn state(metadata: &Metadata) -> State {
    (metadata.len(), metadata.modified().ok())
}

impl Client {
    /// How a file differs from the version that a path shows. `None` if the file is to be put whole: it is short,
    /// there is no other version, or the two have little in common.
    ///
    /// # Errors
    /// No node answers in time.
    pub(crate) async fn delta(&self, path: &str, file: &Path) -> Result<Option<Arc<Delta>>, Error> {
        let is_long = |it: &Metadata| it.is_file() && it.len() >= LENGTH_MIN;
        if !tokio::fs::metadata(file).await.is_ok_and(|it| is_long(&it)) {
            return Ok(None);
        }
        match self.compared(path, file).await {
            Ok(delta) => Ok(delta.map(Arc::new)),
            Err(error @ Error::GaveUp { .. }) => Err(error),
            // A put of the whole file either works or has the better error.
            Err(_) => Ok(None),
        }
    }

    async fn compared(&self, path: &str, file: &Path) -> Result<Option<Delta>, Error> {
        let head = self.head(path, None).await?;
        if head.length < LENGTH_MIN {
            return Ok(None);
        }
        // First, because a node that knows no outlines says so at once, and the file takes long to read.
        let outline = self.outline(head.content, head.length).await?;
        let read = file.to_owned();
        let hashing = tokio::task::spawn_blocking(move || manifest_of(&read));
        let hashed = hashing.await.map_err(|it| Error::Argument(it.to_string()))?;
        let (manifest, state) =
            hashed.map_err(|source| Error::Source { of: file.display().to_string(), source })?;
        let mut listed = Vec::new();
        for sections in outline.sections_not_in(&manifest).chunks(SECTIONS_MAX) {
            listed.extend(self.sections(head.content, &outline, sections).await?);
        }
        let plan = PatchPlan::new(&manifest, &outline, &listed);
        if plan.new_bytes() > manifest.length() / 8 * 7 {
            return Ok(None);
        }
        let result = ContentId(manifest.root().0);
        Ok(Some(Delta { base: head.content, result, plan, path: file.to_owned(), state }))
    }

    async fn outline(&self, content: ContentId, length: u64) -> Result<Outline, Error> {
        let target = format!("/contents/{}/outline", Root(content.0));
        let mut answer = self.send(Call::get(target)).await?;
        let bytes = answer.body.whole(LENGTH_MAX).await?;
        Outline::from_bytes(&bytes, length).map_err(|it| answer.body.nonsense(it.to_string()))
    }

    /// Some sections with their chunks.
    async fn sections(
        &self,
        content: ContentId,
        outline: &Outline,
        sections: &[usize],
    ) -> Result<Vec<(usize, Section)>, Error> {
        let numbers: Vec<String> = sections.iter().map(ToString::to_string).collect();
        let target = format!("/contents/{}/chunks", Root(content.0));
        let target = with_parameters(&target, &[("sections", &numbers.join(","))]);
        let mut answer = self.send(Call::get(target)).await?;
        let bytes = answer.body.whole(LENGTH_MAX).await?;
        let (mut rest, mut listed) = (&bytes[..], Vec::new());
        for &number in sections {
            let chunks = rest.split_off(..4).and_then(|it| it.try_into().ok());
            let length = chunks.map(|it| u32::from_le_bytes(it) as usize);
            let chunks = length.and_then(|it| rest.split_off(..it)).unwrap_or_default();
            let section = outline.section(number, chunks);
            listed.push((number, section.map_err(|it| answer.body.nonsense(it.to_string()))?));
        }
        Ok(listed)
    }
}

/// Whether a file whose delta was refused like this can be put whole.
pub(crate) fn allows_whole(code: &Code) -> bool {
    matches!(
        code,
        Code::BaseMissing
            | Code::BadDelta
            | Code::OtherContent
            | Code::TooLong
            | Code::MethodNotAllowed
    )
}

/// The manifest of a file, and its state before it was read.
fn manifest_of(path: &Path) -> io::Result<(Manifest, State)> {
    let file = File::open(path)?;
    let state = state(&file.metadata()?);
    Ok((Manifest::read(file, Depth::Chunks)?, state))
}

impl Delta {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The length of the file in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.state.0
    }

    /// Writes the delta in pieces of at most `length` bytes; `send` returns whether to go on.
    ///
    /// # Errors
    /// The file cannot be read, or was changed since it was compared.
    pub(crate) fn write(
        &self,
        length: usize,
        mut send: impl FnMut(Bytes) -> bool,
    ) -> io::Result<()> {
        let file = File::open(&self.path)?;
        self.plan.write(&file, |part| {
            let mut part = Bytes::from(part);
            while !part.is_empty() {
                if !send(part.split_to(length.min(part.len()))) {
                    return false;
                }
            }
            true
        })?;
        match state(&std::fs::metadata(&self.path)?) == self.state {
            true => Ok(()),
            false => Err(io::Error::other("it was changed while it was read")),
        }
    }
}
