//! Writes: put, delete, resolve, restore.

use std::fmt::Write as _;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{Method, StatusCode};
use serde_json::json;

use crate::call::Call;
use crate::path::resource;
use crate::{Client, Error, Upload, Version, Written};

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
}

impl Client {
    /// Writes a file. The answer comes when as many nodes have it as the cluster demands.
    pub fn put(&self, path: &str, content: Upload) -> Write<'_> {
        let call = resource("files", path).map(|it| Call::new(Method::PUT, it).body(content));
        self.write(call)
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
        Write { client: self, call, key: None, condition: None }
    }
}

impl<'a> Write<'a> {
    /// Only if this holds. Restore and resolve take no condition: they name the version that they expect.
    pub fn when(self, condition: Condition) -> Write<'a> {
        Write { condition: Some(condition), ..self }
    }

    /// With this idempotency key instead of a random one, so as to repeat a write whose outcome is unknown.
    pub fn key(self, key: impl Into<String>) -> Write<'a> {
        Write { key: Some(key.into()), ..self }
    }

    async fn send(self) -> Result<Written, Error> {
        let mut call = self.call?;
        let key = match self.key {
            Some(key) => key,
            None => random_key()?,
        };
        call = call.keyed(&key)?;
        call = match self.condition {
            None => call,
            Some(Condition::Exists) => call.header(IF_MATCH, "*")?,
            Some(Condition::IsNew) => call.header(IF_NONE_MATCH, "*")?,
            Some(Condition::IsOneOf(versions)) => {
                let tags: Vec<String> = versions.into_iter().map(Version::tag).collect();
                call.header(IF_MATCH, &tags.join(", "))?
            }
        };
        let answer = self.client.send(call).await?;
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

/// 128 random bits.
fn random_key() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|it| Error::Argument(format!("the system gives no random bytes: {it}")))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
