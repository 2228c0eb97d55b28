//! How long the streams of a frame may take to be packed.

use crate::effort::Effort;
use crate::wire::packing::text::is_text;

/// At default effort, longer literals that are no text are not packed a second time: a sample told which
/// level to take.
const RETRIED_MIN: usize = 256 << 10;
/// The nanoseconds that packing a byte of a text may take, if that is more than the others may: the higher
/// levels make it shorter by a third, and binary literals by a tenth.
const TEXT_TIME: usize = 24;
/// At default effort, a byte has less time where the patch has more literals than this: packing all of them
/// takes no longer than packing this number of bytes.
const TEXT_MAX: usize = 32 << 20;

/// At effort fast, packing the literals may take a nanosecond for each new byte in this number,
const FAST_SHARE: usize = 16;
/// or this number of nanoseconds if that is more, and no longer than at effort default.
const FAST_MIN: usize = 500_000;
/// At effort default, packing the literals may take a nanosecond for each new byte in this number,
const LITERALS_SHARE: usize = 64;
/// and a start for the frame: a nanosecond for each new byte in this number,
const START_SHARE: usize = 4;
/// but no fewer nanoseconds than this
const START_MIN: usize = 1_000_000;
/// and no more than this.
const START_MAX: usize = 4_000_000;
/// At effort default, packing each other stream may take a nanosecond for each new byte in this number,
const OTHERS_SHARE: usize = 1 << 10;
/// and this number of nanoseconds for the frame.
const OTHERS_START: usize = 125_000;
/// At effort small, packing the literals may take this number of nanoseconds for each new byte,
const SMALL_LITERALS_TIME: usize = 3;
/// each other stream one for each new byte in this number,
const SMALL_OTHERS_SHARE: usize = 2;
/// and either as long as the longest start at effort default.
const SMALL_MIN: usize = START_MAX;

/// The nanoseconds that packing may take: any other stream than the literals, and these, which are a part of
/// all literals of the patch. The time of the effort comes first and those of less effort follow, so that more
/// effort makes no stream longer.
pub(super) fn times(
    effort: Effort,
    new_length: usize,
    literals: &[u8],
    all_literals: usize,
) -> Vec<[usize; 2]> {
    let is_text = is_text(literals);
    let efforts: &[Effort] = match effort {
        Effort::Fast => &[Effort::Fast],
        Effort::Default if literals.len() >= RETRIED_MIN && !is_text => &[Effort::Default],
        Effort::Default => &[Effort::Default, Effort::Fast],
        Effort::Small => &[Effort::Small, Effort::Default, Effort::Fast],
    };
    let times = efforts.iter().map(|effort| {
        let [others, of_literals] = times_of(*effort, new_length);
        let of_text = match effort {
            Effort::Default if is_text => literals.len() * text_time(all_literals),
            Effort::Small if is_text => literals.len() * TEXT_TIME,
            _ => 0,
        };
        [others, of_literals.max(of_text)]
    });
    times.collect()
}

/// The nanoseconds that packing a byte of a text may take at default effort.
fn text_time(all_literals: usize) -> usize {
    TEXT_TIME * TEXT_MAX / all_literals.max(TEXT_MAX)
}

/// The times for a frame with this number of new bytes.
fn times_of(effort: Effort, new_length: usize) -> [usize; 2] {
    match effort {
        Effort::Fast => {
            let [others, literals] = times_of(Effort::Default, new_length);
            [others, literals.min((new_length / FAST_SHARE).max(FAST_MIN))]
        }
        Effort::Default => {
            let start = (new_length / START_SHARE).clamp(START_MIN, START_MAX);
            [OTHERS_START + new_length / OTHERS_SHARE, start + new_length / LITERALS_SHARE]
        }
        Effort::Small => [new_length / SMALL_OTHERS_SHARE, new_length * SMALL_LITERALS_TIME]
            .map(|it| it.max(SMALL_MIN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_all_literals_of_a_text_has_a_bound_at_default_effort() {
        let frame = b"a line of a text, ".repeat(20_000);
        let of_literals =
            |effort, frames: usize| times(effort, frame.len(), &frame, frames * frame.len())[0][1];
        let whole = TEXT_TIME * frame.len();
        assert_eq!(of_literals(Effort::Default, TEXT_MAX / frame.len()), whole);
        for frames in [200, 300, 500] {
            let all = of_literals(Effort::Default, frames) * frames;
            assert!(all <= TEXT_TIME * TEXT_MAX, "{frames} frames: {all} ns");
            assert_eq!(of_literals(Effort::Small, frames), whole.max(4_000_000));
        }
    }

    #[test]
    fn the_times_of_less_effort_are_among_those_of_more() {
        let text = b"a line of a text, ".repeat(20_000);
        for all_literals in [text.len(), 4 * TEXT_MAX] {
            let of = |effort| times(effort, text.len(), &text, all_literals);
            let [fast, default, small] = [Effort::Fast, Effort::Default, Effort::Small].map(of);
            assert!(fast.iter().all(|it| default.contains(it)));
            assert!(default.iter().all(|it| small.contains(it)));
        }
    }
}
