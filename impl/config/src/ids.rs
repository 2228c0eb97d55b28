//! The names of nodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a node, so that `NAME.node.steadfast` is a DNS name.
const NAME_LENGTH_MAX: usize = 32;

/// The name of a node: 1 to 32 lower-case letters, digits and hyphens, beginning and ending with a letter or
/// digit. It is a label of a DNS name and the name of a directory. `client` is reserved for the directory of
/// the client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_inner = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        let fits = (1..=NAME_LENGTH_MAX).contains(&text.len())
            && text.chars().all(is_inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if !fits {
            return Err(format!(
                "{text:?} is no name of a node: expected 1 to {NAME_LENGTH_MAX} lower-case letters, digits and inner hyphens"
            ));
        }
        if text == "client" {
            return Err("a node cannot be named client, as the directory of the client is".into());
        }
        Ok(NodeName(text.to_owned()))
    }
}

impl TryFrom<String> for NodeName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_once_and_refused_if_they_are_no_labels() {
        for text in ["a", "n0", "eu-west-1", &"x".repeat(32)] {
            assert_eq!(text.parse::<NodeName>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "A", "-a", "a-", "a.b", "..", "a/b", "ü", &"x".repeat(33), "client"] {
            assert!(text.parse::<NodeName>().is_err(), "{text}");
        }
    }
}
