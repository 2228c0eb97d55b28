//! A run as lines of text.

use std::fmt;

use steadfast_protocol::NodeId;

use crate::Time;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The moment at which it happened.
    pub time: Time,
    /// The node that it happened to; `None` for the network.
    pub who: Option<NodeId>,
    /// The happening in words.
    pub what: String,
}

/// The lines of a run, in order.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    lines: Vec<Line>,
}

impl Timeline {
    pub(crate) fn say(&mut self, time: Time, who: Option<NodeId>, what: String) {
        self.lines.push(Line { time, who, what });
    }

    /// All lines so far.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.map_or("--".to_owned(), |it| it.to_string());
        write!(f, "{:>12}  {who:<3} {}", self.time, self.what)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let unit = if bytes < 10_000 { 0 } else { (bytes.ilog2() / 10).min(3) };
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    let point = if unit == 0 { String::new() } else { format!(".{}", tenths % 10) };
    format!("{}{point} {}", tenths / 10, UNITS[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits_and_short_ones_exactly() {
        let told = [0, 9_999, 10_240, 15_000, 8 << 20, (1 << 30) + 1, 11 << 40].map(size);
        let expected =
            ["0 B", "9999 B", "10.0 KiB", "14.6 KiB", "8.0 MiB", "1.0 GiB", "11264.0 GiB"];
        assert_eq!(told, expected);
    }
}
