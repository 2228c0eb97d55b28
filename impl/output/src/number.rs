//! Options that are whole numbers.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// A parser of the option's text: a whole number in a range.
///
/// # Errors
/// The parser names the range if the text is anything else.
pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: TryFrom<u64> + PartialOrd + Display + Clone,
{
    move |text| {
        let number = text.parse::<u64>().ok().and_then(|it| T::try_from(it).ok());
        number.filter(|it| range.contains(it)).ok_or_else(|| {
            format!("expected a whole number from {} to {}", range.start(), range.end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_range_and_any_other_text_are_answered_with_the_range() {
        let nodes = whole::<u8>(1..=7);
        assert_eq!((nodes("1"), nodes("7")), (Ok(1), Ok(7)));
        for text in
            ["0", "8", "256", "257", "-1", "1.5", "", "seven", "1e0", "99999999999999999999"]
        {
            let says = "expected a whole number from 1 to 7";
            assert_eq!(nodes(text), Err(says.to_owned()), "{text}");
        }
        assert_eq!(whole(0..=u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        assert!(whole(0..=u64::MAX)("18446744073709551616").is_err());
    }
}
