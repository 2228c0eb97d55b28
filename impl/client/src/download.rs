//! Contents of files.

use std::future::{Future, IntoFuture};
use std::io::{self, Write};
use std::ops::RangeBounds;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::RANGE;
use http::{Method, StatusCode};
use steadfast_delta::manifest::{Depth, ManifestBuilder};
use steadfast_protocol::ContentId;
use tokio::time::{Instant, sleep};

use crate::answer::Answer;
use crate::call::Call;
use crate::path::{resource, with_parameters};
use crate::{Client, Error, Metadata, Version};

/// The pause before an interrupted download goes on.
const PAUSE: Duration = Duration::from_millis(100);

/// A request for a content that has not been sent; `.await` sends it.
#[derive(Clone, Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Get<'a> {
    client: &'a Client,
    path: String,
    version: Option<Version>,
    is_stale: bool,
    /// The first byte and the byte behind the last one.
    range: Option<(u64, Option<u64>)>,
}

impl Client {
    /// Asks for the content of a file.
    pub fn get(&self, path: &str) -> Get<'_> {
        Get { client: self, path: path.to_owned(), version: None, is_stale: false, range: None }
    }

    /// The headers of a file, or of one version of it.
    ///
    /// # Errors
    /// There is no such file or version, or no node answers.
    pub async fn head(&self, path: &str, version: Option<Version>) -> Result<Metadata, Error> {
        let get = Get { version, ..self.get(path) };
        let answer = get.send(Method::HEAD, None).await?;
        metadata(path, &answer)
    }
}

impl<'a> Get<'a> {
    /// This version instead of the visible one.
    pub fn version(self, version: Version) -> Get<'a> {
        Get { version: Some(version), ..self }
    }

    /// From any node, without asking the cluster: faster, and perhaps outdated.
    pub fn stale(self) -> Get<'a> {
        Get { is_stale: true, ..self }
    }

    /// These bytes only, such as `0..100` or `100..`.
    pub fn range(self, range: impl RangeBounds<u64>) -> Get<'a> {
        use std::ops::Bound;
        let first = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let behind = match range.end_bound() {
            Bound::Included(at) => Some(at.saturating_add(1)),
            Bound::Excluded(at) => Some(*at),
            Bound::Unbounded => None,
        };
        Get { range: Some((first, behind)), ..self }
    }

    async fn begin(self) -> Result<Download, Error> {
        if let Some((first, Some(behind))) = self.range
            && behind <= first
        {
            return Err(Error::Argument(format!("the range {first}..{behind} is empty")));
        }
        let answer = self.send(Method::GET, self.range).await?;
        let metadata = metadata(&self.path, &answer)?;
        let first = match (self.range, answer.status) {
            (Some((first, _)), StatusCode::PARTIAL_CONTENT) => first,
            (None, StatusCode::OK) => 0,
            (_, status) => {
                let why = format!(
                    "the range was asked for as {:?}, and the answer is {status}",
                    self.range
                );
                return Err(answer.body.nonsense(why));
            }
        };
        Ok(Download {
            client: self.client.clone(),
            behind: first.saturating_add(metadata.length),
            at: first,
            is_stale: self.is_stale,
            verified: self.range.is_none().then(|| ManifestBuilder::new(Depth::Chunks)),
            metadata,
            answer,
            progress_at: Instant::now(),
        })
    }

    async fn send(
        &self,
        method: Method,
        range: Option<(u64, Option<u64>)>,
    ) -> Result<Answer, Error> {
        let version = self.version.map(|it| it.to_string());
        let mut parameters: Vec<(&str, &str)> = Vec::new();
        if self.is_stale {
            parameters.push(("consistency", "stale"));
        }
        if let Some(version) = &version {
            parameters.push(("version", version));
        }
        let target = with_parameters(&resource("files", &self.path)?, &parameters);
        let mut call = Call::new(method, target);
        call.is_local = self.is_stale;
        if let Some((first, behind)) = range {
            let last = behind.map_or_else(String::new, |it| (it - 1).to_string());
            call = call.header(RANGE, &format!("bytes={first}-{last}"))?;
        }
        self.client.send(call).await
    }
}

impl<'a> IntoFuture for Get<'a> {
    type Output = Result<Download, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.begin())
    }
}

fn metadata(path: &str, answer: &Answer) -> Result<Metadata, Error> {
    let length = answer.number("content-length");
    Ok(Metadata {
        path: path.to_owned(),
        version: answer.version()?,
        content: answer.content()?,
        length: length.ok_or_else(|| answer.body.nonsense("it has no Content-Length"))?,
        conflicts: answer.number("steadfast-conflicts").unwrap_or(0),
        stale: answer.text("steadfast-stale") == Some("true"),
    })
}

/// A content that arrives. An interrupted one goes on where it stopped, with the same version.
#[derive(Debug)]
pub struct Download {
    client: Client,
    metadata: Metadata,
    answer: Answer,
    is_stale: bool,
    /// The next byte, and the one behind the last, in the content.
    at: u64,
    behind: u64,
    /// What arrived of a whole content; `None` of a part, which has no name, and behind the end.
    verified: Option<ManifestBuilder>,
    progress_at: Instant,
}

impl Download {
    /// The headers; the length is that of the bytes that were asked for.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The version that arrives.
    #[must_use]
    pub fn version(&self) -> Version {
        self.metadata.version
    }

    /// How many bytes were asked for.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.metadata.length
    }

    /// The next piece; `None` when all bytes have arrived and, unless a range was asked for, have the name of the content.
    ///
    /// # Errors
    /// The download was interrupted and cannot go on, because no node answers in time, or the version is
    /// gone meanwhile. At the end, [`Error::Damaged`] says that the pieces are not those of the content.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let interrupted = match self.answer.body.next().await {
                Ok(Some(piece)) if piece.len() as u64 > self.behind - self.at => {
                    return Err(self.answer.body.nonsense("it is longer than announced"));
                }
                Ok(Some(piece)) => {
                    self.at += piece.len() as u64;
                    self.progress_at = Instant::now();
                    self.verified.iter_mut().for_each(|it| it.update(&piece));
                    return Ok(Some(piece));
                }
                Ok(None) if self.at == self.behind => return self.end(),
                Ok(None) => {
                    let why = format!("{} bytes are missing", self.behind - self.at);
                    Error::Lost { node: self.answer.body.node().to_owned(), why }
                }
                // All of it is here, and how the connection ended does not matter.
                Err(_) if self.at == self.behind => return self.end(),
                Err(error) => error,
            };
            self.resume(interrupted).await?;
        }
    }

    /// Compares a whole content with its name.
    fn end(&mut self) -> Result<Option<Bytes>, Error> {
        let Metadata { path, version, content, .. } = &self.metadata;
        match self.verified.take().map(|it| ContentId(it.finish().root().0)) {
            Some(arrived) if arrived != *content => Err(Error::Damaged {
                path: path.clone(),
                version: *version,
                content: *content,
                node: self.answer.body.node().to_owned(),
            }),
            _ => Ok(None),
        }
    }

    /// Asks for the rest of the same version.
    async fn resume(&mut self, interrupted: Error) -> Result<(), Error> {
        let deadline = self.client.shared.options.deadline;
        if self.progress_at.elapsed() + PAUSE >= deadline {
            return Err(Error::GaveUp {
                after: deadline,
                last: Box::new(interrupted),
                outcome_unknown: false,
                key: None,
            });
        }
        sleep(PAUSE).await;
        let client = self.client.clone();
        let get = Get {
            version: Some(self.metadata.version),
            is_stale: self.is_stale,
            ..client.get(&self.metadata.path)
        };
        let answer = get.send(Method::GET, Some((self.at, Some(self.behind)))).await?;
        let is_rest = answer.status == StatusCode::PARTIAL_CONTENT
            && answer.version()? == self.metadata.version
            && answer.number("content-length") == Some(self.behind - self.at);
        if !is_rest {
            return Err(answer.body.nonsense("it is not the rest of the content"));
        }
        self.answer = answer;
        Ok(())
    }

    /// Writes all bytes to a file, which appears when it is complete and synced, and replaces an old one.
    ///
    /// # Errors
    /// As [`Download::next`], or the file cannot be written. An old file stays then.
    pub async fn save(mut self, path: &Path) -> Result<Metadata, Error> {
        let cannot = |source: io::Error| Error::Save { path: path.to_owned(), source };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        let file = tempfile::Builder::new().permissions(permissions).tempfile_in(directory);
        let mut file = file.map_err(cannot)?;
        while let Some(piece) = self.next().await? {
            // A piece is small, and the write ends in the memory of the system.
            file.write_all(&piece).map_err(cannot)?;
        }
        let (path, directory) = (path.to_owned(), directory.to_owned());
        let persisted = tokio::task::spawn_blocking(move || {
            let persist = || {
                file.as_file().sync_all()?;
                file.persist(&path).map_err(|it| it.error)?;
                std::fs::File::open(&directory)?.sync_all()
            };
            persist().map_err(|source| Error::Save { path: path.clone(), source })
        });
        persisted.await.map_err(|it| Error::Argument(it.to_string()))??;
        Ok(self.metadata)
    }
}
