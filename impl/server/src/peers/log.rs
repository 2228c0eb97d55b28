//! The connection that carries packets.

use steadfast_protocol::{NodeId, Packet};
use steadfast_wire::{Kind, handshake, packet};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Peering;
use super::frames::{ConnectionEnd, FrameReader};
use super::opening::Open;
use crate::core::{Event, Link, PACKETS_WAITING_MAX};
use crate::counters::Counters;

/// How many bytes of packets are written at once, unless one packet has more.
const WRITE_BYTES: usize = 256 << 10;

/// Runs the connection until it ends. The node learns of its beginning and of its end.
pub(super) async fn run<S>(
    peering: &Peering,
    open: Open<S>,
    peer: NodeId,
) -> Result<(), ConnectionEnd>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Open { frames, session } = open;
    let (packets, waiting) = mpsc::channel(PACKETS_WAITING_MAX);
    let end = CancellationToken::new();
    let link = Link { packets, end: end.clone() };
    let events = &peering.events;
    if events.send(Event::LinkUp { peer, session, link }).await.is_err() {
        return Ok(());
    }
    let mut writer = None;
    let frames = frames.map(|stream| {
        let (read, write) = tokio::io::split(stream);
        writer = Some(write);
        read
    });
    let result = tokio::select! {
        result = read(peering, frames, peer) => result,
        result = write(writer, waiting, &peering.counters) => result,
        () = end.cancelled() => Err(ConnectionEnd::Ended),
    };
    let _ = events.send(Event::LinkDown { peer, session }).await;
    result
}

async fn read<S: AsyncRead>(
    peering: &Peering,
    mut frames: FrameReader<ReadHalf<S>>,
    from: NodeId,
) -> Result<(), ConnectionEnd> {
    loop {
        let Some(frame) = frames.next()? else {
            let count = frames.read().await?;
            peering.counters.packet_bytes_received.add(count as u64);
            continue;
        };
        if frame.kind == Kind::Refused {
            return Err(ConnectionEnd::Refused(handshake::read_refusal(frame)));
        }
        let packet = packet::decode(frame)?;
        if peering.events.send(Event::Received { from, packet }).await.is_err() {
            return Ok(());
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(
    stream: Option<W>,
    mut waiting: mpsc::Receiver<Packet>,
    counters: &Counters,
) -> Result<(), ConnectionEnd> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut out = Vec::new();
    while let Some(first) = waiting.recv().await {
        packet::encode(&first, &mut out)?;
        while out.len() < WRITE_BYTES
            && let Ok(next) = waiting.try_recv()
        {
            packet::encode(&next, &mut out)?;
        }
        stream.write_all(&out).await?;
        stream.flush().await?;
        counters.packet_bytes_sent.add(out.len() as u64);
        out.clear();
        out.shrink_to(WRITE_BYTES);
    }
    Ok(())
}
