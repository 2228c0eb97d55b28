//! How long the streams of a frame may take to be packed.
//!
//! Patches of 15 pairs when a number is halved or doubled (see `diff`):
//!
//! | number | half | double |
//! |---|---|---|
//! | `TEXT_TIME` | 1.2% longer | 1.5% shorter |
//! | `RETRIED_MIN` | the same | the same |

use crate::effort::Effort;
use crate::wire::packing::is_text;

/// At default effort, longer literals that are no text are not packed a second time: a sample told which
/// level to take.
const RETRIED_MIN: usize = 256 << 10;
/// The nanoseconds that packing a byte of a text may take, if that is more than the others may: the higher
/// levels make it shorter by a third, and binary literals by a tenth.
const TEXT_TIME: usize = 24;

/// The nanoseconds that packing may take: any other stream than the literals, and these. The time of the
/// effort comes first and those of less effort follow, so that more effort makes no stream longer.
pub(super) fn times(effort: Effort, new_length: usize, literals: &[u8]) -> Vec<[usize; 2]> {
    let is_text = is_text(literals);
    let efforts: &[Effort] = match effort {
        Effort::Fast => &[Effort::Fast],
        Effort::Default if literals.len() >= RETRIED_MIN && !is_text => &[Effort::Default],
        Effort::Default => &[Effort::Default, Effort::Fast],
        Effort::Small => &[Effort::Small, Effort::Default, Effort::Fast],
    };
    let times = efforts.iter().map(|effort| {
        let [others, of_literals] = times_of(*effort, new_length);
        let of_text =
            if is_text && *effort != Effort::Fast { TEXT_TIME * literals.len() } else { 0 };
        [others, of_literals.max(of_text)]
    });
    times.collect()
}

/// The times for a frame with this number of new bytes.
fn times_of(effort: Effort, new_length: usize) -> [usize; 2] {
    match effort {
        Effort::Fast => {
            let [others, literals] = times_of(Effort::Default, new_length);
            [others, literals.min((new_length / 16).max(500_000))]
        }
        Effort::Default => {
            let start = (new_length / 4).clamp(1_000_000, 4_000_000);
            [125_000 + new_length / 1024, start + new_length / 64]
        }
        Effort::Small => [new_length / 2, new_length * 3].map(|it| it.max(4_000_000)),
    }
}
