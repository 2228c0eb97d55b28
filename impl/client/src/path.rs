//! Paths of files, and their form in URLs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Error;

/// The longest path in bytes.
pub const PATH_BYTES_MAX: usize = 1024;

/// Bytes that a component keeps as they are.
const UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
/// In the value of a parameter, a slash is encoded as well.
const PARAMETER: &AsciiSet = &UNRESERVED.add(b'/');

/// Refuses a path that no file can have. A legal path is 1 to [`PATH_BYTES_MAX`] bytes of UTF-8: components between
/// slashes, none of them empty, `.` or `..`, without control characters.
///
/// # Errors
/// The path is not legal; the error says why.
pub fn check_path(path: &str) -> Result<(), Error> {
    let wrong = |why: &str| Err(Error::Path { path: path.to_owned(), why: why.to_owned() });
    if path.is_empty() {
        return wrong("it is empty");
    }
    if path.len() > PATH_BYTES_MAX {
        return wrong(&format!("it has {} bytes, and {PATH_BYTES_MAX} are the most", path.len()));
    }
    if path.chars().any(char::is_control) {
        return wrong("it has a control character");
    }
    if path.starts_with('/') || path.ends_with('/') {
        return wrong("it begins or ends with a slash");
    }
    match path.split('/').find(|it| matches!(*it, "" | "." | "..")) {
        Some("") => wrong("it has two slashes in a row"),
        Some(component) => wrong(&format!("it has the component {component:?}")),
        None => Ok(()),
    }
}

/// `/COLLECTION/PATH` of a URL.
pub(crate) fn resource(collection: &str, path: &str) -> Result<String, Error> {
    check_path(path)?;
    Ok(format!("/{collection}/{}", utf8_percent_encode(path, UNRESERVED)))
}

/// `/RESOURCE?NAME=VALUE&...` of a URL.
pub(crate) fn with_parameters(resource: &str, parameters: &[(&str, &str)]) -> String {
    let mut target = resource.to_owned();
    for (name, value) in parameters {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(name);
        target.push('=');
        target.extend(utf8_percent_encode(value, PARAMETER));
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_legal_or_refused_with_the_reason_and_encoded_for_urls() {
        let longest = "x".repeat(PATH_BYTES_MAX);
        for (path, encoded) in [
            ("a", "/files/a"),
            ("a/b.txt", "/files/a/b.txt"),
            ("a b/ü?#%&+", "/files/a%20b/%C3%BC%3F%23%25%26%2B"),
            ("...", "/files/..."),
            (&longest, &format!("/files/{longest}")),
        ] {
            assert_eq!(resource("files", path).ok().as_deref(), Some(encoded));
        }
        for (path, why) in [
            ("", "empty"),
            (&"ü".repeat(513), "1026 bytes"),
            ("a\0b", "control character"),
            ("a\u{85}b", "control character"),
            ("/a", "begins or ends"),
            ("a/", "begins or ends"),
            ("a//b", "two slashes"),
            ("a/./b", "\".\""),
            ("..", "\"..\""),
        ] {
            let error = resource("files", path).expect_err(path).to_string();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(
            with_parameters("/files", &[("prefix", "a/&b"), ("limit", "5")]),
            "/files?prefix=a%2F%26b&limit=5"
        );
    }
}
