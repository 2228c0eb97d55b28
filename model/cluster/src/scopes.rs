//! The shipped scopes.

use std::num::NonZeroU32;

use steadfast_protocol::{Limits, Settings};
use steadfast_trace::{Bounds, Network, Scope, Start};

/// When a scope is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// By `check` without arguments.
    Default,
    /// By `check deep`: minutes to an hour.
    Deep,
    /// By the matrix and by twins.
    Support,
}

/// A shipped scope.
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// Its purpose.
    pub about: &'static str,
    /// When it is searched.
    pub tier: Tier,
    /// The witnesses that a search must reach; without them its passing proves nothing.
    pub witnesses: &'static [&'static str],
    build: fn(&str) -> Scope,
}

impl Shipped {
    /// The scope itself.
    #[must_use]
    pub fn scope(&self) -> Scope {
        (self.build)(self.name)
    }
}

/// The shipped scope of this name.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|it| it.name == name)
}

const NOTHING: Bounds = Bounds {
    writes: 0,
    deletes: 0,
    resolves: 0,
    retries: 0,
    reads: 0,
    stale_reads: 0,
    crashes: 0,
    partitions: 0,
    elections: 0,
    paths: 1,
    rot: 0,
    ticks: 0,
    drops: 0,
    duplicates: 0,
    rollbacks: 0,
    lost_contents: 0,
    trims: 0,
    replacements: 0,
};

/// A scope with (N, E, W) in which a disk is lost.
fn replaced(name: &str, (nodes, elect, write): (u8, u8, u8), bounds: Bounds) -> Scope {
    let settings = Settings::new(nodes, elect, write);
    let settings = settings.unwrap_or_else(|error| unreachable!("{error}"));
    Scope::new(name, settings, Bounds { replacements: 1, ..bounds })
}

/// Limits of this many entries per message, and this many under way to one peer.
fn narrow(entries: u32, window: u32) -> Limits {
    let limit = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    Limits { entries: limit(entries), window: limit(window), ..Limits::default() }
}

fn scope(name: &str, elect: u8, write: u8, bounds: Bounds) -> Scope {
    let settings = Settings::new(3, elect, write);
    Scope::new(name, settings.unwrap_or_else(|error| unreachable!("{error}")), bounds)
}

macro_rules! scopes {
    ($($name:literal $tier:ident $about:literal [$($witness:literal),* $(,)?] $build:expr;)*) => {
        /// All shipped scopes.
        pub static SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            about: $about,
            tier: Tier::$tier,
            witnesses: &[$($witness),*],
            build: $build,
        }),*];
    };
}

scopes! {
    "replicate" Default "E2W2: one write through a crash, a cut and an election"
        ["write-acknowledged", "leader-change", "crash-loses-tail", "crash-keeps-tail",
         "crash-keeps-part", "crash-tears-record", "deposed-leader-believes", "entry-learned",
         "converged", "outcome-unknown"]
        |name| scope(name, 2, 2, Bounds { writes: 1, crashes: 1, partitions: 1, elections: 1, ..NOTHING });
    "available" Default "E1W1: two writes on two sides of a cut"
        ["split-brain", "conflict-converged", "leader-change", "write-acknowledged"]
        |name| scope(name, 1, 1, Bounds { writes: 2, partitions: 1, elections: 1, ..NOTHING });
    "available-crash" Default "E1W1: a crash between two writes"
        ["crash-loses-tail", "crash-keeps-tail", "write-acknowledged"]
        |name| scope(name, 1, 1, Bounds { writes: 2, crashes: 1, elections: 1, ..NOTHING });
    "incarnations" Default "two nodes, E1W1: crashes and a trim between two writes, and each start is an incarnation of its own"
        ["crash-loses-tail", "crash-keeps-tail", "write-acknowledged", "log-trimmed", "state-joined"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, crashes: 2, elections: 1, trims: 1, ..NOTHING };
            Scope { own_incarnations: true, ..Scope::new(name, settings, bounds) }
        };
    "reads" Default "E2W2: a write and a read through an election"
        ["read-answered", "read-unanswerable", "leader-change", "deposed-leader-believes"]
        |name| scope(name, 2, 2, Bounds { writes: 1, reads: 1, elections: 1, ..NOTHING });
    "refusals" Default "E2W2: a write and a delete, which may find nothing, through an election"
        ["refusal-unanswerable", "leader-change", "deposed-leader-believes", "delete-converged"]
        |name| scope(name, 2, 2, Bounds { writes: 2, deletes: 1, elections: 1, ..NOTHING });
    "stale-reads" Default "E2W2: a write and two stale reads through a crash"
        ["write-acknowledged", "stale-read-behind", "crash-loses-tail"]
        |name| scope(name, 2, 2, Bounds { writes: 1, stale_reads: 2, crashes: 1, ..NOTHING });
    "two-reads" Default "E2W2: a write and two reads through an election"
        ["read-answered", "read-unanswerable", "leader-change"]
        |name| scope(name, 2, 2, Bounds { writes: 1, reads: 2, elections: 1, ..NOTHING });
    "linearizable" Default "E2W2: a write and a read through a cut and an election"
        ["read-answered", "read-unanswerable", "leader-change", "deposed-leader-believes"]
        |name| scope(name, 2, 2, Bounds { writes: 1, reads: 1, partitions: 1, elections: 1, ..NOTHING });
    "elections" Default "E2W2: two candidates of one round, from nothing, with a write and a read"
        ["first-leader", "read-answered"]
        |name| Scope { start: Start::Cold, ..scope(name, 2, 2, Bounds { writes: 1, reads: 1, elections: 2, ..NOTHING }) };
    "cold" Default "E2W2: from nothing, with a crash and a cut"
        ["first-leader", "write-acknowledged", "crash-loses-tail"]
        |name| Scope { start: Start::Cold, ..scope(name, 2, 2, Bounds { writes: 1, crashes: 1, partitions: 1, elections: 1, ..NOTHING }) };
    "votes" Default "E2W2: two candidatures, from nothing"
        ["first-leader", "leader-change"]
        |name| Scope { start: Start::Cold, ..scope(name, 2, 2, Bounds { elections: 2, ..NOTHING }) };
    "votes-3" Deep "E2W2: three candidatures, from nothing"
        ["first-leader", "leader-change"]
        |name| Scope { start: Start::Cold, ..scope(name, 2, 2, Bounds { elections: 3, ..NOTHING }) };
    "doubled-votes" Default "E3W1: two candidatures on a network that loses and doubles"
        ["first-leader", "message-doubled"]
        |name| Scope { start: Start::Cold, network: Network::Lossy, ..scope(name, 3, 1, Bounds { elections: 1, drops: 1, duplicates: 1, ..NOTHING }) };
    "rejected" Default "two nodes, E2W2: a leader that has missed two candidatures"
        ["deposed-leader-believes", "leader-change"]
        |name| {
            let settings = Settings::new(2, 2, 2).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { crashes: 1, elections: 2, ..NOTHING })
        };
    "deletes" Default "two nodes, E1W1: a delete on one side of a cut, with a crash"
        ["delete-converged", "conflict-converged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, deletes: 1, crashes: 1, partitions: 1, elections: 1, ..NOTHING })
        };
    "deletes-3" Deep "E1W1: a delete on one side of a cut"
        ["delete-converged", "conflict-converged"]
        |name| scope(name, 1, 1, Bounds { writes: 2, deletes: 1, partitions: 1, elections: 1, ..NOTHING });
    "link-events" Default "E1W1: the ends of a connection hear of it at different times"
        ["torn-in-one-direction", "converged"]
        |name| Scope { link_events_apart: true, ..scope(name, 1, 1, Bounds { writes: 1, partitions: 1, ..NOTHING }) };
    "one-way" Default "E2W2: cuts that lose one direction only"
        ["torn-in-one-direction", "converged"]
        |name| Scope { link_events_apart: true, one_way_cuts: true, ..scope(name, 2, 2, Bounds { writes: 1, partitions: 1, ..NOTHING }) };
    "lost-link" Default "E2W2: one link of three is lost, in both directions or one, with an election"
        ["leader-change", "write-acknowledged", "deposed-leader-believes", "converged"]
        |name| Scope { one_way_cuts: true, lost_links: 1, ..scope(name, 2, 2, Bounds { writes: 1, partitions: 1, elections: 1, ..NOTHING }) };
    "pipelined" Default "E2W2: two writes while syncs end one by one"
        ["write-acknowledged", "crash-keeps-part", "converged"]
        |name| Scope { pipelined_syncs: true, ..scope(name, 2, 2, Bounds { writes: 2, crashes: 1, ..NOTHING }) };
    "paths" Default "E1W1: two files"
        ["converged", "write-acknowledged"]
        |name| scope(name, 1, 1, Bounds { writes: 2, paths: 2, elections: 1, ..NOTHING });
    "retries" Default "E2W2: a client repeats a write through an election"
        ["retry-recognised", "retry-renewed", "outcome-unknown"]
        |name| scope(name, 2, 2, Bounds { writes: 1, retries: 1, partitions: 1, elections: 1, ..NOTHING });
    "retries-2" Default "two nodes, E1W2: a client repeats one of two writes through a cut and an election"
        ["retry-recognised", "retry-renewed", "retry-overtaken"]
        |name| {
            let settings = Settings::new(2, 1, 2).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, retries: 1, partitions: 1, elections: 1, ..NOTHING })
        };
    "retries-3" Deep "E2W2: a client repeats one of two writes through an election"
        ["retry-recognised", "retry-renewed", "retry-overtaken"]
        |name| scope(name, 2, 2, Bounds { writes: 2, retries: 1, elections: 1, ..NOTHING });
    "retries-crash" Default "two nodes, E1W1: a client repeats one of two writes after a crash"
        ["crash-keeps-tail", "retry-recognised", "outcome-unknown"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, retries: 1, crashes: 1, elections: 1, ..NOTHING })
        };
    "contents" Default "E2W2: a write whose content travels beside it, with a read"
        ["entry-waits-for-content", "write-acknowledged", "converged"]
        |name| Scope { named_contents: true, ..scope(name, 2, 2, Bounds { writes: 1, reads: 1, elections: 1, ..NOTHING }) };
    "rot" Default "E2W2: a delta against a base that goes bad"
        ["base-missing", "bad-copy-found", "bad-copy-replaced", "converged"]
        |name| Scope { named_contents: true, ..scope(name, 2, 2, Bounds { writes: 2, rot: 1, ..NOTHING }) };
    "missing-content" Default "E2W2: a content that is gone when its node starts again"
        ["content-missing-at-start", "converged"]
        |name| Scope { named_contents: true, ..scope(name, 2, 2, Bounds { writes: 1, crashes: 1, elections: 1, lost_contents: 1, ..NOTHING }) };
    "unordered" Default "E2W2: two writes over a network that keeps no order, with a heartbeat"
        ["write-acknowledged"]
        |name| Scope { network: Network::Unordered, ..scope(name, 2, 2, Bounds { writes: 2, ticks: 1, ..NOTHING }) };
    "lossy" Default "E2W2: a write over a network that loses and doubles, with a heartbeat"
        ["message-lost", "message-doubled", "write-acknowledged"]
        |name| Scope { network: Network::Lossy, ..scope(name, 2, 2, Bounds { writes: 1, ticks: 1, drops: 1, duplicates: 1, ..NOTHING }) };
    "lossy-crash" Default "two nodes, E1W1: a write, a crash and an election over a network that loses and doubles"
        ["message-lost", "message-doubled", "write-acknowledged", "leader-change", "crash-loses-tail"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 1, crashes: 1, elections: 1, drops: 1, duplicates: 1, ..NOTHING };
            Scope { network: Network::Lossy, ..Scope::new(name, settings, bounds) }
        };
    "lossy-election" Deep "E2W2: a write over a network that loses and doubles, with a heartbeat and an election"
        ["message-lost", "message-doubled", "write-acknowledged", "leader-change"]
        |name| Scope { network: Network::Lossy, ..scope(name, 2, 2, Bounds { writes: 1, ticks: 1, drops: 1, duplicates: 1, elections: 1, ..NOTHING }) };
    "lossy-reads-election" Deep "E2W2: a read over a network that loses and doubles, with an election"
        ["message-lost", "message-doubled", "read-answered", "leader-change", "converged"]
        |name| Scope { network: Network::Lossy, ..scope(name, 2, 2, Bounds { writes: 1, reads: 1, drops: 1, duplicates: 1, elections: 1, ..NOTHING }) };
    "unordered-election" Deep "E2W2: two writes over a network that keeps no order, with a heartbeat and an election"
        ["write-acknowledged", "leader-change", "deposed-leader-believes"]
        |name| Scope { network: Network::Unordered, ..scope(name, 2, 2, Bounds { writes: 2, ticks: 1, elections: 1, ..NOTHING }) };
    "lossy-contents" Default "E2W2: a content goes bad on a network that loses and doubles"
        ["entry-waits-for-content", "write-acknowledged", "converged"]
        |name| Scope { network: Network::Lossy, named_contents: true, ..scope(name, 2, 2, Bounds { writes: 1, rot: 1, drops: 1, duplicates: 1, ..NOTHING }) };
    "lossy-reads" Default "E2W2: a read over a network that loses and doubles"
        ["read-answered", "write-acknowledged", "converged"]
        |name| Scope { network: Network::Lossy, ..scope(name, 2, 2, Bounds { writes: 1, reads: 1, drops: 1, duplicates: 1, ..NOTHING }) };
    "rollback" Default "two nodes, E1W1: a log that loses synced records between two writes"
        ["rollback-noticed", "other-entry-met", "other-entries-met", "write-acknowledged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, crashes: 1, rollbacks: 1, elections: 2, ..NOTHING })
        };
    "rollback-trims" Default "two nodes, E1W1: a log loses synced records, and a log is trimmed before or after"
        ["rollback-noticed", "other-entry-met", "other-entries-met", "log-trimmed", "state-joined"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 3, crashes: 1, rollbacks: 1, elections: 1, trims: 1, ..NOTHING })
        };
    "rollback-forgets" Default "two nodes, E1W1: a log loses a delete that the other node may have forgotten"
        ["rollback-noticed", "stable-loss-noticed", "delete-forgotten", "state-joined", "other-entries-met"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, deletes: 1, crashes: 1, rollbacks: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_deletes: true, ..Scope::new(name, settings, bounds) }
        };
    "rollback-3" Deep "E2W2: a log that loses synced records between two writes"
        ["rollback-noticed", "halted-among-settled", "write-acknowledged", "leader-change"]
        |name| scope(name, 2, 2, Bounds { writes: 2, crashes: 1, rollbacks: 1, elections: 1, ..NOTHING });
    "replace" Default "two nodes, E2W2: a disk is lost between two writes, and its node gets a log from the other"
        ["log-replaced", "write-acknowledged", "leader-change", "converged"]
        |name| replaced(name, (2, 2, 2), Bounds { writes: 2, elections: 1, ..NOTHING });
    "replace-alone" Default "two nodes, E1W2: the lost disk may hold entries and an epoch that no other node has seen"
        ["log-replaced", "write-acknowledged", "leader-change", "converged"]
        |name| replaced(name, (2, 1, 2), Bounds { writes: 2, elections: 2, ..NOTHING });
    "replace-retries" Default "two nodes, E2W2: a client repeats one of two writes after a disk was lost"
        ["log-replaced", "outcome-unknown", "retry-recognised", "retry-renewed"]
        |name| replaced(name, (2, 2, 2), Bounds { writes: 2, retries: 1, elections: 1, ..NOTHING });
    "replace-rollback" Default "two nodes, E2W2: a log loses synced records, and a log is replaced before or after"
        ["log-replaced", "rollback-noticed", "write-acknowledged", "converged"]
        |name| replaced(name, (2, 2, 2), Bounds { writes: 2, crashes: 1, rollbacks: 1, elections: 1, ..NOTHING });
    "replace-trims" Default "two nodes, E2W2: a disk is lost, and a log is trimmed before or after"
        ["log-replaced", "log-trimmed", "state-joined", "write-acknowledged", "converged"]
        |name| replaced(name, (2, 2, 2), Bounds { writes: 2, trims: 1, elections: 1, ..NOTHING });
    "replace-contents" Default "two nodes, E2W2: a disk is lost with its contents, and a copy goes bad"
        ["log-replaced", "content-missing-at-start", "bad-copy-found", "write-acknowledged", "converged"]
        |name| Scope { named_contents: true, ..replaced(name, (2, 2, 2), Bounds { writes: 2, rot: 1, elections: 1, ..NOTHING }) };
    "replace-three" Default "E2W2: a write and a read through an election, and a lost disk whose node gets a log from both others"
        ["log-replaced", "write-acknowledged", "read-answered", "leader-change", "converged"]
        |name| replaced(name, (3, 2, 2), Bounds { writes: 1, reads: 1, elections: 1, ..NOTHING });
    "replace-twice" Default "E2W2: a write through an election, and two disks are lost, one after the other"
        ["log-replaced", "write-acknowledged", "leader-change", "converged"]
        |name| {
            let once = replaced(name, (3, 2, 2), Bounds { writes: 1, elections: 1, ..NOTHING });
            Scope { bounds: Bounds { replacements: 2, ..once.bounds }, ..once }
        };
    "replace-guarded" Deep "E2W2: a write through two timers that run out, elections are guarded, and a disk is lost"
        ["log-replaced", "write-acknowledged", "leader-change", "converged"]
        |name| Scope { guards_elections: true, ..replaced(name, (3, 2, 2), Bounds { writes: 1, elections: 2, ..NOTHING }) };
    "replace-crash" Deep "two nodes, E2W2: two writes, a crash, a read and two elections, and a disk is lost"
        ["log-replaced", "write-acknowledged", "read-answered", "crash-keeps-part", "leader-change"]
        |name| replaced(name, (2, 2, 2), Bounds { writes: 2, reads: 1, crashes: 1, elections: 2, ..NOTHING });
    "consistent-2" Deep "E2W2: two writes, a crash, a cut and an election"
        ["write-acknowledged", "leader-change", "crash-keeps-part", "entry-learned"]
        |name| scope(name, 2, 2, Bounds { writes: 2, crashes: 1, partitions: 1, elections: 1, ..NOTHING });
    "available-2" Deep "E1W1: two writes, a crash, a cut and an election"
        ["split-brain", "conflict-converged", "crash-loses-tail"]
        |name| scope(name, 1, 1, Bounds { writes: 2, crashes: 1, partitions: 1, elections: 1, ..NOTHING });
    "linearizable-crash" Deep "E2W2: a write and a read through a crash, a cut and an election"
        ["read-answered", "read-unanswerable", "crash-loses-tail"]
        |name| scope(name, 2, 2, Bounds { writes: 1, reads: 1, crashes: 1, partitions: 1, elections: 1, ..NOTHING });
    "fences" Deep "E2W2: three writes by a leader and its successor"
        ["leader-change", "entry-learned"]
        |name| scope(name, 2, 2, Bounds { writes: 3, elections: 1, ..NOTHING });
    "conflicts" Default "two nodes, E1W1: a conflict, an overwrite and a resolve"
        ["conflict-converged", "conflict-resolved", "split-brain"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 3, resolves: 1, elections: 1, ..NOTHING })
        };
    "trims" Default "two nodes, E1W1: two writes on two sides of a cut, with two trims"
        ["log-trimmed", "state-joined", "conflict-converged", "split-brain"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, partitions: 1, elections: 1, trims: 2, ..NOTHING })
        };
    "trims-crash" Default "two nodes, E1W1: a write through a crash, a cut and a trim"
        ["log-trimmed", "state-joined", "crash-keeps-part", "converged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, crashes: 1, partitions: 1, elections: 1, trims: 1, ..NOTHING })
        };
    "trims-promise" Default "two nodes, E1W2: two writes through a crash, a cut and a trim"
        ["log-trimmed", "state-joined", "crash-keeps-part", "leader-change"]
        |name| {
            let settings = Settings::new(2, 1, 2).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, crashes: 1, partitions: 1, elections: 1, trims: 1, ..NOTHING })
        };
    "trims-parts" Default "two nodes, E1W1: three writes of two files through a cut, with state in parts"
        ["log-trimmed", "state-joined", "state-in-parts", "conflict-converged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, paths: 2, partitions: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { limits: narrow(1, 1), ..Scope::new(name, settings, bounds) }
        };
    "trims-parts-crash" Default "two nodes, E1W1: state in parts, with a crash between them"
        ["log-trimmed", "state-joined", "state-in-parts", "crash-keeps-part"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, crashes: 1, partitions: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { limits: narrow(1, 1), ..Scope::new(name, settings, bounds) }
        };
    "trims-lossy" Default "two nodes, E1W1: state in parts over a network that loses and doubles"
        ["log-trimmed", "state-joined", "state-in-parts", "message-lost", "message-doubled"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, elections: 1, drops: 1, duplicates: 1, trims: 1, ..NOTHING };
            Scope { limits: narrow(1, 1), network: Network::Lossy, ..Scope::new(name, settings, bounds) }
        };
    "trims-pre-vote" Default "two nodes, E2W1: a voter asks for a pre-vote while it sends state in parts, and a message gets lost"
        ["log-trimmed", "state-joined", "state-in-parts", "message-lost", "leader-change"]
        |name| {
            let settings = Settings::new(2, 2, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, crashes: 1, elections: 2, drops: 1, trims: 1, ..NOTHING };
            let scope = Scope { limits: narrow(1, 1), network: Network::Lossy, ..Scope::new(name, settings, bounds) };
            Scope { guards_elections: true, ..scope }
        };
    "trims-retries" Default "two nodes, E1W1: a retry through a cut, an election and a trim"
        ["log-trimmed", "state-joined", "retry-recognised"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            Scope::new(name, settings, Bounds { writes: 2, retries: 1, partitions: 1, elections: 1, trims: 1, ..NOTHING })
        };
    "forgets" Default "two nodes, E1W1: a file is written, deleted and written again, with two trims that forget the delete"
        ["log-trimmed", "delete-forgotten", "replaced-delete-forgotten", "delete-yields", "delete-converged", "write-acknowledged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, deletes: 1, elections: 1, trims: 2, ..NOTHING };
            Scope { forgets_deletes: true, ..Scope::new(name, settings, bounds) }
        };
    "forgets-cut" Default "two nodes, E1W1: a file is deleted on one side of a cut, with a trim"
        ["log-trimmed", "delete-forgotten", "state-joined", "split-brain"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, deletes: 1, partitions: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_deletes: true, ..Scope::new(name, settings, bounds) }
        };
    "forgets-crash" Default "two nodes, E2W2: a delete is forgotten through a crash and an election"
        ["delete-forgotten", "delete-yields", "crash-keeps-part", "leader-change"]
        |name| {
            let settings = Settings::new(2, 2, 2).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, deletes: 1, crashes: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_deletes: true, ..Scope::new(name, settings, bounds) }
        };
    "forgets-ticks" Deep "two nodes, E2W2: leader and follower forget a delete, and a client reads"
        ["delete-forgotten", "delete-yields", "read-answered"]
        |name| {
            let settings = Settings::new(2, 2, 2).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, deletes: 1, reads: 1, ticks: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_deletes: true, ..Scope::new(name, settings, bounds) }
        };
    "forgets-retries" Default "two nodes, E2W2: a retry of a write whose delete is forgotten, through an election"
        ["delete-forgotten", "retry-recognised", "retry-renewed"]
        |name| {
            let settings = Settings::new(2, 2, 2).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, deletes: 1, retries: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_deletes: true, ..Scope::new(name, settings, bounds) }
        };
    "forgets-conflict" Default "two nodes, E1W1: a delete loses a conflict, and another write follows"
        ["conflict-converged", "delete-forgotten", "split-brain"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 4, deletes: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_deletes: true, ..Scope::new(name, settings, bounds) }
        };
    "forgets-narrow" Deep "two nodes, E1W1: a delete beside writes of an old leader, with one entry per message"
        ["delete-forgotten", "replaced-delete-forgotten", "conflict-converged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 4, deletes: 1, paths: 2, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_deletes: true, limits: narrow(1, 1), ..Scope::new(name, settings, bounds) }
        };
    "forgets-three" Deep "E2W2: a file is written, deleted and written again through a crash, with a trim that forgets the delete"
        ["delete-forgotten", "delete-yields", "write-acknowledged", "crash-keeps-part"]
        |name| Scope { forgets_deletes: true, ..scope(name, 2, 2, Bounds { writes: 3, deletes: 1, crashes: 1, trims: 1, ..NOTHING }) };
    "forgets-3" Deep "E2W2: a file is written and deleted through an election, with a trim that forgets the delete"
        ["delete-forgotten", "leader-change"]
        |name| Scope { forgets_deletes: true, ..scope(name, 2, 2, Bounds { writes: 2, deletes: 1, elections: 1, trims: 1, ..NOTHING }) };
    "forgets-requests" Default "two nodes, E2W2: two retries through a crash and an election, after nodes may have forgotten the requests"
        ["request-forgotten", "retry-recognised", "leader-change", "crash-keeps-tail"]
        |name| {
            let settings = Settings::new(2, 2, 2).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, retries: 2, crashes: 1, elections: 1, ..NOTHING };
            Scope { forgets_requests: true, ..Scope::new(name, settings, bounds) }
        };
    "forgets-requests-state" Default "two nodes, E1W1: a retry after a trim, by nodes that got state and forgot its request"
        ["request-forgotten", "state-joined", "log-trimmed"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, retries: 1, partitions: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { forgets_requests: true, ..Scope::new(name, settings, bounds) }
        };
    "discards" Default "two nodes, E1W1: two contents on two sides of a cut, with a trim"
        ["content-discarded", "state-joined", "conflict-converged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, partitions: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { named_contents: true, ..Scope::new(name, settings, bounds) }
        };
    "discards-rot" Default "two nodes, E1W1: the base of a delta goes bad, and a trim deletes its result"
        ["content-discarded", "gone-heeded", "state-joined", "bad-copy-found", "converged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, rot: 1, trims: 1, ..NOTHING };
            Scope { named_contents: true, ..Scope::new(name, settings, bounds) }
        };
    "discards-election" Default "two nodes, E1W1: the base of a delta for the new leader goes bad, and a trim deletes its result"
        ["content-discarded", "gone-heeded", "state-joined", "bad-copy-found", "leader-change"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, rot: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { named_contents: true, ..Scope::new(name, settings, bounds) }
        };
    "discards-votes" Default "two nodes, E2W1: the base of a delta in a vote goes bad, and a trim deletes its result"
        ["content-discarded", "gone-heeded", "state-joined", "bad-copy-found", "leader-change"]
        |name| {
            let settings = Settings::new(2, 2, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, rot: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { named_contents: true, ..Scope::new(name, settings, bounds) }
        };
    "discards-restore" Default "two nodes, E1W1: the leader restores a content that goes bad there, and that a trim deletes at the other node"
        ["content-discarded", "bad-copy-found", "state-joined", "leader-change", "conflict-converged"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, resolves: 1, rot: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { named_contents: true, ..Scope::new(name, settings, bounds) }
        };
    "discards-parts" Default "two nodes, E1W1: a trim deletes the content of a state that is on its way in parts"
        ["content-discarded", "state-joined", "state-in-parts"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 3, paths: 2, partitions: 1, trims: 2, ..NOTHING };
            Scope { named_contents: true, limits: narrow(1, 1), ..Scope::new(name, settings, bounds) }
        };
    "discards-lossy" Default "two nodes, E1W1: a trim deletes a content, over a network that loses and doubles"
        ["content-discarded", "gone-heeded", "state-joined", "bad-copy-found", "message-lost"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 2, rot: 1, elections: 1, trims: 1, drops: 1, ..NOTHING };
            Scope { named_contents: true, network: Network::Lossy, ..Scope::new(name, settings, bounds) }
        };
    "discards-three" Default "E2W2: a trim deletes a content, and a copy goes bad"
        ["content-discarded", "bad-copy-found", "write-acknowledged", "converged"]
        |name| Scope { named_contents: true, ..scope(name, 2, 2, Bounds { writes: 2, rot: 1, trims: 1, ..NOTHING }) };
    "discards-3" Deep "E1W1: the base of a delta goes bad, and a trim deletes its result"
        ["content-discarded", "gone-heeded", "state-joined", "bad-copy-found", "converged"]
        |name| Scope { named_contents: true, ..scope(name, 1, 1, Bounds { writes: 3, rot: 1, trims: 1, ..NOTHING }) };
    "trims-3" Deep "E1W1: two writes on two sides of a cut, with a trim"
        ["log-trimmed", "state-joined", "conflict-converged", "split-brain"]
        |name| scope(name, 1, 1, Bounds { writes: 2, partitions: 1, elections: 1, trims: 1, ..NOTHING });
    "trims-consistent" Deep "E2W2: two writes through a cut, an election and a trim"
        ["log-trimmed", "state-joined", "leader-change", "entry-learned"]
        |name| scope(name, 2, 2, Bounds { writes: 2, partitions: 1, elections: 1, trims: 1, ..NOTHING });
    "trims-crash-3" Deep "E2W2: a write through a crash, a cut, an election and a trim"
        ["state-joined", "crash-keeps-part", "leader-change"]
        |name| scope(name, 2, 2, Bounds { writes: 1, crashes: 1, partitions: 1, elections: 1, trims: 1, ..NOTHING });
    "trims-quorum" Deep "E3W1: two writes through a crash, an election in which all vote, and a trim"
        ["log-trimmed", "state-joined", "leader-change", "crash-keeps-part"]
        |name| scope(name, 3, 1, Bounds { writes: 2, crashes: 1, elections: 1, trims: 1, ..NOTHING });
    "link-events-2" Deep "E2W2: link events apart and one-way cuts with a crash and an election"
        ["torn-in-one-direction", "leader-change"]
        |name| Scope { link_events_apart: true, one_way_cuts: true, ..scope(name, 2, 2, Bounds { writes: 1, partitions: 1, crashes: 1, elections: 1, ..NOTHING }) };
    "candidates" Default "E1W1: two candidates of one round, from nothing"
        ["first-leader", "leader-change", "write-acknowledged"]
        |name| Scope { start: Start::Cold, ..scope(name, 1, 1, Bounds { writes: 1, elections: 2, ..NOTHING }) };
    "window-1" Default "E1W1: a cut between two writes, with one entry per message and one under way"
        ["conflict-converged", "split-brain", "window-full"]
        |name| Scope { limits: narrow(1, 1), ..scope(name, 1, 1, Bounds { writes: 2, partitions: 1, elections: 1, ..NOTHING }) };
    "window-2" Deep "E1W1: a cut between three writes, with one entry per message and two under way"
        ["conflict-converged", "split-brain"]
        |name| Scope { limits: narrow(1, 2), ..scope(name, 1, 1, Bounds { writes: 3, partitions: 1, elections: 1, ..NOTHING }) };
    "narrow-votes" Deep "E2W2: two writes and a read through an election, with one entry per message"
        ["read-answered", "leader-change", "entry-learned"]
        |name| Scope { limits: narrow(1, 1), ..scope(name, 2, 2, Bounds { writes: 2, reads: 1, elections: 1, ..NOTHING }) };
    "lossy-window" Default "E2W2: two writes over a network that loses and doubles, one entry under way"
        ["message-lost", "message-doubled", "write-acknowledged", "window-full"]
        |name| Scope { network: Network::Lossy, limits: narrow(1, 1), ..scope(name, 2, 2, Bounds { writes: 2, drops: 1, duplicates: 1, ..NOTHING }) };
    "pre-vote" Default "E2W2: two timers run out, elections are guarded"
        ["leader-change", "pre-vote-refused", "leader-resigned"]
        |name| Scope { guards_elections: true, ..scope(name, 2, 2, Bounds { writes: 1, elections: 2, ..NOTHING }) };
    "guarded-link" Default "E2W2: a timer runs out while a link is lost or a node is cut off, elections are guarded"
        ["leader-change", "pre-vote-refused"]
        |name| Scope { guards_elections: true, lost_links: 1, ..scope(name, 2, 2, Bounds { writes: 1, partitions: 1, elections: 1, ..NOTHING }) };
    "guarded" Deep "E2W2: three timers run out, elections are guarded"
        ["leader-change", "pre-vote-refused", "leader-resigned"]
        |name| Scope { guards_elections: true, ..scope(name, 2, 2, Bounds { writes: 1, elections: 3, ..NOTHING }) };
    "guarded-cut" Deep "E2W2: two timers run out through a cut, elections are guarded"
        ["leader-change", "pre-vote-refused", "leader-resigned"]
        |name| Scope { guards_elections: true, ..scope(name, 2, 2, Bounds { writes: 1, partitions: 1, elections: 2, ..NOTHING }) };
    "rollback-4" Support "four nodes, E1W4: a log that loses synced records, with one entry per message"
        []
        |name| {
            let settings = Settings::new(4, 1, 4).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 5, crashes: 1, partitions: 1, elections: 4, rollbacks: 1, ..NOTHING };
            Scope { link_events_apart: true, limits: narrow(1, 2), ..Scope::new(name, settings, bounds) }
        };
    "late-vote" Support "E2W2: a voter whose disk is slow lacks entries, and asks the new leader for a content that trims have deleted"
        []
        |name| {
            let bounds = Bounds { writes: 3, rot: 1, elections: 1, trims: 2, ..NOTHING };
            Scope { named_contents: true, limits: narrow(1, 4), ..scope(name, 2, 2, bounds) }
        };
    "rollback-unheard" Deep "two nodes, E1W1: a node that lost synced records writes and trims its log before it hears the other"
        ["rollback-noticed", "other-entry-met", "other-entries-met", "log-trimmed", "state-joined"]
        |name| {
            let settings = Settings::new(2, 1, 1).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 4, paths: 2, crashes: 1, rollbacks: 1, elections: 1, trims: 1, ..NOTHING };
            Scope { link_events_apart: true, ..Scope::new(name, settings, bounds) }
        };
    "three-elections" Support "E2W2: an Ack that arrives three elections late"
        []
        |name| scope(name, 2, 2, Bounds { writes: 1, reads: 2, elections: 3, ..NOTHING });
    "matrix" Support "every (E,W): a write and a read through an election"
        ["write-acknowledged", "read-answered"]
        |name| scope(name, 2, 2, Bounds { writes: 1, reads: 1, elections: 1, ..NOTHING });
    "walk" Support "E2W2, five nodes and large bounds, for random walks"
        ["leader-change", "write-acknowledged", "read-answered"]
        |name| {
            let settings = Settings::new(5, 3, 3).unwrap_or_else(|error| unreachable!("{error}"));
            let bounds = Bounds { writes: 12, deletes: 3, resolves: 4, retries: 3, reads: 6, crashes: 4, partitions: 4, elections: 5, paths: 2, ticks: 4, ..NOTHING };
            Scope { link_events_apart: true, one_way_cuts: true, pipelined_syncs: true, ..Scope::new(name, settings, bounds) }
        };
}

#[cfg(test)]
mod tests {
    use steadfast_guarantees::witnesses::witness;

    use super::*;

    #[test]
    fn every_scope_is_possible_and_its_witnesses_exist() {
        for it in SHIPPED {
            assert_eq!(it.scope().validate(), Ok(()), "{}", it.name);
            assert_eq!(it.scope().check_effects(), Ok(()), "{}", it.name);
            let unknown = it.witnesses.iter().find_map(|id| witness(id).err());
            assert_eq!(unknown, None, "{}", it.name);
        }
    }

    #[test]
    fn no_two_scopes_have_one_name() {
        for (at, it) in SHIPPED.iter().enumerate() {
            assert!(SHIPPED[..at].iter().all(|other| other.name != it.name), "{}", it.name);
        }
    }

    #[test]
    fn every_twin_is_caught_in_a_shipped_scope() {
        for twin in steadfast_guarantees::twins::TWINS {
            assert!(shipped(twin.scope).is_some(), "{}", twin.variant.name);
        }
    }
}
