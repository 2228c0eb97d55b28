//! Which constants of some code the compiler has to know.

use proc_macro2::{Delimiter, TokenTree};

use super::tokens::{idents, is_punct, is_word};

/// The words in the lengths of arrays, in patterns, in arguments of types, and in the values of constants that
/// are no items of the module itself.
pub(super) fn known_to_the_compiler(tokens: &[TokenTree]) -> Vec<String> {
    let mut found = Vec::new();
    visit(tokens, true, &mut found);
    found
}

fn visit(tokens: &[TokenTree], is_module: bool, found: &mut Vec<String>) {
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        match token {
            TokenTree::Ident(word) if word == "let" => {
                let is_end = |it: &TokenTree| is_punct(it, '=') || is_punct(it, ';');
                idents(up_to(&tokens[at + 1..], is_end), found);
            }
            TokenTree::Ident(word) if (word == "const" && !is_module) || word == "static" => {
                idents(up_to(&tokens[at + 1..], |it| is_punct(it, ';')), found);
            }
            TokenTree::Ident(word)
                if word == "const" && next.is_some_and(|it| is_word(it, "fn")) =>
            {
                let is_body = |it: &TokenTree| is_group(it, Delimiter::Brace);
                let end =
                    tokens[at..].iter().position(is_body).map_or(tokens.len(), |it| at + it + 1);
                idents(&tokens[at..end], found);
            }
            TokenTree::Ident(word)
                if word == "const" && next.is_some_and(|it| is_word(it, "_")) =>
            {
                idents(up_to(&tokens[at + 1..], |it| is_punct(it, ';')), found);
            }
            TokenTree::Ident(word) if word == "matches" => {
                if let Some(TokenTree::Group(group)) = tokens.get(at + 2) {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    let comma = inner.iter().position(|it| is_punct(it, ',')).unwrap_or(0);
                    idents(&inner[comma..], found);
                }
            }
            TokenTree::Punct(sign) if sign.as_char() == '>' => {
                if at > 0 && is_punct(&tokens[at - 1], '=') {
                    idents(pattern_before(&tokens[..at - 1]), found);
                } else if at > 1 && is_punct(&tokens[at - 2], '<') {
                    idents(&tokens[at - 1..at], found);
                }
            }
            TokenTree::Group(group) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                if group.delimiter() == Delimiter::Bracket
                    && let Some(end) = inner.iter().position(|it| is_punct(it, ';'))
                {
                    idents(&inner[end..], found);
                }
                visit(&inner, false, found);
            }
            _ => {}
        }
    }
}

/// The pattern of an arm, without its condition, where `tokens` end before its arrow.
fn pattern_before(tokens: &[TokenTree]) -> &[TokenTree] {
    let is_end = |it: &TokenTree| is_punct(it, ',') || is_group(it, Delimiter::Brace);
    let start = tokens.iter().rposition(is_end).map_or(0, |it| it + 1);
    up_to(&tokens[start..], |it| is_word(it, "if"))
}

fn up_to(tokens: &[TokenTree], is_end: impl Fn(&TokenTree) -> bool) -> &[TokenTree] {
    let end = tokens.iter().position(is_end);
    &tokens[..end.unwrap_or(tokens.len())]
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}
