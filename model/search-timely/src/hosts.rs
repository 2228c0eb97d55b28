//! The file that names the machines of a search.

/// The largest number of processes that share a search.
pub const PROCESSES_MAX: usize = 256;

/// The reason why a text does not name the machines of a search. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostsError {
    /// A line is no address.
    #[error("line {line}: {text:?} is no address: write HOST:PORT, as 10.0.0.1:7000")]
    NoAddress {
        /// The line.
        line: usize,
        /// Its text.
        text: String,
    },
    /// Two lines are the same address.
    #[error("line {line}: {text} also stands in line {first}: each process needs its own address")]
    Twice {
        /// The line.
        line: usize,
        /// The address.
        text: String,
        /// The line that it first stands in.
        first: usize,
    },
    /// There are fewer than two addresses, or too many.
    #[error("{0} addresses: a search is shared by 2 to {PROCESSES_MAX} processes, a line for each")]
    Count(usize),
}

/// The addresses that a text names, one in each line. Empty lines and what follows a `#` are left
/// out.
///
/// # Errors
///
/// [`HostsError`], with the number of the line that is wrong.
pub fn hosts(text: &str) -> Result<Vec<String>, HostsError> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        if !is_address(text) {
            return Err(HostsError::NoAddress { line, text: text.chars().take(100).collect() });
        }
        if let Some((first, _)) = found.iter().find(|it| it.1 == text) {
            return Err(HostsError::Twice { line, text: text.to_owned(), first: *first });
        }
        found.push((line, text));
    }
    match found.len() {
        2..=PROCESSES_MAX => Ok(found.into_iter().map(|it| it.1.to_owned()).collect()),
        count => Err(HostsError::Count(count)),
    }
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_named = host.chars().all(|it| it.is_ascii_alphanumeric() || ".-_".contains(it));
    let bracketed = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_host = bracketed
        .map_or(is_named && !host.is_empty(), |it| it.parse::<std::net::Ipv6Addr>().is_ok());
    is_host
        && port.bytes().all(|it| it.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|it| it > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_left_out() {
        let text = "# two machines\n10.0.0.1:7000 # the first\n\n  [::1]:7001\nnode-3.local:7000\n";
        assert_eq!(
            hosts(text),
            Ok(["10.0.0.1:7000", "[::1]:7001", "node-3.local:7000"].map(Into::into).into())
        );
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number() {
        for wrong in [
            "host",
            "host:",
            ":7000",
            "host:0",
            "host:70000",
            "host:+1",
            "a b:1",
            "[::g]:1",
            "::1:80",
        ] {
            let text = format!("# hosts\n10.0.0.1:7000\n{wrong}\n");
            let error = hosts(&text).expect_err(wrong);
            assert_eq!(error, HostsError::NoAddress { line: 3, text: wrong.into() });
            assert!(error.to_string().starts_with("line 3: "), "{error}");
        }
        let error = hosts("a:1\nb:1\n\na:1").expect_err("twice");
        assert_eq!(
            error.to_string(),
            "line 4: a:1 also stands in line 1: each process needs its own address"
        );
        assert_eq!(hosts("a:1\n"), Err(HostsError::Count(1)));
        assert_eq!(hosts(""), Err(HostsError::Count(0)));
    }
}
