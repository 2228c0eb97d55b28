//! The two timers of a node.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

/// When the election timer and the heartbeat timer run out.
#[derive(Debug)]
pub(crate) struct Timers {
    election_timeout: Duration,
    heartbeat_interval: Duration,
    /// When the election timer runs out.
    pub election: Instant,
    /// When the heartbeat timer runs out.
    pub heartbeat: Instant,
}

impl Timers {
    /// Both timers, started now.
    pub(crate) fn start(election_timeout: Duration, heartbeat_interval: Duration) -> Timers {
        let now = Instant::now();
        let (election, heartbeat) = (now, now + heartbeat_interval);
        let mut timers = Timers { election_timeout, heartbeat_interval, election, heartbeat };
        timers.restart_election();
        timers
    }

    /// Starts the election timer again, with a length between the election timeout and twice of it, drawn at
    /// random so that two nodes rarely become candidates together.
    pub(crate) fn restart_election(&mut self) {
        let factor = rand::rng().random_range(1.0..2.0);
        self.election = Instant::now() + self.election_timeout.mul_f64(factor);
    }

    /// Starts the heartbeat timer again. Heartbeats that the node was too slow for are left out.
    pub(crate) fn restart_heartbeat(&mut self) {
        self.heartbeat = Instant::now() + self.heartbeat_interval;
    }
}
