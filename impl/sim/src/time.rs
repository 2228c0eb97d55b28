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
    /// The time that has passed since an earlier moment; zero since a later one.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

/// The latest moment there is when the sum would be later: `u64::MAX` microseconds are half a million
/// years, which no run reaches, and a wait that long is a wait without end.
impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time { micros: self.micros.saturating_add(micros(duration)) }
    }
}

/// A duration in whole microseconds; `u64::MAX` for a longer one, which never ends.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:03} ms", self.micros / 1_000, self.micros % 1_000))
    }
}
