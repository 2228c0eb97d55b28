//! Options that are durations.

use std::time::Duration;

/// The duration of an option in seconds.
///
/// # Errors
/// It is not a number, or too large or negative; the error names the accepted form.
pub fn seconds(text: &str) -> Result<Duration, String> {
    parse(text, 1.0).ok_or_else(|| "expected a number of seconds, such as 30 or 0.5".to_owned())
}

/// The duration of an option in minutes.
///
/// # Errors
/// As with [`seconds`].
pub fn minutes(text: &str) -> Result<Duration, String> {
    parse(text, 60.0).ok_or_else(|| "expected a number of minutes, such as 30 or 0.5".to_owned())
}

fn parse(text: &str, unit_s: f64) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(number * unit_s).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_fractions_and_what_is_no_duration_is_told_what_is() {
        for (text, expected) in [("30", 30_000), ("0.1", 100), (".5", 500), ("0", 0)] {
            assert_eq!(seconds(text), Ok(Duration::from_millis(expected)));
            assert_eq!(minutes(text), Ok(Duration::from_millis(60 * expected)));
        }
        for text in ["", "-1", "nan", "inf", "1e99", "30s", "0,5"] {
            assert!(seconds(text).is_err_and(|it| it.ends_with("seconds, such as 30 or 0.5")));
            assert!(minutes(text).is_err_and(|it| it.ends_with("minutes, such as 30 or 0.5")));
        }
    }
}
