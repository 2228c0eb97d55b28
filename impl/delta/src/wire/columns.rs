//! Varints sorted into columns: all first bytes, then all second ones, and so on.
//!
//! The low bytes of numbers are unlike their high ones, and each column has a code of its own when it
//! is packed. Each varint has one byte below 0x80, its last, so a decoder finds where each column
//! ends.

use std::ops::Range;

use super::varint;

/// A varint that is cut short leaves a byte that nothing follows.
const COLUMNS_MAX: usize = varint::BYTES_MAX;

/// The columns of some varints, one behind the other, and the range of each, or `None` if the last
/// varint is cut short or one is too long.
pub(crate) fn split(varints: &[u8]) -> Option<(Vec<u8>, Vec<Range<usize>>)> {
    let mut columns: [Vec<u8>; COLUMNS_MAX] = Default::default();
    let mut column = 0;
    for byte in varints {
        columns.get_mut(column)?.push(*byte);
        column = if *byte < 0x80 { 0 } else { column + 1 };
    }
    let mut end = 0;
    let ranges = columns.iter().map(|it| {
        let start = end;
        end += it.len();
        start..end
    });
    let ranges = ranges.filter(|it| !it.is_empty()).collect();
    (column == 0).then(|| (columns.concat(), ranges))
}

/// The varints of these columns, or `None` if no varints have them.
pub(crate) fn join(columns: &[u8]) -> Option<Vec<u8>> {
    let mut rest = columns;
    let mut length = columns.iter().filter(|it| **it < 0x80).count();
    let mut columns_left = Vec::new();
    while length > 0 {
        let column = rest.split_off(..length)?;
        length = column.iter().filter(|it| **it >= 0x80).count();
        columns_left.push(column);
    }
    if !rest.is_empty() || columns_left.len() > COLUMNS_MAX {
        return None;
    }
    let mut varints = Vec::with_capacity(columns.len());
    while columns_left.first().is_some_and(|it| !it.is_empty()) {
        for column in &mut columns_left {
            let byte = *column.split_off_first()?;
            varints.push(byte);
            if byte < 0x80 {
                break;
            }
        }
    }
    Some(varints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;
    use crate::wire::varint;

    #[test]
    fn varints_come_back_from_their_columns() {
        let words = noise(8 * 2000);
        let mut varints = Vec::new();
        for (index, word) in words.chunks_exact(8).enumerate() {
            assert_eq!(join(&split(&varints).expect("whole varints").0).as_ref(), Some(&varints));
            varint::put(&mut varints, crate::compare::word(word) >> (index % 64));
        }
        let (columns, ranges) = split(&varints).expect("whole varints");
        assert_eq!(ranges.len(), COLUMNS_MAX);
        assert_eq!(ranges.last().map(|it| it.end), Some(columns.len()));
    }

    #[test]
    fn no_bytes_but_columns_are_joined() {
        assert_eq!(split(&[0x80]), None);
        assert_eq!(split(&[&[0x80; 10][..], &[1]].concat()), None);
        assert_eq!(split(&[]), Some((Vec::new(), Vec::new())));
        // Any bytes: what is joined has these columns, and nothing panics.
        for bytes in
            noise(6000).chunks(7).flat_map(|it| (0..7).map(move |to| &it[..to.min(it.len())]))
        {
            if let Some(varints) = join(bytes) {
                assert_eq!(split(&varints).expect("whole varints").0, bytes);
            }
        }
        for bytes in [&[0x80][..], &[1, 2, 0x80], &[1, 1, 0x80, 1, 0x80]] {
            assert_eq!(join(bytes), None, "{bytes:?}");
        }
        assert_eq!(join(&[0x80, 1]), Some(vec![0x80, 1]));
    }
}
