//! Clients that write and read a few paths at random, and note what they hear.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use steadfast_client::{Client, Code, Condition, Error, Get, Upload, Version};
use tempfile::NamedTempFile;
use tokio::time::{sleep, timeout};

use super::contents::{author_of, bytes_of};
use super::history::{Answer, History, OperationId, Request};

/// How many clients there are, and how many paths they share.
pub(crate) const CLIENTS: usize = 8;
const PATHS: usize = 30;

/// The longest pause between two operations of a client.
const PAUSE_MS_MAX: u64 = 60;

/// How long a call may take. A client gives up much earlier, so this is only for one that hangs.
const CALL_MAX: Duration = Duration::from_secs(90);

/// The number of the path that only gets long contents. They resemble each other, so clients and nodes send deltas.
const LONG_PATH: usize = PATHS - 1;

/// Contents of this length and longer are uploaded from a file, because the client sends deltas of files only.
const FILE_MIN: usize = 4 << 20;

/// The paths.
pub(crate) fn paths() -> impl Iterator<Item = String> {
    (0..PATHS).map(path)
}

fn path(number: usize) -> String {
    format!("chamber/{number:02}")
}

/// One client.
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) client: Client,
    /// A client for each node, which asks that node alone.
    pub(crate) of_nodes: Vec<Client>,
    pub(crate) history: Arc<History>,
    pub(crate) random: StdRng,
    /// The newest version of each path that this client knows, and its other heads.
    seen: BTreeMap<String, (Version, Vec<Version>)>,
    /// A text that no other run shares, so that no two runs share an idempotency key.
    run: String,
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        client: Client,
        of_nodes: Vec<Client>,
        history: Arc<History>,
        (seed, run): (u64, String),
    ) -> Worker {
        let random = StdRng::seed_from_u64(seed ^ (number as u64 + 1) << 32);
        Worker { number, client, of_nodes, history, random, seen: BTreeMap::new(), run }
    }

    /// Asks until it is to stop.
    pub(crate) async fn work(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            let number = self.random.random_range(0..PATHS);
            let path = path(number);
            let request = match number {
                LONG_PATH => self.choose_long(&path),
                _ => self.choose(&path),
            };
            self.perform(&path, request).await;
            sleep(Duration::from_millis(self.random.random_range(0..PAUSE_MS_MAX))).await;
        }
    }

    fn choose(&mut self, path: &str) -> Request {
        let seen = self.seen.get(path).cloned();
        let put = |base, random: &mut StdRng| Request::Put { bytes: length(random), base };
        match (self.random.random_range(0..100), seen) {
            (0..36, _) => put(None, &mut self.random),
            (36..46, Some((version, _))) => put(Some(version), &mut self.random),
            (46..54, _) => Request::Delete,
            (54..58, Some((_, heads))) if heads.len() > 1 => {
                Request::Restore(heads[self.random.random_range(1..heads.len())])
            }
            (58..64, Some((_, heads))) if !heads.is_empty() => {
                Request::Resolve(heads[self.random.random_range(0..heads.len())])
            }
            (64..72, _) => Request::StaleGet,
            (72..82, _) => Request::Versions,
            _ => Request::Get,
        }
    }

    /// Like [`Worker::choose`], for the path with long contents. It writes less often, because each write takes
    /// megabytes of the disks.
    fn choose_long(&mut self, path: &str) -> Request {
        let seen = self.seen.get(path).map(|it| it.0);
        let bytes = self.random.random_range(FILE_MIN..6 << 20);
        match (self.random.random_range(0..100), seen) {
            (0..5, _) => Request::Put { bytes, base: None },
            (5..9, Some(_)) => Request::Put { bytes, base: seen },
            (9..10, _) => Request::Delete,
            (10..20, _) => Request::StaleGet,
            (20..40, _) => Request::Versions,
            _ => Request::Get,
        }
    }

    /// Performs an operation and notes it.
    pub(crate) async fn perform(&mut self, path: &str, request: Request) {
        let (run, clock) = (&self.run, self.client.clock());
        let key = |id| format!("{run} {id}:clock={clock}");
        let id = self.history.invoke(self.number, path, request.clone(), key);
        let key = key(id);
        let answer = match timeout(CALL_MAX, self.ask((id, key), path, &request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => absence(&error).unwrap_or_else(|| Answer::Failed(in_short(&error))),
            Err(_) => Answer::Failed("hangs".to_owned()),
        };
        match &answer {
            Answer::Written(version) | Answer::Found { version, .. } => {
                self.seen.insert(path.to_owned(), (*version, Vec::new()));
            }
            Answer::Heads(heads) => {
                let all: Vec<Version> = heads.iter().map(|it| it.version).collect();
                if let Some(first) = all.first().copied() {
                    self.seen.insert(path.to_owned(), (first, all));
                }
            }
            Answer::Failed(_) => drop(self.seen.remove(path)),
            Answer::Deleted(_) | Answer::Absent => {}
        }
        self.history.answer(id, answer);
    }

    async fn ask(
        &mut self,
        (id, key): (OperationId, String),
        path: &str,
        request: &Request,
    ) -> Result<Answer, Error> {
        let client = &self.client;
        let written = match request {
            Request::Put { bytes, base } => {
                let bytes = bytes_of(id, path, *bytes);
                let file = match bytes.len() {
                    FILE_MIN.. => Some(as_file(&bytes).map_err(no_file)?),
                    _ => None,
                };
                let upload = match &file {
                    Some(file) => Upload::file(file.path()),
                    None => Upload::bytes(bytes),
                };
                let write = client.put(path, upload).key(key);
                match base {
                    None => write.await,
                    Some(base) => write.when(Condition::IsOneOf(vec![*base])).await,
                }
            }
            Request::Delete => client.delete(path).key(key).await,
            Request::Restore(version) => client.restore(path, *version).key(key).await,
            Request::Resolve(version) => client.resolve(path, *version).key(key).await,
            Request::Get => return read(client.get(path)).await,
            Request::StaleGet => {
                let node = self.random.random_range(0..self.of_nodes.len());
                return read(self.of_nodes[node].get(path).stale()).await;
            }
            Request::Versions => {
                return Ok(Answer::Heads(client.versions(path).await?.versions));
            }
        };
        Ok(Answer::Written(written?.version))
    }
}

fn as_file(bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(bytes)?;
    Ok(file)
}

fn no_file(source: io::Error) -> Error {
    Error::Source { of: "a temporary file".to_owned(), source }
}

/// The length of a content: small, in the log, in a file, or large.
fn length(random: &mut StdRng) -> usize {
    match random.random_range(0..1_000) {
        0..600 => random.random_range(0..200),
        600..850 => random.random_range(200..=4 << 10),
        850..992 => random.random_range(4 << 10..64 << 10),
        _ => random.random_range(1 << 20..4 << 20),
    }
}

async fn read(get: Get<'_>) -> Result<Answer, Error> {
    let mut download = get.await?;
    let version = download.version();
    let path = download.metadata().path.clone();
    let mut bytes = Vec::new();
    while let Some(piece) = download.next().await? {
        bytes.extend_from_slice(&piece);
    }
    let author = author_of(&bytes).filter(|(_, of)| *of == path).map(|(author, _)| author);
    Ok(Answer::Found { version, author })
}

/// The state of a file in an error.
fn absence(error: &Error) -> Option<Answer> {
    let Error::Refused(refusal) = error else { return None };
    match refusal.code {
        // The message ends with the version of the delete.
        Code::Deleted => {
            let version = refusal.message.rsplit(' ').next().and_then(|it| it.parse().ok());
            Some(Answer::Deleted(version))
        }
        Code::NotFound => Some(Answer::Absent),
        _ => None,
    }
}

/// An error as a kind.
fn in_short(error: &Error) -> String {
    match (error.code(), error) {
        (_, Error::GaveUp { outcome_unknown: true, .. }) => "unknown outcome".to_owned(),
        (_, Error::GaveUp { .. }) => "gave up".to_owned(),
        (Some(code), _) => code.to_string(),
        (None, Error::Damaged { .. }) => "damaged".to_owned(),
        (None, Error::Lost { .. } | Error::Connect { .. }) => "connection lost".to_owned(),
        (None, error) => error.to_string(),
    }
}
