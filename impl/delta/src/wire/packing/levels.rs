//! The levels of zstd, and the time that they take.

/// Of longer streams no levels between that and the fastest one are tried: of 190 kB of records they took
/// 3% of the time of a diff and were never the shortest.
const LEVELS_MAX: usize = 32 << 10;
/// The level of zstd that takes least time and still packs.
pub(crate) const LEVEL_FASTEST: i32 = 1;

/// The levels of zstd that are worth their time, and the nanoseconds that they take for a byte.
pub(super) const LEVELS: [(i32, usize); 7] =
    [(19, 330), (13, 100), (11, 38), (9, 22), (6, 15), (3, 6), (1, 3)];

/// The best level that takes no longer than `time` nanoseconds.
pub(super) fn level(length: usize, time: usize) -> i32 {
    let affordable = LEVELS.into_iter().find(|(_, cost)| length * cost <= time);
    affordable.map_or(LEVEL_FASTEST, |(level, _)| level)
}

/// The nanoseconds that a level takes for a byte.
pub(super) fn cost(level: i32) -> usize {
    LEVELS.into_iter().find(|it| it.0 == level).map_or(0, |it| it.1)
}

/// The levels below `level` that are tried as well within `left` nanoseconds: the matches of a higher
/// level may take more than they save. The fastest level is always tried.
pub(super) fn lower_levels(
    length: usize,
    level: i32,
    mut left: usize,
) -> impl Iterator<Item = i32> {
    let levels = LEVELS.into_iter().filter(move |it| it.0 < level);
    let levels = levels.filter(move |(level, cost)| {
        let is_affordable = length <= LEVELS_MAX && length * cost <= left;
        left -= if is_affordable { length * cost } else { 0 };
        is_affordable || *level == LEVEL_FASTEST
    });
    levels.map(|it| it.0)
}

/// All levels that a stream without a prefix is packed with in these times.
pub(super) fn levels(length: usize, times: &[usize]) -> Vec<i32> {
    let mut levels: Vec<i32> = Vec::new();
    for time in times {
        let first = level(length, *time);
        let lower = lower_levels(length, first, time.saturating_sub(length * cost(first)));
        levels.extend(std::iter::once(first).chain(lower));
    }
    levels.sort_unstable_by_key(|it| std::cmp::Reverse(*it));
    levels.dedup();
    levels
}

#[cfg(test)]
mod tests {
    use super::super::TRIED_MAX;
    use super::*;

    #[test]
    fn a_way_that_a_shorter_time_has_room_for_is_tried_in_a_longer_one_as_well() {
        for length in [100, 10_000, TRIED_MAX, TRIED_MAX + 1] {
            for (_, cost) in LEVELS {
                let [short, long] = [cost * length, 2 * cost * length];
                let (short_alone, both) =
                    (levels(length, &[short]), levels(length, &[long, short]));
                assert!(short_alone.iter().all(|it| both.contains(it)), "{length}, {cost}");
                assert!(
                    both.is_sorted_by(|a, b| a > b) && both.last() == Some(&LEVEL_FASTEST),
                    "{both:?}"
                );
            }
        }
    }
}
