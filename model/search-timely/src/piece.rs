//! A part of a message, as timely moves it.

use std::io::Write;

use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::communication::Push;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::channels::{ContainerBytes, Message};
use timely::progress::Stamp;

/// The largest number of words of a message in one piece, 256 KiB.
pub(crate) const WORDS_MAX: usize = 1 << 15;

/// The words of a head: receiver, sender and round.
const HEAD: usize = 3;

/// A part of a message: words behind a head. They are written as they are, instead of item by item.
#[derive(Clone, Default)]
pub(crate) struct Piece(Vec<u64>);

impl Piece {
    pub(crate) fn new(to: usize, from: usize, round: u64, words: &[u64]) -> Piece {
        let mut piece = Vec::with_capacity(HEAD + words.len());
        piece.extend([to as u64, from as u64, round]);
        piece.extend_from_slice(words);
        Piece(piece)
    }

    /// The receiver.
    fn to(&self) -> Option<usize> {
        usize::try_from(*self.0.first()?).ok()
    }

    /// The sender, the round and the words.
    pub(crate) fn parts(&self) -> Option<(usize, u64, &[u64])> {
        let (head, words) = self.0.split_at_checked(HEAD)?;
        Some((usize::try_from(head[1]).ok()?, head[2], words))
    }
}

impl Accountable for Piece {
    fn record_count(&self) -> i64 {
        i64::from(!self.0.is_empty())
    }
}

impl ContainerBytes for Piece {
    fn from_bytes(bytes: Bytes) -> Piece {
        Piece(bytes.as_chunks().0.iter().map(|it| u64::from_le_bytes(*it)).collect())
    }

    fn length_in_bytes(&self) -> usize {
        self.0.len() * 8
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        for word in &self.0 {
            writer
                .write_all(&word.to_le_bytes())
                .expect("invariant: timely makes room for a piece");
        }
    }
}

/// Hands each piece to its receiver.
pub(crate) struct ToReceiver;

impl Distributor<Piece> for ToReceiver {
    fn partition<T: Clone, P: Push<Message<T, Piece>>>(
        &mut self,
        piece: &mut Piece,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        if let Some(pusher) = piece.to().and_then(|to| pushers.get_mut(to)) {
            Message::push_at(piece, stamp.clone(), pusher);
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Piece>>>(&mut self, _: &Stamp<T>, _: &mut [P]) {}
}
