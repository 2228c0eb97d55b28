//! The id of a cluster and the names of nodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a cluster: 16 random bytes, in text 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId(pub [u8; 16]);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ClusterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(format!("{text:?} is no cluster id: expected 32 hexadecimal digits"));
        }
        let mut id = [0; 16];
        for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|it| it.to_string())?;
        }
        Ok(ClusterId(id))
    }
}

impl TryFrom<String> for ClusterId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> String {
        id.to_string()
    }
}

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
    fn ids_and_names_are_parsed_once_and_refused_with_the_accepted_form() {
        let id = ClusterId(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "00", "zz23456789abcdef0123456789abcdef", &"é".repeat(16)] {
            let error = text.parse::<ClusterId>().expect_err(text);
            assert!(error.contains("32 hexadecimal digits"), "{error}");
        }
        for text in ["a", "n0", "eu-west-1", &"x".repeat(32)] {
            assert_eq!(text.parse::<NodeName>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "A", "-a", "a-", "a.b", "..", "a/b", "ü", &"x".repeat(33), "client"] {
            assert!(text.parse::<NodeName>().is_err(), "{text}");
        }
    }
}
