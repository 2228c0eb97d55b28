//! What the tests of the interleavings do wrong on purpose. The log as it is built has none of it.

/// Whether the log is to do this wrongly.
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

/// Something that is done wrongly.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A ring does not count, so that one who is about to fall asleep misses it.
    RingUncounted,
    /// Whoever is woken wakes nobody else.
    BrokenChain,
    /// Those who wait for a batch are told that it is durable before it is synced.
    RungBeforeSync,
    /// The next batch is handed out while the one before is on its way.
    RoleReleasedEarly,
    /// Nobody notes that a thread waits for the batch that gathers.
    WaiterUnseen,
    /// Appends that wait for room do not hear of it.
    RoomUntold,
    /// A thread that wrote a batch does not wake the writer for the next.
    WriterAsleep,
}

#[cfg(test)]
thread_local! {
    /// What is done wrongly. All threads of a model run on one of the system.
    pub(super) static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}
