//! Frames from a stream.

use std::io;

use steadfast_wire::{Channel, Decoder, Frame, FrameError};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How many bytes are read at once.
const READ_BYTES: usize = 64 << 10;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionEnd {
    #[error("the peer closed it")]
    Closed,
    #[error("the peer closed it in the middle of a frame")]
    ClosedWithin,
    #[error("the network failed")]
    Network(#[from] io::Error),
    #[error("the peer sent bytes that are no frame")]
    Frame(#[from] FrameError),
    #[error("the peer refused it: {0}")]
    Refused(String),
    #[error("this node ended it")]
    Ended,
    #[error("it was cut on purpose")]
    Cut,
    #[error(transparent)]
    Unsendable(#[from] steadfast_wire::packet::EncodeError),
}

/// Reads the frames of a stream.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    stream: R,
    decoder: Decoder,
    buffer: Vec<u8>,
    /// The part of the buffer that was read and not decoded.
    unread: std::ops::Range<usize>,
}

impl<R> FrameReader<R> {
    pub(super) fn new(stream: R, channel: Channel) -> Self {
        let decoder = Decoder::new(channel);
        FrameReader { stream, decoder, buffer: vec![0; READ_BYTES], unread: 0..0 }
    }

    /// The stream, with which another reader goes on at the same place.
    pub(super) fn map<T>(self, split: impl FnOnce(R) -> T) -> FrameReader<T> {
        let FrameReader { stream, decoder, buffer, unread } = self;
        FrameReader { stream: split(stream), decoder, buffer, unread }
    }

    pub(super) fn stream_mut(&mut self) -> &mut R {
        &mut self.stream
    }

    /// The next frame of the bytes that have been read; `None` if more must be read.
    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let mut input = &self.buffer[self.unread.clone()];
        let before = input.len();
        let frame = self.decoder.next(&mut input)?;
        self.unread.start += before - input.len();
        Ok(frame)
    }
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads more bytes, after all that were read have been decoded, and returns their number.
    pub(super) async fn read(&mut self) -> Result<usize, ConnectionEnd> {
        let count = self.stream.read(&mut self.buffer).await?;
        self.unread = 0..count;
        match count {
            0 if self.decoder.is_between_frames() => Err(ConnectionEnd::Closed),
            0 => Err(ConnectionEnd::ClosedWithin),
            count => Ok(count),
        }
    }
}
