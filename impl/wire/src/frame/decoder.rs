//! From a stream of bytes to frames.

use super::{Channel, Frame, FrameError, HEADER_LENGTH, Kind};

/// Splits the bytes of one direction of a connection into frames.
///
/// It holds the beginning of at most one frame, and takes memory for it as the bytes come. The read buffer
/// belongs to the caller:
///
/// ```
/// # use steadfast_wire::{Channel, Decoder};
/// # fn handle(_: steadfast_wire::Frame<'_>) {}
/// let mut decoder = Decoder::new(Channel::Log);
/// # let buffer = [];
/// let mut read: &[u8] = &buffer; // filled from the connection
/// while let Some(frame) = decoder.next(&mut read)? {
///     handle(frame);
/// }
/// assert!(read.is_empty());
/// # Ok::<(), steadfast_wire::FrameError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    channel: Channel,
    /// The beginning of the next frame; the whole last frame if `is_whole`.
    held: Vec<u8>,
    /// The frame in `held` has been handed out.
    is_whole: bool,
    /// The bytes are no frames from here on.
    error: Option<FrameError>,
}

/// A buffer that has grown beyond this is given back after its frame.
const HELD_KEPT: usize = 64 << 10;

impl Decoder {
    /// A decoder of what a peer sends on a connection of this channel.
    #[must_use]
    pub fn new(channel: Channel) -> Decoder {
        Decoder { channel, held: Vec::new(), is_whole: false, error: None }
    }

    /// The next frame, whose bytes are taken from the front of `input`; `None` when all of it was taken
    /// and more must come.
    ///
    /// # Errors
    /// The bytes are no frame of this channel. Every later call returns the same error.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'a>>, FrameError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        self.forget_whole();
        match self.advance(input) {
            Ok(None) => Ok(None),
            Ok(Some(Place::Held(kind))) => {
                Ok(Some(Frame { kind, body: &self.held[HEADER_LENGTH..] }))
            }
            Ok(Some(Place::Input(frame))) => Ok(Some(frame)),
            Err(error) => Err(self.error.insert(error).clone()),
        }
    }

    /// Whether the stream may end here: no frame has begun.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.held.is_empty() || self.is_whole
    }

    fn forget_whole(&mut self) {
        if std::mem::take(&mut self.is_whole) {
            self.held.clear();
            self.held.shrink_to(HELD_KEPT);
        }
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Place<'i>>, FrameError> {
        if self.held.is_empty()
            && let Some(header) = input.first_chunk()
        {
            let (kind, length) = read_header(self.channel, *header)?;
            if let Some(frame) = input.split_off(..HEADER_LENGTH + length) {
                return Ok(Some(Place::Input(Frame { kind, body: &frame[HEADER_LENGTH..] })));
            }
        }
        if !self.hold(HEADER_LENGTH, input) {
            return Ok(None);
        }
        let header = self.held.first_chunk().copied().unwrap_or_default();
        let (kind, length) = read_header(self.channel, header)?;
        if !self.hold(HEADER_LENGTH + length, input) {
            return Ok(None);
        }
        self.is_whole = true;
        Ok(Some(Place::Held(kind)))
    }

    /// Takes bytes from the input until `length` are held, and returns whether they are.
    fn hold(&mut self, length: usize, input: &mut &[u8]) -> bool {
        let missing = length.saturating_sub(self.held.len());
        let (now, rest) = input.split_at(missing.min(input.len()));
        self.held.extend_from_slice(now);
        *input = rest;
        self.held.len() >= length
    }
}

/// Where a whole frame is.
enum Place<'a> {
    Held(Kind),
    Input(Frame<'a>),
}

/// The kind and the length of the body.
fn read_header(channel: Channel, header: [u8; HEADER_LENGTH]) -> Result<(Kind, usize), FrameError> {
    let [length @ .., byte] = header;
    let kind = Kind::from_byte(byte).ok_or(FrameError::UnknownKind(byte))?;
    if !kind.channels().contains(&channel) {
        return Err(FrameError::WrongChannel { kind, channel });
    }
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    let limit = kind.length_max();
    if length > limit {
        return Err(FrameError::TooLong { kind, length, limit });
    }
    Ok((kind, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::PACKET_LENGTH_MAX;

    fn header(length: usize) -> Vec<u8> {
        let length = u32::try_from(length).expect("a bound");
        [&length.to_le_bytes()[..], &[Kind::Packet.to_byte()]].concat()
    }

    #[test]
    fn memory_is_taken_for_bytes_that_have_come() {
        let mut decoder = Decoder::new(Channel::Log);
        let header = header(PACKET_LENGTH_MAX);
        let mut input = &header[..];
        assert_eq!(decoder.next(&mut input), Ok(None));
        assert!(decoder.held.capacity() < 100, "{}", decoder.held.capacity());
        let bytes = vec![0; PACKET_LENGTH_MAX];
        let mut fed = 0;
        for mut piece in bytes[1..].chunks(8 << 10) {
            fed += piece.len();
            assert_eq!(decoder.next(&mut piece), Ok(None));
            assert!(decoder.held.capacity() <= 2 * (fed + 100));
        }
        let mut last = &bytes[..1];
        assert!(decoder.next(&mut last).is_ok_and(|it| it.is_some()));
        // It is given back, and a short frame does not need it.
        assert_eq!(decoder.next(&mut &b"\x08"[..]), Ok(None));
        assert!(decoder.held.capacity() <= HELD_KEPT);
    }

    #[test]
    fn a_frame_that_came_at_once_is_not_copied() {
        let mut decoder = Decoder::new(Channel::Log);
        let stream = [header(3), b"abc".to_vec()].concat();
        let mut input = &stream[..];
        let frame = decoder.next(&mut input).expect("frames").expect("a whole one");
        assert!(std::ptr::eq(frame.body, &stream[5..]));
        assert_eq!(decoder.held.capacity(), 0);
    }
}
