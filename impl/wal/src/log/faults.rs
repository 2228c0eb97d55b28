//! Faults that the tests of the interleavings plant. The log as it is built has none of them.

/// Whether this fault is planted.
#[cfg(not(test))]
macro_rules! planted {
    ($fault:ident) => {
        false
    };
}

#[cfg(test)]
macro_rules! planted {
    ($fault:ident) => {
        crate::log::faults::PLANTED.get() == Some(crate::log::faults::Fault::$fault)
    };
}

pub(super) use planted;

/// A fault that must be caught.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A ring does not count, so that a thread that is about to sleep misses it.
    RingUncounted,
    /// A woken thread wakes no other.
    BrokenChain,
    /// Threads that wait for a batch learn that it is durable before it is synced.
    RungBeforeSync,
    /// The next batch is handed out while the one before is on its way.
    RoleReleasedEarly,
    /// That a thread waits for the gathering batch is not noted.
    WaiterUnseen,
    /// Appends that wait for room are not woken.
    RoomUntold,
    /// A thread that wrote a batch does not wake the writer for the next.
    WriterAsleep,
    /// A reader that misses a segment does not wait for the checkpoint that may have given it up.
    CheckpointUnawaited,
}

#[cfg(test)]
thread_local! {
    /// The planted fault. All threads of a model run on one thread of the system.
    pub(super) static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}
