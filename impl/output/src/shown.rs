//! Names as a terminal may show them.

use std::path::Path;

/// A path as messages show it, [`escaped`]. Bytes that are not UTF-8 show as U+FFFD.
#[must_use]
pub fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// A text with its control characters as Rust escapes them. A file name may hold any of them: shown
/// as they are, they would move the cursor, colour the terminal or feign another message.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() || is_directional(character) {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    escaped
}

/// Whether a character turns the direction of the text around it.
fn is_directional(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn control_characters_are_escaped_and_letters_are_not() {
        let name = |bytes: &[u8]| shown(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(name(b"a\x1b[31mred\nline\x7f"), "a\\u{1b}[31mred\\nline\\u{7f}");
        assert_eq!(name("\u{9b}31m \u{202e}txt".as_bytes()), "\\u{9b}31m \\u{202e}txt");
        assert_eq!(name("Übung 1/\\文".as_bytes()), "Übung 1/\\文");
        assert_eq!(name(b"\xff"), "\u{fffd}");
    }
}
