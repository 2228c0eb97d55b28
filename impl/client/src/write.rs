//! Writes: put, delete, resolve, restore.

use std::fmt::Write as _;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use http::header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{Method, StatusCode};
use serde_json::json;
use steadfast_delta::manifest::Root;

use crate::answer::Answer;
use crate::call::Call;
use crate::delta::allows_whole;
use crate::path::resource;
use crate::{Client, Error, Upload, Version, Written};

/// The media type of a delta, and the headers with the contents at both ends of it.
const DELTA: &str = "application/vnd.steadfast.delta";
static BASE: HeaderName = HeaderName::from_static("steadfast-base");
static CONTENT: HeaderName = HeaderName::from_static("steadfast-content");

/// The version of a file that a write expects. A write whose condition does not hold is refused as
/// [`Code::PreconditionFailed`](crate::Code::PreconditionFailed) and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The file shows one of these versions.
    IsOneOf(Vec<Version>),
    /// There is such a file.
    Exists,
    /// There is no such file.
    IsNew,
}

/// A write that has not been sent; `.await` sends it.
#[derive(Debug)]
#[must_use = "a write is sent when it is awaited"]
pub struct Write<'a> {
    client: &'a Client,
    /// Or the mistake in an argument.
    call: Result<Call, Error>,
    key: Option<String>,
    condition: Option<Condition>,
    /// The path that a put writes.
    file: Option<String>,
}

impl Client {
    /// Writes a file. The answer comes when as many nodes have it as the cluster demands.
    pub fn put(&self, path: &str, content: Upload) -> Write<'_> {
        let call = resource("files", path).map(|it| Call::new(Method::PUT, it).body(content));
        Write { file: Some(path.to_owned()), ..self.write(call) }
    }

    /// Deletes a file.
    pub fn delete(&self, path: &str) -> Write<'_> {
        self.write(resource("files", path).map(|it| Call::new(Method::DELETE, it)))
    }

    /// Ends the conflict of a file: writes the version `keep` again, over all its heads.
    pub fn resolve(&self, path: &str, keep: Version) -> Write<'_> {
        let body = json!({ "keep": keep });
        self.write(resource("resolve", path).map(|it| Call::new(Method::POST, it).json(&body)))
    }

    /// Writes one head of a file again, over the visible one.
    pub fn restore(&self, path: &str, version: Version) -> Write<'_> {
        let body = json!({ "version": version });
        self.write(resource("restore", path).map(|it| Call::new(Method::POST, it).json(&body)))
    }

    fn write(&self, call: Result<Call, Error>) -> Write<'_> {
        Write { client: self, call, key: None, condition: None, file: None }
    }
}

impl<'a> Write<'a> {
    /// Only if this holds. Restore and resolve take no condition: they name the version that they expect.
    pub fn when(self, condition: Condition) -> Write<'a> {
        Write { condition: Some(condition), ..self }
    }

    /// With this idempotency key instead of a random one, so as to repeat a write whose outcome is unknown. A key
    /// is any text with `:clock=` and the [`Client::clock`] of the moment before its first use behind it.
    pub fn key(self, key: impl Into<String>) -> Write<'a> {
        Write { key: Some(key.into()), ..self }
    }

    async fn send(self) -> Result<Written, Error> {
        let mut call = self.call?;
        if call.upload.is_streamed() && self.client.shared.leader().is_none() {
            self.client.find_leader().await;
        }
        call = match self.key {
            Some(key) => call.keyed(&key)?,
            None => call.keyed_at(random_text()?, self.client.clock())?,
        };
        call = match &self.condition {
            None => call,
            Some(Condition::Exists) => call.header(IF_MATCH, "*")?,
            Some(Condition::IsNew) => call.header(IF_NONE_MATCH, "*")?,
            Some(Condition::IsOneOf(versions)) => {
                let tags: Vec<String> = versions.iter().copied().map(Version::tag).collect();
                call.header(IF_MATCH, &tags.join(", "))?
            }
        };
        let may_have_old = self.condition != Some(Condition::IsNew);
        let answer = match self.file.filter(|_| may_have_old) {
            Some(path) => send_changes(self.client, &path, call).await?,
            None => self.client.send(call).await?,
        };
        let created = answer.status == StatusCode::CREATED;
        answer.json().await.map(|it: Written| Written { created, ..it })
    }
}

impl<'a> IntoFuture for Write<'a> {
    type Output = Result<Written, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Puts a file by its changes, where that pays, and otherwise whole.
async fn send_changes(client: &Client, path: &str, mut call: Call) -> Result<Answer, Error> {
    let delta = match call.upload.path() {
        Some(file) => client.delta(path, file).await?,
        None => None,
    };
    if let Some(delta) = delta {
        let (base, result) = (Root(delta.base.0).to_string(), Root(delta.result.0).to_string());
        let mut changes = call
            .with(Method::PATCH, call.upload.as_delta(delta))
            .header(CONTENT_TYPE, DELTA)?
            .header(BASE.clone(), &base)?
            .header(CONTENT.clone(), &result)?;
        match client.send_noting(&mut changes).await {
            Err(Error::Refused(refusal)) if allows_whole(&refusal.code) => {
                call.outcome_unknown = changes.outcome_unknown;
            }
            result => return result,
        }
    }
    client.send(call).await
}

/// 128 random bits.
fn random_text() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|it| Error::Argument(format!("the system gives no random bytes: {it}")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
