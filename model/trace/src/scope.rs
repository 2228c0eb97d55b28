//! Scopes: named sets of bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use steadfast_protocol::{Content, ContentId, Limits, Parameters, Path, Settings};
use thiserror::Error;

use crate::step::path_name;
use crate::{Clients, Cut};

/// How often each thing that is not progress may happen. Deliveries, syncs, link events, heals and
/// recoveries are not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Client writes of any kind.
    pub writes: u32,
    /// How many of the writes may delete.
    pub deletes: u32,
    /// How many of the writes may resolve a conflict, or restore a version.
    pub resolves: u32,
    /// How many requests may be sent again with the same id.
    pub retries: u32,
    /// Linearizable reads.
    pub reads: u32,
    /// Stale reads.
    pub stale_reads: u32,
    /// Crashes of one node.
    pub crashes: u32,
    /// Cuts.
    pub partitions: u32,
    /// Election timeouts.
    pub elections: u32,
    /// Files that are written.
    pub paths: u32,
    /// Copies of a content that go bad.
    pub rot: u32,
    /// Heartbeats.
    pub ticks: u32,
    /// Messages that are lost one by one.
    pub drops: u32,
    /// Messages that arrive twice.
    pub duplicates: u32,
    /// Logs that lose synced records while their node is down.
    pub rollbacks: u32,
    /// Copies of a content that are gone when their node starts again.
    pub lost_contents: u32,
    /// Logs that are trimmed.
    pub trims: u32,
    /// Logs that are lost and replaced by one that is made from those of all other nodes.
    pub replacements: u32,
}

impl Bounds {
    /// Whether a client may write or read.
    #[must_use]
    pub fn lets_clients_ask(&self) -> bool {
        self.writes > 0 || self.reads > 0 || self.stale_reads > 0
    }
}

/// How messages travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// In order between any two nodes, as TCP does.
    #[default]
    Fifo,
    /// In any order.
    Unordered,
    /// In any order, some lost and some twice, within the bounds.
    Lossy,
}

/// The names of all networks.
pub const NETWORKS: [&str; 3] = ["fifo", "unordered", "lossy"];

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NETWORKS[*self as usize])
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "fifo" => Ok(Network::Fifo),
            "unordered" => Ok(Network::Unordered),
            "lossy" => Ok(Network::Lossy),
            _ => Err(format!(
                "no network is called {name:?}: valid networks: {}",
                NETWORKS.join(", ")
            )),
        }
    }
}

/// How a run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Node 0 leads and everybody has promised its epoch.
    #[default]
    Led,
    /// Nobody has promised anything.
    Cold,
}

/// The scope of a run: settings, bounds, and rules of the surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// N, E and W.
    pub settings: Settings,
    /// How often each kind of event may happen.
    pub bounds: Bounds,
    /// How messages travel.
    #[serde(default)]
    pub network: Network,
    /// How the run begins.
    #[serde(default)]
    pub start: Start,
    /// The two ends of a connection hear of its begin and end at different times.
    #[serde(default)]
    pub link_events_apart: bool,
    /// Cuts may also lose one direction only.
    #[serde(default)]
    pub one_way_cuts: bool,
    /// Besides splits, cuts may lose up to this many links between two nodes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_links: u32,
    /// The log goes on while earlier records are being synced, and syncs end one by one.
    #[serde(default)]
    pub pipelined_syncs: bool,
    /// Writes name contents that are stored beside the log and travel as payloads.
    #[serde(default)]
    pub named_contents: bool,
    /// Nodes ask whether they would be elected before they ask for votes, and leaders without a
    /// quorum step down ([`Parameters::guards_elections`]).
    #[serde(default)]
    pub guards_elections: bool,
    /// Nodes that trim their logs forget deletes that all nodes hold ([`Parameters::forgets_deletes`]).
    #[serde(default, skip_serializing_if = "is_default")]
    pub forgets_deletes: bool,
    /// Each request has a client of its own, which names a Lamport counter beyond the time for which nodes remember
    /// requests ([`REMEMBERED`](steadfast_protocol::REMEMBERED)), so that the nodes forget all older ones.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forgets_requests: bool,
    /// Each start of a node is an incarnation of its own, as on real nodes. Otherwise only a start after a loss of synced
    /// records is another one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub own_incarnations: bool,
    /// Bounds on replication.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// The names of files and contents, in a run on real ones.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub names: Names,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The names of the files and contents of a run, where they are not made up from numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The files, by number.
    pub paths: Vec<Path>,
    /// The contents that were put, by the number of the request.
    pub contents: BTreeMap<u64, Content>,
}

impl Names {
    /// Whether everything is called by its number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.contents.is_empty()
    }
}

/// Bounds that no run can have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BoundsError {
    /// Writes without a path to write to, or more paths than there are names for.
    #[error("{0} paths: there must be 1 to {max}", max = Scope::PATHS_MAX)]
    Paths(u32),
    /// Messages can be lost or doubled one by one only on the lossy network.
    #[error("{what} = {count}: only the lossy network does that, this is the {network} one")]
    NotLossy {
        /// The bound.
        what: &'static str,
        /// Its value.
        count: u32,
        /// The network of the scope.
        network: Network,
    },
    /// The lost log may hold the only copy of an acknowledged write.
    #[error(
        "replacements = {count} with W = 1: a write that the lost node has acknowledged alone is lost with it, so \
         replacements need W of 2 or more"
    )]
    AcknowledgedAlone {
        /// The replacements.
        count: u32,
    },
    /// A part of the scope allows nothing, because something else is missing.
    #[error("{what} has no effect here: it needs {needs}")]
    NoEffect {
        /// The part.
        what: &'static str,
        /// What is missing.
        needs: &'static str,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Scope {
    /// The largest number of paths.
    pub const PATHS_MAX: u32 = 1_000;

    /// A scope of this name and these bounds, with everything else as by default.
    #[must_use]
    pub fn new(name: impl Into<String>, settings: Settings, bounds: Bounds) -> Scope {
        Scope {
            name: name.into(),
            settings,
            bounds,
            network: Network::default(),
            start: Start::default(),
            link_events_apart: false,
            one_way_cuts: false,
            lost_links: 0,
            pipelined_syncs: false,
            named_contents: false,
            guards_elections: false,
            forgets_deletes: false,
            forgets_requests: false,
            own_incarnations: false,
            limits: Limits::default(),
            names: Names::default(),
        }
    }

    /// The parameters that the nodes are started with.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        Parameters {
            retransmits: self.network != Network::Fifo,
            guards_elections: self.guards_elections,
            forgets_deletes: self.forgets_deletes,
            limits: self.limits,
        }
    }

    /// The clients of the run.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients { forgets_requests: self.forgets_requests }
    }

    /// Whether the order in which clients ask and hear matters: a client reads, or hears of deletes
    /// and restores in a way that only one order explains.
    #[must_use]
    pub fn judges_order(&self) -> bool {
        let Bounds { reads, deletes, resolves, .. } = self.bounds;
        reads > 0 || (self.settings.is_consistent() && (deletes > 0 || resolves > 0))
    }

    /// Whether a node may get state instead of entries: logs are trimmed or replaced, or lose the content of a
    /// replaced entry.
    #[must_use]
    pub fn may_drop_entries(&self) -> bool {
        let Bounds { trims, rot, lost_contents, replacements, .. } = self.bounds;
        trims > 0 || rot > 0 || lost_contents > 0 || replacements > 0
    }

    /// A path by its number.
    #[must_use]
    pub fn path(&self, number: u32) -> Path {
        let named = self.names.paths.get(number as usize).cloned();
        named.unwrap_or_else(|| Path::new(path_name(number)))
    }

    /// The content that a request puts.
    #[must_use]
    pub fn content(&self, request: u64) -> Content {
        let named = self.names.contents.get(&request).cloned();
        named.unwrap_or_else(|| match self.named_contents {
            true => {
                let number = request.wrapping_add(1).to_le_bytes();
                Content::Named(ContentId(std::array::from_fn(|at| number[at % number.len()])))
            }
            false => Content::Inline(format!("v{request}").into_bytes().into()),
        })
    }

    /// Whether a cut is one of those that the scope has.
    #[must_use]
    pub fn has_cut(&self, cut: Cut) -> bool {
        let nodes = self.settings.nodes();
        Cut::of(cut.lost(nodes), nodes) == Some(cut)
            && (self.one_way_cuts || !cut.is_one_way())
            && cut.lost_links() <= self.lost_links
    }

    /// Checks that every part of the scope allows something. A search within a part that allows nothing
    /// passes, and shows nothing.
    ///
    /// # Errors
    /// Names the part, and what it needs.
    pub fn check_effects(&self) -> Result<(), BoundsError> {
        let Bounds { writes, reads, stale_reads, crashes, partitions, elections, .. } = self.bounds;
        let bounds = self.bounds;
        let asks = writes > 0 || reads > 0 || stale_reads > 0;
        let rules = [
            ("a cold start", self.start == Start::Cold, elections > 0, "elections"),
            ("deletes", bounds.deletes > 0, writes > 0, "writes"),
            ("a delete beyond the writes", bounds.deletes > writes, false, "more writes"),
            // One write makes the version that another one restores.
            ("resolves", bounds.resolves > 0, writes > 1, "two writes"),
            ("resolves beyond the writes", bounds.resolves > writes, false, "more writes"),
            ("retries", bounds.retries > 0, writes > 0, "writes"),
            ("paths above 1", bounds.paths > 1, asks, "writes or reads"),
            ("named_contents", self.named_contents, writes > 0, "writes"),
            ("rot", bounds.rot > 0, self.named_contents, "named_contents"),
            ("lost_contents", bounds.lost_contents > 0, self.named_contents, "named_contents"),
            ("lost_contents", bounds.lost_contents > 0, crashes > 0, "crashes"),
            ("rollbacks", bounds.rollbacks > 0, crashes > 0, "crashes"),
            ("trims", bounds.trims > 0, writes > 0, "writes"),
            ("replacements", bounds.replacements > 0, elections > 0, "elections"),
            ("partitions", partitions > 0, self.settings.nodes() > 1, "two nodes"),
            ("link_events_apart", self.link_events_apart, self.settings.nodes() > 1, "two nodes"),
            ("one_way_cuts", self.one_way_cuts, partitions > 0, "partitions"),
            ("lost_links", self.lost_links > 0, partitions > 0, "partitions"),
            ("lost_links", self.lost_links > 0, self.settings.nodes() > 2, "three nodes"),
            (
                "a limit of payloads",
                self.limits.payloads != Limits::default().payloads,
                self.named_contents,
                "named_contents",
            ),
            (
                "link_events_apart",
                self.link_events_apart,
                partitions > 0 || crashes > 0,
                "partitions or crashes",
            ),
            ("guards_elections", self.guards_elections, elections > 0, "elections"),
            ("forgets_deletes", self.forgets_deletes, bounds.deletes > 0, "deletes"),
            ("forgets_deletes", self.forgets_deletes, bounds.trims > 0, "trims"),
            ("forgets_requests", self.forgets_requests, writes > 1, "two writes"),
            ("forgets_requests", self.forgets_requests, bounds.retries > 0, "retries"),
            ("own_incarnations", self.own_incarnations, crashes > 0, "crashes"),
        ];
        let idle = rules.into_iter().find(|(_, is_asked, has_needs, _)| *is_asked && !has_needs);
        idle.map_or(Ok(()), |(what, _, _, needs)| Err(BoundsError::NoEffect { what, needs }))
    }

    /// Checks the rules that the types do not express.
    ///
    /// # Errors
    /// Names the bound that is impossible.
    pub fn validate(&self) -> Result<(), BoundsError> {
        let bounds = self.bounds;
        if !(1..=Self::PATHS_MAX).contains(&bounds.paths) {
            return Err(BoundsError::Paths(bounds.paths));
        }
        if bounds.replacements > 0 && self.settings.write() == 1 {
            return Err(BoundsError::AcknowledgedAlone { count: bounds.replacements });
        }
        let network = self.network;
        let lossy = [("drops", bounds.drops), ("duplicates", bounds.duplicates)];
        match lossy.into_iter().find(|(_, count)| *count > 0 && network != Network::Lossy) {
            Some((what, count)) => Err(BoundsError::NotLossy { what, count, network }),
            None => Ok(()),
        }
    }
}
