//! Messages between processes as words.

/// Writes a message.
#[derive(Default)]
pub(super) struct Writer(pub Vec<u64>);

impl Writer {
    pub(super) fn word(&mut self, word: u64) {
        self.0.push(word);
    }

    /// A list with its length.
    pub(super) fn list(&mut self, words: &[u64]) {
        self.word(words.len() as u64);
        self.0.extend_from_slice(words);
    }

    /// Bytes with their number, eight in a word.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for eight in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..eight.len()].copy_from_slice(eight);
            self.word(u64::from_le_bytes(word));
        }
    }
}

/// Reads a message. `None` means that the message is shorter than it says.
pub(super) struct Reader<'a>(pub &'a [u64]);

impl<'a> Reader<'a> {
    pub(super) fn word(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next words.
    pub(super) fn words(&mut self, len: usize) -> Option<&'a [u64]> {
        let (words, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(words)
    }

    /// The number of items in a list.
    pub(super) fn len(&mut self) -> Option<usize> {
        usize::try_from(self.word()?).ok()
    }

    pub(super) fn list(&mut self) -> Option<&'a [u64]> {
        let len = self.len()?;
        self.words(len)
    }

    pub(super) fn bytes(&mut self) -> Option<Vec<u8>> {
        let len = self.len()?;
        let words = self.words(len.div_ceil(8))?;
        let mut bytes: Vec<u8> = words.iter().flat_map(|it| it.to_le_bytes()).collect();
        bytes.truncate(len);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_no_further() {
        let mut out = Writer::default();
        out.word(7);
        out.bytes(b"nine byte");
        out.list(&[1, 2]);
        let mut from = Reader(&out.0);
        assert_eq!((from.word(), from.bytes()), (Some(7), Some(b"nine byte".to_vec())));
        assert_eq!((from.list(), from.word()), (Some(&[1, 2][..]), None));
        for end in 0..out.0.len() {
            let mut cut = Reader(&out.0[..end]);
            let read = (|| Some((cut.word()?, cut.bytes()?, cut.list()?.len())))();
            assert_eq!(read, None, "cut at {end}");
        }
        assert_eq!(Reader(&[u64::MAX, 1]).list(), None, "longer than memory");
        assert_eq!(Reader(&[u64::MAX, 1]).bytes(), None, "longer than memory");
    }
}
