//! Virtual time.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment, counted in microseconds from the beginning of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Microseconds since the beginning.
    pub micros: u64,
}

impl Time {
    /// How long ago an earlier moment was; nothing for a later one.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Time { micros: self.micros.saturating_add(micros) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:03} ms", self.micros / 1_000, self.micros % 1_000))
    }
}
