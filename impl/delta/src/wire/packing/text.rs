//! A sample decides whether bytes are a text.

/// A text has fewer control characters and bytes beyond ASCII than one in this number.
const OTHERS_SHARE: usize = 16;
/// The sample has this number of evenly spread pieces. With 16 pieces, sources with some tables of other
/// characters were taken for binaries.
const TEXT_PIECES: usize = 128;
/// The length in bytes of a piece.
const TEXT_PIECE: usize = 256;
/// The number of pieces of a first, smaller sample, which rules out most other bytes.
const TEXT_HINTS: usize = 8;
/// The first sample rules bytes out if it has one such byte in this number.
const OTHERS_SHARE_OF_HINT: usize = 3;

/// Whether hardly any of these bytes is a control character or beyond ASCII, judged by a sample: reading all
/// of them takes longer than writing noise.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let [others, read] = count_others(bytes, TEXT_HINTS);
    if others * OTHERS_SHARE_OF_HINT >= read {
        return false;
    }
    let [others, read] = count_others(bytes, TEXT_PIECES);
    others * OTHERS_SHARE < read
}

/// Whether these bytes are rather a text than machine code or numbers, though many may be beyond ASCII.
pub(crate) fn resembles_text(bytes: &[u8]) -> bool {
    let [others, read] = count_others(bytes, TEXT_PIECES);
    others * OTHERS_SHARE_OF_HINT < read
}

/// Of the bytes in some evenly spread pieces, the number of control characters and bytes beyond ASCII, and the
/// number of all.
fn count_others(bytes: &[u8], pieces: usize) -> [usize; 2] {
    let step = (bytes.len() / pieces).max(TEXT_PIECE);
    let is_other = |it: &&u8| !matches!(it, b'\t'..=b'\r' | b' '..=b'~');
    let pieces = bytes.chunks(step).map(|it| &it[..it.len().min(TEXT_PIECE)]);
    pieces.fold([0, 0], |[others, read], piece| {
        [others + piece.iter().filter(is_other).count(), read + piece.len()]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    #[test]
    fn a_text_is_known_by_a_sample_of_all_its_parts() {
        let text = b"what is said again and again,\n".repeat(10_000);
        let noise = noise(text.len());
        assert!(is_text(&text) && is_text(&text[..100]) && !is_text(&noise) && !is_text(b""));
        // Every fifth byte is beyond ASCII.
        let accents = "the naïve café, déjà vu, on a line\n".repeat(1000);
        assert!(resembles_text(accents.as_bytes()) && !is_text(accents.as_bytes()));
        assert!(resembles_text(&text) && !resembles_text(&noise) && !resembles_text(b""));
        let half = text.len() / 2;
        assert!(!is_text(&[&text[..half], &noise[..half]].concat()));
        assert!(!is_text(&[&noise[..half], &text[..half]].concat()));
    }
}
