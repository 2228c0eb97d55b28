//! The headers of a request that name versions, its consistency or its id.

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE};
use steadfast_protocol::{Counter, Dot, RequestId};

use super::ApiError;
use super::names::{etag, parse_version};
use crate::core::{Condition, Key};

/// The header by which a client names its request, so that a retry does not write twice.
pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key in bytes.
const KEY_BYTES_MAX: usize = 255;

/// The versions that a header names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// `*`.
    Any,
    Versions(Vec<Dot>),
}

/// The header of every answer with the highest Lamport counter that the node knows. A key ends with it.
pub(crate) static CLOCK: HeaderName = HeaderName::from_static("steadfast-clock");

/// How far the clock of a key may be ahead of the node's. A client may have seen the clock of another node; but
/// the clock goes on from the one that a write names, and must not come to its end.
const AHEAD_MAX: u64 = 1 << 40;

/// The name and the condition of a write, at a node with this clock.
pub(crate) fn of_write(
    headers: &HeaderMap,
    clock: Counter,
) -> Result<(Option<Key>, Condition), ApiError> {
    Ok((key(headers, clock)?, condition(headers)?))
}

/// The condition of a write.
fn condition(headers: &HeaderMap) -> Result<Condition, ApiError> {
    match (tags(headers, &IF_MATCH)?, tags(headers, &IF_NONE_MATCH)?) {
        (None, None) => Ok(Condition::Any),
        (Some(Tags::Any), None) => Ok(Condition::Exists),
        (Some(Tags::Versions(dots)), None) => Ok(Condition::Shows(dots)),
        (None, Some(Tags::Any)) => Ok(Condition::Absent),
        (None, Some(Tags::Versions(dots))) => Ok(Condition::ShowsNone(dots)),
        (Some(_), Some(_)) => {
            Err(ApiError::bad_request("If-Match and If-None-Match together: send one of them"))
        }
    }
}

/// The entity tags of a header, if the request has it.
pub(crate) fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, ApiError> {
    let mut dots = Vec::new();
    let mut is_there = false;
    for value in headers.get_all(name) {
        is_there = true;
        let text = value.to_str().map_err(|_| wrong(name, "?"))?;
        if text.trim() == "*" {
            return Ok(Some(Tags::Any));
        }
        for tag in text.split(',').map(str::trim) {
            let (is_weak, opaque) = match tag.strip_prefix("W/") {
                Some(opaque) => (true, opaque),
                None => (false, tag),
            };
            let inner = opaque.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            let inner = inner.ok_or_else(|| wrong(name, tag))?;
            // If-Match compares strongly, so that a weak tag matches nothing (RFC 9110, section 13.1.1).
            if is_weak && name == IF_MATCH {
                continue;
            }
            // A tag of another server matches no version.
            if let Ok(dot) = parse_version(inner) {
                dots.push(dot);
            }
        }
    }
    Ok(is_there.then_some(Tags::Versions(dots)))
}

/// Whether a range may be served of this version: a client that has the beginning of another one would join
/// two files. An `If-Range` that is no strong tag of this version, such as a date, lets the range be ignored
/// (RFC 9110, section 13.1.5).
pub(crate) fn continues(headers: &HeaderMap, version: Dot) -> bool {
    headers.get_all(IF_RANGE).iter().all(|it| it.as_bytes() == etag(version).as_bytes())
}

fn wrong(name: &HeaderName, value: &str) -> ApiError {
    let why = "expected * or entity tags with commas between them, such as \"n0-5\"";
    ApiError::bad_request(format!("{name}: {value:?}: {why}"))
}

/// The name of a request that carries a key: any text, `:clock=`, and the clock of an earlier answer. The whole is hashed
/// into the client and the number of the request, so each key is a client of its own; two keys collide with
/// probability 2^-64.
fn key(headers: &HeaderMap, clock: Counter) -> Result<Option<Key>, ApiError> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(key) = values.next() else {
        return Ok(None);
    };
    let key = key.as_bytes();
    let is_printable = key.iter().all(|it| (b' '..=b'~').contains(it));
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !is_printable || values.next().is_some() {
        let why = "one key of 1 to 255 printable ASCII characters is accepted";
        return Err(ApiError::bad_request(format!("Idempotency-Key: {why}")));
    }
    let text = String::from_utf8_lossy(key);
    let seen = text.rsplit_once(":clock=").and_then(|(_, it)| it.parse().ok()).map(Counter);
    let Some(seen) = seen else {
        let why = "end it with :clock= and the Steadfast-Clock of an earlier answer, so that nodes can forget old keys";
        return Err(ApiError::bad_request(format!("Idempotency-Key {text:?}: {why}")));
    };
    if seen.0.saturating_sub(clock.0) > AHEAD_MAX {
        let why = format!("no node has had the clock {seen}; that of this one is {clock}");
        return Err(ApiError::bad_request(format!("Idempotency-Key {text:?}: {why}")));
    }
    let hash = blake3::hash(key);
    let (client, number) = hash.as_bytes().split_at(8);
    let word = |bytes: &[u8]| bytes.iter().take(8).fold(0, |sum, it| sum << 8 | u64::from(*it));
    let request = RequestId { client: word(client), number: word(number) };
    Ok(Some(Key { request, seen }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use steadfast_protocol::{NodeId, Sequence};

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|it| HeaderValue::from_str(it).expect("a value"));
        values.map(|it| (name.clone(), it)).collect()
    }

    #[test]
    fn conditions_are_those_of_http() {
        let dot = |origin, sequence| Dot { origin: NodeId(origin), sequence: Sequence(sequence) };
        let of = |name, values: &[&str]| condition(&headers(name, values));
        assert_eq!(of(IF_MATCH, &[]), Ok(Condition::Any));
        assert_eq!(of(IF_MATCH, &["*"]), Ok(Condition::Exists));
        let two = Condition::Shows(vec![dot(0, 5), dot(1, 2)]);
        assert_eq!(of(IF_MATCH, &["\"n0-5\", \"n1-2\""]), Ok(two));
        assert_eq!(
            of(IF_MATCH, &["\"n0-5\"", "W/\"n1-2\""]),
            Ok(Condition::Shows(vec![dot(0, 5)]))
        );
        assert_eq!(of(IF_MATCH, &["W/\"n1-2\""]), Ok(Condition::Shows(vec![])));
        let weak = Condition::ShowsNone(vec![dot(1, 2)]);
        assert_eq!(of(IF_NONE_MATCH, &["W/\"n1-2\""]), Ok(weak));
        assert_eq!(of(IF_NONE_MATCH, &["*"]), Ok(Condition::Absent));
        assert_eq!(of(IF_NONE_MATCH, &["\"n0-5\""]), Ok(Condition::ShowsNone(vec![dot(0, 5)])));
        // No version of ours has this tag, so the condition cannot hold.
        assert_eq!(of(IF_MATCH, &["\"33a64df5\""]), Ok(Condition::Shows(vec![])));
        for wrong in ["n0-5", "\"n0-5", "", "\"a\",,\"b\""] {
            assert_eq!(of(IF_MATCH, &[wrong]).expect_err(wrong).code, "bad-request", "{wrong}");
        }
        let mut both = headers(IF_MATCH, &["*"]);
        both.extend(headers(IF_NONE_MATCH, &["*"]));
        assert!(condition(&both).is_err());
    }

    #[test]
    fn a_key_names_a_request() {
        let of = |values: &[&str]| key(&headers(IDEMPOTENCY_KEY.clone(), values), Counter(9));
        assert_eq!(of(&[]), Ok(None));
        let one = of(&["a:clock=7"]).expect("a key").expect("a name");
        assert_eq!((one.seen, of(&["a:clock=7"])), (Counter(7), Ok(Some(one))));
        for other in ["b:clock=7", "a:clock=8", ":clock=7", "a:clock=1:clock=7"] {
            assert_ne!(of(&[other]).expect(other).expect("a name").request, one.request, "{other}");
        }
        let long = "k".repeat(KEY_BYTES_MAX - 7) + ":clock=7";
        for wrong in [
            &[":clock="][..],
            &[&long],
            &["a:clock=1", "b:clock=1"],
            &["tab\there:clock=1"],
            &["a@1"],
        ] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }
}
