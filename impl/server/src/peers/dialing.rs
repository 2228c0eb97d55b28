//! Dialling a peer, again and again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use socket2::{SockRef, TcpKeepalive};
use steadfast_protocol::NodeId;
use steadfast_wire::Channel;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::debug;

use super::{HANDSHAKE_MAX, Peering};
use crate::core::DisplayChain;

/// The shortest and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How to reach one channel of a peer.
pub(crate) struct Dialer {
    pub peer: NodeId,
    pub channel: Channel,
    /// Host and port.
    pub address: String,
    pub connector: TlsConnector,
    pub server_name: rustls::pki_types::ServerName<'static>,
    /// After how long a connection ends whose peer does not answer.
    pub silence_max: Duration,
}

/// Keeps a connection to a peer up.
pub(crate) async fn keep_up(peering: Arc<Peering>, dialer: Dialer) {
    let mut pause = PAUSES.0;
    loop {
        peering.cuts.until_healed(dialer.peer).await;
        match tokio::time::timeout(HANDSHAKE_MAX, dialer.dial()).await {
            Ok(Ok(stream)) => {
                let began = tokio::time::Instant::now();
                super::run(&peering, stream, dialer.channel, dialer.peer).await;
                if began.elapsed() > PAUSES.1 {
                    pause = PAUSES.0;
                }
            }
            Ok(Err(error)) => {
                let error = DisplayChain(&error);
                debug!(peer = %dialer.peer, address = dialer.address, %error, "cannot connect");
            }
            Err(_) => {
                debug!(peer = %dialer.peer, address = dialer.address, "no answer to a connection");
            }
        }
        let factor = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(pause.mul_f64(factor)).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

impl Dialer {
    async fn dial(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&self.address).await?;
        prepare(&stream, self.silence_max)?;
        self.connector.connect(self.server_name.clone(), stream).await
    }
}

/// Makes the kernel end the connection when the peer does not answer for this long, and send small packets
/// at once.
pub(crate) fn prepare(stream: &TcpStream, silence_max: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let interval = (silence_max / 4).max(Duration::from_secs(1));
    let keepalive = TcpKeepalive::new().with_time(interval).with_interval(interval).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(silence_max))?;
    Ok(())
}
