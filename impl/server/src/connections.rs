//! Connections that clients and peers open.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use steadfast_config::{Limits, NodeName, Role, explain_tls, peer_role};
use steadfast_protocol::NodeId;
use steadfast_wire::Channel;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::peers::{self, Peering};

/// How long the listener pauses when the system has no room for another connection.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// What every connection needs.
pub(crate) struct Serving {
    pub tls: TlsAcceptor,
    pub router: Router,
    pub peering: Arc<Peering>,
    pub ids: BTreeMap<NodeName, NodeId>,
    pub limits: Limits,
    /// After how long a connection ends whose peer does not answer.
    pub silence_max: Duration,
    pub stop: CancellationToken,
}

/// Accepts connections until the node is told to stop, and then lets those of clients end.
pub(crate) async fn accept(serving: Arc<Serving>, listener: TcpListener) {
    let connections_max = serving.limits.connections_max as usize;
    let room = Arc::new(Semaphore::new(connections_max));
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = serving.stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, from)) => {
                // Peers need no room, but whether this is one shows only after the handshake.
                let permit = Arc::clone(&room).try_acquire_owned().ok();
                if permit.is_none() && tracker.len() > 2 * connections_max {
                    debug!(%from, "refused: too many connections");
                    continue;
                }
                let serving = Arc::clone(&serving);
                tracker.spawn(async move {
                    if let Err(why) = serve(&serving, stream, permit).await {
                        debug!(%from, %why, "a connection ended");
                    }
                });
            }
            Err(error) => {
                // Such as too many open files: the next one may find room again.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

async fn serve(
    serving: &Serving,
    stream: TcpStream,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    peers::prepare(&stream, serving.silence_max).map_err(text)?;
    let handshake = serving.tls.accept(stream);
    let stream = tokio::time::timeout(serving.limits.head_timeout, handshake).await;
    let stream = stream.map_err(|_| "the TLS handshake took too long".to_owned())?;
    let stream = stream.map_err(|error| explained(&error))?;
    let (_, connection) = stream.get_ref();
    let role = peer_role(connection.peer_certificates()).map_err(|error| error.to_string())?;
    let channels = [Channel::Log, Channel::Contents];
    let channel = channels.into_iter().find(|it| connection.alpn_protocol() == Some(it.alpn()));
    match (channel, role) {
        (None, _) => match permit {
            Some(permit) => serve_http(serving, stream, permit).await,
            None => Err("refused: too many connections of clients".to_owned()),
        },
        (Some(channel), Role::Node(name)) => {
            // Peers do not take room from clients.
            drop(permit);
            let peer = serving.ids.get(&name).copied();
            let peer = peer.ok_or_else(|| format!("{name} is no member of this cluster"))?;
            tokio::select! {
                () = peers::run(&serving.peering, stream, channel, peer) => Ok(()),
                () = serving.stop.cancelled() => Ok(()),
            }
        }
        (Some(channel), Role::Client) => {
            Err(format!("a client asked for the {channel} connection, which only nodes may have"))
        }
    }
}

fn explained(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
    tls.map_or_else(|| error.to_string(), explain_tls)
}

async fn serve_http(
    serving: &Serving,
    stream: TlsStream<TcpStream>,
    _permit: OwnedSemaphorePermit,
) -> Result<(), String> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let head_timeout = Some(serving.limits.idle_timeout);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(serving.limits.idle_timeout)
        .keep_alive_timeout(serving.limits.head_timeout)
        .max_concurrent_streams(256);
    let service = TowerToHyperService::new(serving.router.clone());
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = serving.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    result.map_err(|error| error.to_string())
}
