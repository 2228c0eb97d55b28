//! Addresses of nodes.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address that others connect to: `HOST:PORT`, where HOST is a DNS name, an IPv4 address, or an IPv6
/// address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// Without brackets, in lower case.
    host: String,
    port: u16,
}

/// The longest DNS name.
const HOST_LENGTH_MAX: usize = 253;

impl Address {
    /// The host, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, never 0.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as an IP address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no address: expected HOST:PORT, such as node-a.example.org:7400, 10.0.0.1:7400 or [::1]:7400"
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|it| *it != 0).ok_or_else(wrong)?;
        let bracketed = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let host = match bracketed {
            Some(inner) => inner.parse::<Ipv6Addr>().map_err(|_| wrong())?.to_string(),
            None => host.to_ascii_lowercase(),
        };
        if bracketed.is_none() && !is_host(&host) {
            return Err(wrong());
        }
        Ok(Address { host, port })
    }
}

/// Whether a text is a DNS name or an IPv4 address.
fn is_host(text: &str) -> bool {
    let is_label = |it: &str| {
        (1..=63).contains(&it.len())
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
            && !it.starts_with('-')
            && !it.ends_with('-')
    };
    // A last label of digits makes it an IPv4 address, or a mistake in one.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|it| it.is_ascii_digit());
    text.len() <= HOST_LENGTH_MAX
        && text.split('.').all(is_label)
        && (!is_number || text.parse::<IpAddr>().is_ok())
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port_and_one_text() {
        for text in ["localhost:1", "a-b.example.org:65535", "10.0.0.1:7400", "[::1]:7400"] {
            assert_eq!(text.parse::<Address>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        let address: Address = "[2001:DB8:0:0::1]:80".parse().expect("an address");
        assert_eq!((address.host(), address.port()), ("2001:db8::1", 80));
        assert_eq!("Example.ORG:80".parse::<Address>().map(|it| it.host), Ok("example.org".into()));
        for text in [
            "",
            ":",
            "a",
            "a:",
            ":80",
            "a:0",
            "a:65536",
            "a:-1",
            "a b:80",
            "::1:80",
            "[::1]",
            "[::1:80",
            "[x]:80",
            "a..b:80",
            "https://a:80",
            "a/b:80",
            "1.2.3:80",
            "1.2.3.256:80",
            "-a:80",
            "a:80:90",
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.contains("HOST:PORT"), "{error}");
        }
    }
}
