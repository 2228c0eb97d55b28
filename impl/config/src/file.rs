//! Reading files of bounded length, and TOML with the place of a mistake.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::ConfigError;

/// The longest configuration, certificate or key that is read. Those that `init` makes have a few KiB.
const LENGTH_MAX: u64 = 1 << 20;

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LENGTH_MAX + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => failed(io::Error::other("it is not UTF-8 text")),
        _ => failed(error),
    })?;
    if text.len() as u64 > LENGTH_MAX {
        return Err(ConfigError::TooLong { path: path.to_owned(), limit: LENGTH_MAX });
    }
    Ok(text)
}

/// A TOML file.
pub(crate) fn toml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = text(path)?;
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |it| it.start).min(text.len());
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|it| **it == b'\n').count();
        let message = format!("line {line}: {}", error.message().replace('\n', "; "));
        ConfigError::Parse { path: path.to_owned(), message }
    })
}
