//! Reports as JSON; `JSON.md` beside this crate's sources documents them.

use serde::Serialize;
use steadfast_output::{escaped, say};

use crate::failure::Failure;
use crate::verdict::Verdict;

/// The version of all reports. It changes when a key is renamed or gone, not when one is added.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Report<'a, T> {
    version: u32,
    ok: bool,
    verdict: Verdict,
    #[serde(flatten)]
    report: &'a T,
}

/// Prints a report and its verdict as one JSON object.
pub(crate) fn print(verdict: Verdict, report: &impl Serialize) -> Result<(), Failure> {
    let report = Report { version: VERSION, ok: verdict == Verdict::Kept, verdict, report };
    say(for_terminal(&serde_json::to_string_pretty(&report).map_err(Failure::io)?));
    Ok(())
}

/// The same JSON without the characters that a terminal would obey, which a file may have put into a name.
/// serde escapes those below U+0020; the others occur within strings only.
pub(crate) fn for_terminal(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for it in json.chars() {
        let mut bytes = [0; 4];
        let character: &str = it.encode_utf8(&mut bytes);
        match it.is_ascii_whitespace() || escaped(character) == character {
            true => text.push(it),
            false => text += &format!("\\u{:04x}", u32::from(it)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_mean_the_same() {
        let text = "a\u{1b}[31m b\u{9b}31m\u{7f}\n\u{202e}ä";
        let json = for_terminal(&serde_json::to_string(text).expect("text"));
        assert!(!json.contains(char::is_control) && !json.contains('\u{202e}'), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).expect("text"), text);
    }
}
