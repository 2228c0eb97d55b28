//! A leader that is killed, and a node that was away.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Result;
use super::connection::{Connection, Endpoint};
use super::load::{value, write_all};
use super::system::{NODES, System};

/// How long one attempt to write may take before the client tries again.
const ATTEMPT_MAX: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(5);
/// No cluster is waited for longer.
const FAILOVER_MAX: Duration = Duration::from_secs(60);

/// The seconds from the SIGKILL of a leader to the next acknowledged write. Clients try at both of the others at once, with
/// connections that were there before. The killed node is back when this returns.
pub(crate) async fn failover_s(system: &mut System, value_bytes: usize) -> Result<f64> {
    let leader = system.settle().await?;
    let mut tries = tokio::task::JoinSet::new();
    let (killed, is_killed) = tokio::sync::watch::channel(false);
    for node in (0..NODES).filter(|it| *it != leader) {
        let endpoint = system.endpoint(node).clone();
        let connection = system.connect(node).await?;
        let mut is_killed = is_killed.clone();
        tries.spawn(async move {
            let _ = is_killed.wait_for(|it| *it).await;
            let key = format!("failover/{node}");
            until_written(&endpoint, connection, &key, value_bytes).await
        });
    }
    let begun = Instant::now();
    system.kill(leader)?;
    killed.send_replace(true);
    let first = tokio::time::timeout(FAILOVER_MAX, tries.join_next()).await?;
    let elapsed = begun.elapsed().as_secs_f64();
    first.ok_or("nobody tries to write")??;
    tries.shutdown().await;
    system.start(leader)?;
    system.settle().await?;
    Ok(elapsed)
}

async fn until_written(endpoint: &Endpoint, connection: Connection, key: &str, value_bytes: usize) {
    let mut connection = Some(connection);
    for number in 0.. {
        if connection.is_none() {
            connection = endpoint.connect(ATTEMPT_MAX).await.ok();
        }
        if let Some(it) = &mut connection {
            let put = it.put(key, value(0, number, value_bytes));
            let result = tokio::time::timeout(ATTEMPT_MAX, put).await;
            match result {
                Ok(Ok(())) => return,
                // A refusal; the connection is as good as before.
                Ok(Err(_)) => {}
                // The request is still under way, so that a connection with one request at a time is no longer usable.
                Err(_) => connection = None,
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How many keys are written while a node is away.
const KEYS: u64 = 10_000;

/// A node that was away.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CatchUp {
    /// How many writes it missed.
    pub(crate) missed: u64,
    /// The seconds from its start until it has them.
    pub(crate) seconds: f64,
    /// The bytes that it received meanwhile; `None` if it does not count them.
    pub(crate) received_bytes: Option<u64>,
    /// The bytes of the values that remain of these writes, without those that later ones replaced.
    pub(crate) shown_bytes: u64,
}

/// Lets a follower miss this number of writes to at most 10,000 keys, and catch up.
pub(crate) async fn catch_up(
    system: &mut System,
    missed: u64,
    value_bytes: usize,
) -> Result<CatchUp> {
    let leader = system.settle().await?;
    let away = (leader + 1) % NODES;
    system.kill(away)?;
    write_all(system, leader, ("missed", KEYS), missed, value_bytes).await?;
    let begun = Instant::now();
    system.start(away)?;
    system.settle().await?;
    let seconds = begun.elapsed().as_secs_f64();
    let received_bytes = match system.testbed() {
        Some(_) => Some(system.counted_at(away, "_bytes_received").await?),
        None => None,
    };
    let shown_bytes = missed.min(KEYS) * value_bytes as u64;
    Ok(CatchUp { missed, seconds, received_bytes, shown_bytes })
}
