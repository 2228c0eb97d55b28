//! Paths, versions and version vectors as they stand in requests and answers.

use axum::http::Uri;
use percent_encoding::percent_decode_str;
use steadfast_delta::manifest::Root;
use steadfast_protocol::{ContentId, Dot, NODES_MAX, NodeId, Path, Sequence, VersionVector};

use super::ApiError;

/// The path that a URL names behind this prefix, such as `/files/`.
pub(crate) fn path_of(uri: &Uri, prefix: &str) -> Result<Path, ApiError> {
    let encoded = uri.path().strip_prefix(prefix).unwrap_or_default();
    let name = percent_decode_str(encoded).decode_utf8().map_err(|_| {
        let why = "the path is not UTF-8: a path is UTF-8, percent-encoded in the URL";
        ApiError::new(axum::http::StatusCode::BAD_REQUEST, "bad-path", why)
    })?;
    Path::parse(&name).map_err(ApiError::bad_path)
}

/// A version as text, such as `n0-5`.
pub(crate) fn version(dot: Dot) -> String {
    format!("{}-{}", dot.origin, dot.sequence)
}

/// A version as an entity tag.
pub(crate) fn etag(dot: Dot) -> String {
    format!("\"{}\"", version(dot))
}

/// The version that a text names.
pub(crate) fn parse_version(text: &str) -> Result<Dot, ApiError> {
    let parts = text.strip_prefix('n').and_then(|it| it.split_once('-'));
    let number = |it: &str| it.bytes().all(|it| it.is_ascii_digit()).then(|| it.parse().ok());
    let dot = parts.and_then(|(origin, sequence)| {
        let origin: u64 = number(origin)??;
        let origin = u8::try_from(origin).ok().filter(|it| *it < NODES_MAX)?;
        let sequence: u64 = number(sequence)??;
        (sequence > 0).then_some(Dot { origin: NodeId(origin), sequence: Sequence(sequence) })
    });
    dot.ok_or_else(|| {
        ApiError::bad_request(format!("{text:?} is no version: a version is like n0-5"))
    })
}

/// A version vector as text: its versions with commas between them.
pub(crate) fn vector(vv: &VersionVector) -> String {
    let dots = NodeId::all(NODES_MAX).filter_map(|origin| {
        let sequence = vv.sequence(origin);
        (sequence > Sequence(0)).then(|| version(Dot { origin, sequence }))
    });
    dots.collect::<Vec<_>>().join(",")
}

/// The content that a text names by 64 hexadecimal digits.
pub(crate) fn parse_content(text: &str) -> Result<ContentId, ApiError> {
    let root: Result<Root, _> = text.parse();
    root.map(|it| ContentId(it.0)).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// The version vector that a text names; the empty text is the empty vector.
pub(crate) fn parse_vector(text: &str) -> Result<VersionVector, ApiError> {
    let mut vv = VersionVector::default();
    for version in text.split(',').filter(|it| !it.is_empty()) {
        vv.insert(parse_version(version)?);
    }
    Ok(vv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_vectors_are_read_as_they_are_written() {
        let dot = Dot { origin: NodeId(2), sequence: Sequence(17) };
        assert_eq!(version(dot), "n2-17");
        assert_eq!(parse_version("n2-17").expect("a version"), dot);
        for wrong in
            ["", "n", "2-17", "n2", "n2-", "n2-0", "n7-1", "n+1-1", "n1-+1", "n1-1-1", "n-1"]
        {
            assert!(parse_version(wrong).is_err(), "{wrong}");
        }
        let vv = parse_vector("n0-3,n2-17").expect("a vector");
        assert_eq!(vector(&vv), "n0-3,n2-17");
        assert_eq!(vector(&parse_vector("").expect("the empty vector")), "");
        assert!(parse_vector("n0-3;n1-2").is_err());
    }

    #[test]
    fn a_path_is_decoded_and_then_judged() {
        let of = |uri: &'static str| path_of(&Uri::from_static(uri), "/files/");
        assert_eq!(of("/files/a%20b/c").expect("legal").as_str(), "a b/c");
        for wrong in ["/files/", "/files/a%00b", "/files/%2e%2e/b", "/files/%ff", "/files/a//b"] {
            assert_eq!(of(wrong).expect_err(wrong).code, "bad-path", "{wrong}");
        }
    }
}
