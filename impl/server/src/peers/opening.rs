//! The handshake of a connection.

use steadfast_protocol::{NodeId, SessionId};
use steadfast_wire::{Channel, Handshake, HandshakeError, Local, Progress};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::frames::{ConnectionEnd, FrameReader};

/// A connection whose ends have agreed.
#[derive(Debug)]
pub(super) struct Open<S> {
    pub frames: FrameReader<S>,
    pub session: SessionId,
}

/// Why no connection was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpeningError {
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    End(#[from] ConnectionEnd),
}

/// Makes the handshake with a peer whose certificate says that it is `certified`.
pub(super) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    local: Local,
    channel: Channel,
    certified: NodeId,
    proposal: SessionId,
) -> Result<Open<S>, OpeningError> {
    let mut frames = FrameReader::new(stream, channel);
    let mut out = Vec::new();
    let mut handshake = Handshake::begin(local, channel, certified, proposal, &mut out);
    loop {
        flush(&mut frames, &mut out).await?;
        let received = match frames.next().map_err(ConnectionEnd::from)? {
            Some(frame) => handshake.receive(frame, &mut out),
            None => {
                frames.read().await?;
                continue;
            }
        };
        match received {
            Ok(Progress::Waiting) => {}
            Ok(Progress::Open { session }) => {
                flush(&mut frames, &mut out).await?;
                return Ok(Open { frames, session });
            }
            Err(error) => {
                // The peer is to learn the reason, but may be gone.
                let _ = flush(&mut frames, &mut out).await;
                let _ = frames.stream_mut().shutdown().await;
                return Err(error.into());
            }
        }
    }
}

async fn flush<S: AsyncWrite + Unpin>(
    frames: &mut FrameReader<S>,
    out: &mut Vec<u8>,
) -> Result<(), ConnectionEnd> {
    if !out.is_empty() {
        frames.stream_mut().write_all(out).await?;
        frames.stream_mut().flush().await?;
        out.clear();
    }
    Ok(())
}
