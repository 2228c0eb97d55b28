//! Answers: their bodies, bounded in length and in time.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use steadfast_protocol::ContentId;
use tokio::time::timeout;

use crate::error::{Code, Refusal};
use crate::{Error, Version};

/// The longest answer that is kept in memory: a page of 1000 files with the longest paths has 2 MiB.
pub(crate) const LENGTH_MAX: usize = 32 << 20;
/// The longest explanation of a refusal.
const REFUSAL_LENGTH_MAX: usize = 64 << 10;

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Pieces,
    /// The number of the node among those of the configuration.
    pub(crate) node: usize,
}

/// The pieces of a body.
#[derive(Debug)]
pub(crate) struct Pieces {
    body: Incoming,
    node: String,
    patience: Duration,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorText,
}

#[derive(Deserialize)]
struct ErrorText {
    code: String,
    message: String,
}

impl Pieces {
    pub(crate) fn new(body: Incoming, node: String, patience: Duration) -> Pieces {
        Pieces { body, node, patience }
    }

    /// The name of the node that sends them.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// The next piece; `None` at the end of a complete body. A body that stands still too long is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let patience = self.patience;
        match timeout(patience, self.arrived()).await {
            Ok(piece) => piece,
            Err(_) => {
                let why = format!("the answer stood still for {} s", patience.as_secs_f32());
                Err(Error::Lost { node: self.node.clone(), why })
            }
        }
    }

    /// The same of a body that may stand still for any time.
    pub(crate) async fn arrived(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(Error::Lost { node: self.node.clone(), why: with_causes(&error) });
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// All of a body of at most this length.
    pub(crate) async fn whole(&mut self, length_max: usize) -> Result<Vec<u8>, Error> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > length_max {
                return Err(self.nonsense(format!("it has more than {length_max} bytes")));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    pub(crate) fn nonsense(&self, why: impl Into<String>) -> Error {
        Error::Nonsense { node: self.node.clone(), why: why.into() }
    }

    /// A record.
    pub(crate) fn parse<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(text).map_err(|it| self.nonsense(it.to_string()))
    }
}

impl Answer {
    /// The body as a record.
    pub(crate) async fn json<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let whole = self.body.whole(LENGTH_MAX).await?;
        self.body.parse(&whole)
    }

    /// The refusal that the answer is.
    pub(crate) async fn refusal(mut self) -> Error {
        // Where the text does not arrive, the status says enough.
        let text = self.body.whole(REFUSAL_LENGTH_MAX).await.unwrap_or_default();
        let (code, message) = match serde_json::from_slice::<ErrorBody>(&text) {
            Ok(ErrorBody { error }) => (Code::from(error.code.as_str()), error.message),
            // The answer to HEAD has no body, and a proxy knows no codes.
            Err(_) => {
                let code = self.headers.get("steadfast-error").and_then(|it| it.to_str().ok());
                let unknown = || Code::Other(format!("http-{}", self.status.as_u16()));
                let code = code.map_or_else(unknown, Code::from);
                (code, format!("the answer is {}", self.status))
            }
        };
        let node = self.body.node;
        Error::Refused(Refusal { node, status: self.status.as_u16(), code, message })
    }

    /// The version in the entity tag.
    pub(crate) fn version(&self) -> Result<Version, Error> {
        let tag = self.text("etag").unwrap_or_default();
        Version::from_tag(tag)
            .ok_or_else(|| self.body.nonsense(format!("its entity tag is {tag:?}, no version")))
    }

    /// The name of the content.
    pub(crate) fn content(&self) -> Result<ContentId, Error> {
        let name = self.text("steadfast-content").unwrap_or_default();
        let parsed: Result<ContentId, ValueError> =
            ContentId::deserialize(name.into_deserializer());
        parsed.map_err(|why| self.body.nonsense(format!("the header Steadfast-Content: {why}")))
    }

    /// A header as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

/// An error and its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        let more = it.to_string();
        // Some errors repeat the text of their cause.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = it.source();
    }
    text
}
