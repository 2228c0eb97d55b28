//! A request that may be sent several times.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};

use crate::{Error, Upload};

/// The header of the idempotency key.
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that may be sent several times.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and parameters.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) upload: Upload,
    /// The only node that can answer it, if there is one. Such a call is sent once.
    pub(crate) only: Option<usize>,
    /// Whether any node answers for itself, so that the answer does not say who leads.
    pub(crate) is_local: bool,
    /// The idempotency key of a write.
    pub(crate) key: Option<String>,
    /// The part of the key that was drawn at random; `None` for a key that the caller chose.
    nonce: Option<String>,
    /// Whether the write may have taken place by an earlier request.
    pub(crate) outcome_unknown: bool,
}

impl Call {
    pub(crate) fn get(target: String) -> Call {
        Call::new(Method::GET, target)
    }

    pub(crate) fn new(method: Method, target: String) -> Call {
        Call {
            method,
            target,
            headers: HeaderMap::new(),
            upload: Upload::bytes(""),
            only: None,
            is_local: false,
            key: None,
            nonce: None,
            outcome_unknown: false,
        }
    }

    /// The same write by other means.
    pub(crate) fn with(&self, method: Method, upload: Upload) -> Call {
        Call {
            method,
            target: self.target.clone(),
            headers: self.headers.clone(),
            upload,
            only: self.only,
            is_local: self.is_local,
            key: self.key.clone(),
            nonce: self.nonce.clone(),
            outcome_unknown: self.outcome_unknown,
        }
    }

    /// Answered by any node, for itself.
    pub(crate) fn local(self) -> Call {
        Call { is_local: true, ..self }
    }

    /// Answered by this node, for itself.
    pub(crate) fn at(self, node: usize) -> Call {
        Call { only: Some(node), is_local: true, ..self }
    }

    pub(crate) fn body(self, upload: Upload) -> Call {
        Call { upload, ..self }
    }

    pub(crate) fn json(mut self, value: &serde_json::Value) -> Call {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body(Upload::bytes(value.to_string()))
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Result<Call, Error> {
        let value = value_of(&name, value)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// A write under this key: 1 to 255 printable ASCII characters.
    pub(crate) fn keyed(mut self, key: &str) -> Result<Call, Error> {
        self.set_key(key)?;
        Ok(self)
    }

    fn set_key(&mut self, key: &str) -> Result<(), Error> {
        let fits =
            (1..=255).contains(&key.len()) && key.bytes().all(|it| (0x20..0x7f).contains(&it));
        if !fits {
            let why = "is no idempotency key: expected 1 to 255 printable ASCII characters";
            return Err(Error::Argument(format!("{key:?} {why}")));
        }
        self.headers.insert(IDEMPOTENCY_KEY.clone(), value_of(&IDEMPOTENCY_KEY, key)?);
        self.key = Some(key.to_owned());
        Ok(())
    }

    /// A write under a key with this random part, made at this clock.
    pub(crate) fn keyed_at(mut self, nonce: String, clock: u64) -> Result<Call, Error> {
        self.nonce = Some(nonce);
        self.renew_key(clock)?;
        Ok(self)
    }

    /// Whether the client has made the key, and can make it once more.
    pub(crate) fn has_own_key(&self) -> bool {
        self.nonce.is_some()
    }

    /// Makes the key once more, at this clock, if it is not one that the caller chose.
    pub(crate) fn renew_key(&mut self, clock: u64) -> Result<(), Error> {
        match &self.nonce {
            Some(nonce) => self.set_key(&format!("{nonce}:clock={clock}")),
            None => Ok(()),
        }
    }
}

fn value_of(name: &HeaderName, value: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(value)
        .map_err(|_| Error::Argument(format!("{value:?} cannot stand in the header {name}")))
}
