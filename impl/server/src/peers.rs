//! Connections to peers. Of two nodes the one with the higher id dials, and keeps two connections up: one for
//! packets and one for contents.
//!
//! A session is the time of one connection for packets. The kernel ends connections whose peer does not
//! answer (`TCP_USER_TIMEOUT` and keepalive), so that a network that drops packets ends a session as a
//! network that resets connections does.

mod contents;
mod dialing;
mod frames;
mod log;
mod opening;
mod refusals;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use steadfast_protocol::{NodeId, SessionId};
use steadfast_wire::{Channel, Local};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

pub(crate) use contents::{ContentsOf, serve_contents};
pub(crate) use dialing::{Dialer, keep_up, prepare};
use opening::Open;
pub(crate) use refusals::Refusals;

use crate::core::{DisplayChain, Event, Facts};
use crate::counters::Counters;
use crate::cuts::Cuts;

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// The facts that all connections of a node need.
pub(crate) struct Peering {
    pub local: Local,
    pub events: mpsc::Sender<Event>,
    pub facts: watch::Receiver<Facts>,
    pub counters: std::sync::Arc<Counters>,
    pub cuts: std::sync::Arc<Cuts>,
    pub sessions: Sessions,
    pub refusals: Refusals,
    /// For each peer, the part that brings contents from it and to it.
    pub contents: std::collections::BTreeMap<NodeId, ContentsOf>,
}

/// The proposals for the ids of sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(AtomicU64);

impl Sessions {
    /// An id above every one that this process has proposed or seen, and above the clock, so that a process
    /// that has forgotten its sessions proposes a new one nevertheless.
    fn proposal(&self) -> SessionId {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = u64::try_from(clock.as_millis()).unwrap_or(u64::MAX);
        let next = |last: u64| Some(last.saturating_add(1).max(clock));
        let update = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let last = update.unwrap_or_else(|last| last);
        SessionId(last.saturating_add(1).max(clock))
    }

    fn note(&self, session: SessionId) {
        self.0.fetch_max(session.0, Ordering::Relaxed);
    }
}

impl Peering {
    /// Who this node is, and whether it has halted by now.
    fn local(&self) -> Local {
        Local { halt: self.facts.borrow().halt, ..self.local }
    }

    fn note_refusal(&self, peer: NodeId, channel: Channel, why: &str) {
        match self.refusals.note(peer, channel, why) {
            true => warn!(%peer, %channel, why, "no connection"),
            false => debug!(%peer, %channel, why, "no connection again"),
        }
    }
}

/// Runs a connection with a peer from its handshake to its end.
pub(crate) async fn run<S>(peering: &Peering, stream: S, channel: Channel, peer: NodeId)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if peering.cuts.is_cut(peer) {
        return;
    }
    let proposal = peering.sessions.proposal();
    let opening = opening::open(stream, peering.local(), channel, peer, proposal);
    let open = match tokio::time::timeout(HANDSHAKE_MAX, opening).await {
        Ok(Ok(open)) => open,
        Ok(Err(error)) => {
            return peering.note_refusal(peer, channel, &DisplayChain(&error).to_string());
        }
        Err(_) => return peering.note_refusal(peer, channel, "the handshake took too long"),
    };
    peering.refusals.forget(peer, channel);
    peering.sessions.note(open.session);
    let end = tokio::select! {
        end = run_open(peering, open, channel, peer) => end,
        () = peering.cuts.until_cut(peer) => Err(frames::ConnectionEnd::Cut),
    };
    if let Err(end) = end {
        debug!(%peer, %channel, why = %DisplayChain(&end), "the connection ended");
    }
}

async fn run_open<S>(
    peering: &Peering,
    open: Open<S>,
    channel: Channel,
    peer: NodeId,
) -> Result<(), frames::ConnectionEnd>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match channel {
        Channel::Log => log::run(peering, open, peer).await,
        Channel::Contents => match peering.contents.get(&peer) {
            Some(contents) => contents.run(open).await,
            None => Ok(()),
        },
    }
}
