//! Names of versions, and positions in the history.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version of a file: the node that made it, and its number among the writes of that node. In text `n0-5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// The id of the node.
    pub origin: u8,
    /// The number, from 1.
    pub sequence: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}-{}", self.origin, self.sequence)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.strip_prefix('n').and_then(|it| it.split_once('-'));
        let number = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
        let parsed = parsed.filter(|it| number(it.0) && number(it.1));
        let parsed = parsed.and_then(|it| Some((it.0.parse().ok()?, it.1.parse().ok()?)));
        match parsed {
            Some((origin, sequence)) => Ok(Version { origin, sequence }),
            None => Err(format!(
                "{text:?} is no version: expected the number of a node and of its write, such as n0-5"
            )),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl Version {
    /// As an entity tag of HTTP.
    pub(crate) fn tag(self) -> String {
        format!("\"{self}\"")
    }

    /// From an entity tag of HTTP.
    pub(crate) fn from_tag(tag: &str) -> Option<Version> {
        tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
    }
}

/// A position in the history of a cluster: a version vector such as `n0-5,n1-3`. Empty, it is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position(String);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        for part in text.split(',').filter(|_| !text.is_empty()) {
            part.parse::<Version>().map_err(|_| {
                format!(
                    "{text:?} is no position: expected versions between commas, such as n0-5,n1-3"
                )
            })?;
        }
        Ok(Position(text.to_owned()))
    }
}

impl TryFrom<String> for Position {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Position> for String {
    fn from(position: Position) -> String {
        position.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_positions_have_one_text() {
        for text in ["n0-5", "n6-18446744073709551615"] {
            assert_eq!(text.parse::<Version>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(Version::from_tag("\"n1-2\""), Some(Version { origin: 1, sequence: 2 }));
        for text in ["", "n0", "n-5", "0-5", "n0-", "n0.5", "n256-1", "n0-+5", "n0-5-6", "n0 -5"] {
            assert!(text.parse::<Version>().is_err_and(|it| it.contains("n0-5")), "{text}");
            assert_eq!(Version::from_tag(text), None);
        }
        for text in ["", "n0-5", "n0-5,n1-3"] {
            assert_eq!(text.parse::<Position>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        for text in [",", "n0-5,", "5", "n0-5;n1-3", "n0-5, n1-3"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
