//! The words of Rust sources: constants, imports, and what only tests compile.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A constant amid tokens.
pub(super) struct Found<'a> {
    pub(super) name: String,
    pub(super) kind: &'a [TokenTree],
    pub(super) value: &'a [TokenTree],
    pub(super) end: usize,
}

/// The constant of a module that begins there.
pub(super) fn constant_at(tokens: &[TokenTree], at: usize) -> Option<Found<'_>> {
    if !is_word(&tokens[at], "const") {
        return None;
    }
    let TokenTree::Ident(name) = tokens.get(at + 1)? else { return None };
    if name == "fn" || name == "_" || !is_punct(tokens.get(at + 2)?, ':') {
        return None;
    }
    let end = end_of(tokens, at);
    let equals = (at..end).find(|it| is_punct(&tokens[*it], '='))?;
    let (kind, value) = (&tokens[at + 3..equals], &tokens[equals + 1..end - 1]);
    Some(Found { name: name.to_string(), kind, value, end })
}

/// The paths that a file imports, and the names that it gives them.
pub(super) fn uses_of(tokens: &[TokenTree], found: &mut Vec<(Vec<String>, String)>) {
    for at in 0..tokens.len() {
        if is_word(&tokens[at], "use") && is_item(tokens, at) {
            tree(&tokens[at + 1..end_of(tokens, at) - 1], &[], found);
        } else if let TokenTree::Group(group) = &tokens[at] {
            uses_of(&group.stream().into_iter().collect::<Vec<_>>(), found);
        }
    }
}

fn tree(tokens: &[TokenTree], before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    for one in tokens.split(|it| is_punct(it, ',')) {
        let mut path = before.to_vec();
        let mut alias = None;
        let mut words = one.iter().peekable();
        while let Some(token) = words.next() {
            match token {
                TokenTree::Ident(ident) if ident == "as" => {
                    alias = words.next().map(ToString::to_string);
                }
                TokenTree::Ident(ident) => path.push(ident.to_string()),
                TokenTree::Group(group) => {
                    tree(&group.stream().into_iter().collect::<Vec<_>>(), &path, found);
                    path.clear();
                }
                _ => {}
            }
        }
        if let Some(last) = path.last().cloned() {
            found.push((path, alias.unwrap_or(last)));
        }
    }
}

/// Whether `use` is the keyword of an item, and no part of another word or path.
pub(super) fn is_item(tokens: &[TokenTree], at: usize) -> bool {
    tokens[at..].iter().any(|it| is_punct(it, ';'))
}

/// The position behind the next semicolon.
pub(super) fn end_of(tokens: &[TokenTree], at: usize) -> usize {
    let end = tokens[at..].iter().position(|it| is_punct(it, ';'));
    end.map_or(tokens.len(), |it| at + it + 1)
}

/// Leaves out what only tests compile.
pub(super) fn without_tests(stream: TokenStream) -> Vec<TokenTree> {
    let tokens: Vec<_> = stream.into_iter().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_test = is_punct(&tokens[at], '#')
            && tokens
                .get(at + 1)
                .is_some_and(|it| it.to_string().replace(' ', "") == "[cfg(test)]");
        if is_test {
            let is_end = |it: &TokenTree| {
                is_punct(it, ';')
                    || matches!(it, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
            };
            at += tokens[at..].iter().position(is_end).map_or(tokens.len(), |it| it + 1);
        } else {
            out.push(tokens[at].clone());
            at += 1;
        }
    }
    out
}

/// All words.
pub(super) fn idents(tokens: &[TokenTree], found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) => {
                idents(&group.stream().into_iter().collect::<Vec<_>>(), found);
            }
            _ => {}
        }
    }
}

pub(super) fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(it) if it.as_char() == sign)
}

pub(super) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(it) if it == word)
}

pub(super) fn stream_of(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}
