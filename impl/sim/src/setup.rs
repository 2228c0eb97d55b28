//! The setup of a simulated cluster.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::time::Duration;

use steadfast_guarantees::twins::Variant;
use steadfast_protocol::{Decisions, Limits, Parameters, Settings, Steadfast};
use steadfast_store::{ContentDecisions, DefaultContentDecisions, TrimPolicy};
use steadfast_trace::{Clients, Network};

/// The parts of a simulated cluster, and their speeds.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its name in traces.
    pub name: String,
    /// N, E and W.
    pub settings: Settings,
    /// Where all random numbers come from: the same seed gives the same run.
    pub seed: u64,
    /// The protocol with one wrong decision, or as it is.
    pub variant: Option<&'static Variant>,
    /// The decisions of the contents' store: right, or with one wrong decision.
    pub content_decisions: &'static dyn ContentDecisions,
    /// How messages travel.
    pub network: Network,
    /// How long a message takes.
    pub latency: RangeInclusive<Duration>,
    /// How many bytes a direction between two nodes carries in a second: messages of a direction queue
    /// behind each other, and contents behind messages. Without it bytes of any number leave at once.
    pub link_bytes_per_s: Option<NonZeroU64>,
    /// How long a sync takes.
    pub sync: RangeInclusive<Duration>,
    /// How many records the log writes as one batch at most: a crash leaves a batch whole or not at
    /// all, and of several batches any first ones.
    pub records_per_batch: usize,
    /// How long it takes to make a received content durable.
    pub store: RangeInclusive<Duration>,
    /// How long it takes to write a checkpoint. The log goes on meanwhile.
    pub checkpoint: RangeInclusive<Duration>,
    /// How long it takes until the end of a connection hears that it began or ended.
    pub link_event: RangeInclusive<Duration>,
    /// How often a leader is heard.
    pub heartbeat: Duration,
    /// How long the election timer runs.
    pub election_timeout: RangeInclusive<Duration>,
    /// By how much nodes' clocks may run fast or slow, in parts per thousand.
    pub clock_drift_per_mille: u16,
    /// Of a thousand messages how many are lost, on a network that loses.
    pub loss_per_mille: u16,
    /// Of a thousand messages how many arrive twice, on a network that doubles.
    pub duplication_per_mille: u16,
    /// Nodes ask whether they would be elected before they ask for votes, and leaders without a
    /// quorum step down.
    pub guards_elections: bool,
    /// Nodes that trim their logs forget deletes that all nodes hold.
    pub forgets_deletes: bool,
    /// Each request has a client of its own, and makes the nodes forget all older requests.
    pub forgets_requests: bool,
    /// Bounds on replication.
    pub limits: Limits,
    /// Contents up to this length travel in the log, longer ones beside it.
    pub inline_bytes_max: usize,
    /// When nodes trim their logs by themselves, as servers do; without a policy they trim only when the run
    /// asks for it. The segments of a simulated log have 32 KiB.
    pub trim_policy: Option<TrimPolicy>,
    /// Whether every step is judged, and kept for the trace. For long runs it is too slow, and needs too much
    /// memory: then [`Simulation::violated`](crate::Simulation::violated) judges a state when it is asked.
    pub judges_steps: bool,
    /// Whether a readable timeline is kept.
    pub narrated: bool,
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |range: &RangeInclusive<Duration>| {
            let millis = |it: &Duration| it.as_secs_f64() * 1e3;
            format!("{} to {} ms", millis(range.start()), millis(range.end()))
        };
        let settings = self.settings;
        writeln!(
            f,
            "{} nodes, E={}, W={}{}",
            settings.nodes(),
            settings.elect(),
            settings.write(),
            self.variant.map_or(String::new(), |it| format!(", as {}", it.name))
        )?;
        writeln!(
            f,
            "{} network ({} of 1000 lost, {} doubled), messages take {}, news of links {}",
            self.network,
            self.loss_per_mille,
            self.duplication_per_mille,
            millis(&self.latency),
            millis(&self.link_event)
        )?;
        if let Some(speed) = self.link_bytes_per_s {
            writeln!(f, "each direction of a link carries {speed} bytes a second")?;
        }
        write!(
            f,
            "syncs take {}, storing {}, checkpoints {}, heartbeat {} ms, election timeout {}, clocks wrong by up to {}/1000",
            millis(&self.sync),
            millis(&self.store),
            millis(&self.checkpoint),
            self.heartbeat.as_secs_f64() * 1e3,
            millis(&self.election_timeout),
            self.clock_drift_per_mille
        )
    }
}

impl Setup {
    /// A cluster with these settings, in one data centre: messages take 0.2 to 1 ms, syncs 1 to 3.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Setup {
        let millis = Duration::from_millis;
        Setup {
            name: "simulation".to_owned(),
            settings,
            seed,
            variant: None,
            content_decisions: &DefaultContentDecisions,
            network: Network::Fifo,
            latency: Duration::from_micros(200)..=millis(1),
            link_bytes_per_s: None,
            sync: millis(1)..=millis(3),
            records_per_batch: usize::MAX,
            store: Duration::from_micros(100)..=millis(1),
            checkpoint: millis(2)..=millis(40),
            link_event: millis(1)..=millis(20),
            heartbeat: millis(50),
            election_timeout: millis(150)..=millis(300),
            clock_drift_per_mille: 0,
            loss_per_mille: 0,
            duplication_per_mille: 0,
            guards_elections: true,
            forgets_deletes: false,
            forgets_requests: false,
            limits: Limits::default(),
            inline_bytes_max: 64,
            trim_policy: None,
            judges_steps: true,
            narrated: true,
        }
    }

    pub(crate) fn clients(&self) -> Clients {
        Clients { forgets_requests: self.forgets_requests }
    }

    pub(crate) fn parameters(&self) -> Parameters {
        Parameters {
            retransmits: self.network != Network::Fifo,
            guards_elections: self.guards_elections,
            forgets_deletes: self.forgets_deletes,
            limits: self.limits,
        }
    }

    pub(crate) fn decisions(&self) -> &'static dyn Decisions {
        self.variant.map_or(&Steadfast as &dyn Decisions, |variant| variant.decisions)
    }
}
