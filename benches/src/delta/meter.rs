//! CPU time and memory of this process and of its children.

use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::peer_error::PeerError;
use crate::usage;

/// The CPU time of a measured step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent(Duration);

impl Spent {
    /// Millions of bytes per second, for this many bytes.
    pub(super) fn mb_s(self, bytes: u64) -> f64 {
        bytes as f64 / 1e6 / self.0.as_secs_f64().max(1e-6)
    }

    /// Two steps, one after the other.
    pub(super) fn and(self, other: Spent) -> Spent {
        Spent(self.0 + other.0)
    }
}

/// A quick step is repeated this number of times, or until all repeats took a second. With five repeats
/// the least of them still differed by a quarter from run to run.
const REPEATS_MAX: u32 = 25;
/// A slow step is repeated, too: where memory comes from a host, the first repeat waits for it, and
/// the second may get other memory.
const REPEATS_MIN: u32 = 5;
/// A step with a preparation each time takes long.
const REPEATS_PREPARED_MAX: u32 = 5;
const REPEAT_UNTIL: Duration = Duration::from_secs(1);
/// A step that takes longer is done once.
const REPEAT_NEVER: Duration = Duration::from_secs(5);

/// The least CPU time that a step in this process took, and its last result.
pub(super) fn measure<T>(
    step: impl FnMut() -> Result<T, PeerError>,
) -> Result<(Spent, T), PeerError> {
    repeat(UsageWho::RUSAGE_SELF, step)
}

/// The same for a step that waits for commands.
pub(super) fn measure_commands<T>(
    step: impl FnMut() -> Result<T, PeerError>,
) -> Result<(Spent, T), PeerError> {
    repeat(UsageWho::RUSAGE_CHILDREN, step)
}

/// As [`measure`], with something to be prepared for each time that is not measured.
pub(super) fn measure_prepared<P, T>(
    prepare: impl FnMut() -> Result<P, PeerError>,
    step: impl FnMut(P) -> Result<T, PeerError>,
) -> Result<(Spent, T), PeerError> {
    repeat_prepared(UsageWho::RUSAGE_SELF, REPEATS_PREPARED_MAX, prepare, step)
}

fn repeat<T>(
    who: UsageWho,
    mut step: impl FnMut() -> Result<T, PeerError>,
) -> Result<(Spent, T), PeerError> {
    repeat_prepared(who, REPEATS_MAX, || Ok(()), |()| step())
}

fn repeat_prepared<P, T>(
    who: UsageWho,
    repeats_max: u32,
    mut prepare: impl FnMut() -> Result<P, PeerError>,
    mut step: impl FnMut(P) -> Result<T, PeerError>,
) -> Result<(Spent, T), PeerError> {
    let (mut least, mut all) = (Duration::MAX, Duration::ZERO);
    let mut repeats = 0;
    loop {
        let prepared = prepare()?;
        let before = cpu_time(&getrusage(who)?);
        let result = step(prepared)?;
        let spent = cpu_time(&getrusage(who)?).saturating_sub(before);
        least = least.min(spent);
        all += spent;
        repeats += 1;
        let enough = repeats == repeats_max || (repeats >= REPEATS_MIN && all > REPEAT_UNTIL);
        if enough || all > REPEAT_NEVER {
            return Ok((Spent(least), result));
        }
    }
}

fn cpu_time(usage: &Usage) -> Duration {
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(microseconds.unsigned_abs())
}

/// The most memory this process has had since it began to run its program, in bytes.
pub(super) fn peak_of_self() -> Result<u64, PeerError> {
    let peak = usage::peak_rss_bytes();
    peak.ok_or_else(|| PeerError::Failed("the system does not say how much memory is used".into()))
}

/// The most memory any one command has had that this process waited for, in bytes. Not below what
/// this process itself has had.
pub(super) fn peak_of_commands() -> Result<u64, PeerError> {
    Ok(usage::peak_rss_bytes_of_children()?)
}
