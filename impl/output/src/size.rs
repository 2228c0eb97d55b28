//! Options that are a number of bytes.

/// The units and how many bytes each has, as `dd` and other tools count them.
const UNITS: [(&str, u64); 14] = [
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("P", 1 << 50),
];

/// The bytes of an option: a whole number, with or without a unit behind it. K,
/// M, G, T and P are powers of 1024, as KiB and so on are; KB, MB, GB and TB are powers of 1000. Upper
/// and lower case are the same.
///
/// # Errors
/// It is no such number, or needs more than 64 bits; the error names the accepted form.
pub fn bytes(text: &str) -> Result<u64, String> {
    parse(text, "B").ok_or_else(|| {
        "expected a whole number of bytes below 2^64, such as 4096, 64K, 100MB or 1G".to_owned()
    })
}

/// The bytes of an option that counts MiB where no unit is behind it.
///
/// # Errors
/// As with [`bytes`].
pub fn mebibytes(text: &str) -> Result<u64, String> {
    parse(text, "MiB").ok_or_else(|| {
        "expected a whole number of MiB, or one with its unit, such as 500M or 8G".to_owned()
    })
}

fn parse(text: &str, default_unit: &str) -> Option<u64> {
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { default_unit } else { unit.trim_start() };
    let (_, factor) = UNITS.iter().find(|it| it.0.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_what_is_no_size_is_told_what_is() {
        for (text, expected) in [
            ("0", 0),
            ("4096", 4_096),
            ("1K", 1_024),
            ("1k", 1_024),
            ("64 KiB", 65_536),
            ("100MB", 100_000_000),
            ("1G", 1 << 30),
            ("2tib", 2 << 40),
            ("3p", 3 << 50),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for (text, expected) in [("8192", 8 << 30), ("8G", 8 << 30), ("0", 0), ("4096B", 4_096)] {
            assert_eq!(mebibytes(text), Ok(expected), "{text}");
        }
        assert!(mebibytes("8.5").is_err_and(|it| it.contains("500M or 8G")));
        for text in ["", "G", "-1", "+1", "1.5G", "1e9", "1X", "0x10", "16384P", "1 G 1", "1\u{e9}"]
        {
            assert!(bytes(text).is_err_and(|it| it.contains("64K, 100MB or 1G")), "{text}");
        }
    }
}
