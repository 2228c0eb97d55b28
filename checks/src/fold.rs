//! Texts in the width of a terminal.

use textwrap::{Options, WordSplitter, fill};

/// The width that every table fits.
const WIDTH: usize = 80;

/// A text in lines of at most 80 columns. Those after the first begin with `indent`. A longer word, such as
/// the name of a file, stays whole.
pub(crate) fn fold(text: &str, indent: &str) -> String {
    let options = Options::new(WIDTH).subsequent_indent(indent);
    fill(text, options.break_words(false).word_splitter(WordSplitter::NoHyphenation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_longer_than_a_line_is_folded_between_words() {
        let items: Vec<String> = (0..40).map(|it| format!("item-{it}")).collect();
        let text = fold(&items.join(" "), "    ");
        assert!(text.lines().all(|it| it.len() <= 80) && text.lines().count() > 4, "{text}");
        assert_eq!(text.replace("\n   ", ""), items.join(" "));
        assert_eq!(fold(&"x".repeat(100), " "), "x".repeat(100));
    }
}
