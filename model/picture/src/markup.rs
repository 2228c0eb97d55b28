//! Text as markup: no character of a name acts as markup.

/// Text without a meaning for XML and HTML. Every text of a picture goes through here.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push('\n'),
            it if it.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            // Not characters of XML.
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            it => escaped.push(it),
        }
    }
    escaped
}

/// Numbers with spaces between, as an attribute lists them.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|it| it.to_string()).collect();
    items.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_the_markup() {
        assert_eq!(escaped("<a&\"b'\u{7}>\u{ffff}"), "&lt;a&amp;&quot;b&apos;\u{fffd}&gt;\u{fffd}");
    }
}
