//! The copy of a file in which constants can be changed.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use super::constant::{Factor, Key, is_called, is_logarithm, key_of};
use super::tokens::{Found, constant_at, end_of, is_item, is_punct, is_word, stream_of};

/// What becomes of a file.
pub(super) struct Rewriting<'a> {
    /// The path of its module.
    pub(super) module: &'a str,
    /// The names by which the file knows constants.
    pub(super) names: &'a BTreeMap<String, Key>,
    /// The numbers of the constants that can be changed.
    pub(super) numbers: &'a BTreeMap<Key, usize>,
    /// The constant that gets another value, and which.
    pub(super) fixed: Option<(&'a Key, Factor)>,
}

impl Rewriting<'_> {
    /// Rewrites words; constants are items of the module itself.
    pub(super) fn stream(&self, tokens: &[TokenTree], is_module: bool) -> TokenStream {
        let mut out: Vec<TokenTree> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if is_word(&tokens[at], "use") && is_item(tokens, at) {
                let end = end_of(tokens, at);
                out.extend_from_slice(&tokens[at..end]);
                at = end;
            } else if is_module && let Some(found) = constant_at(tokens, at) {
                // Attributes come before `pub` and what it is limited to.
                let is_limit = out.len() >= 2 && is_word(&out[out.len() - 2], "pub");
                let is_public = out.last().is_some_and(|it| is_word(it, "pub"));
                let visibility = match (is_limit, is_public) {
                    (true, _) => out.split_off(out.len() - 2),
                    (_, true) => out.split_off(out.len() - 1),
                    _ => Vec::new(),
                };
                out.extend(self.constant(&stream_of(&visibility), &found));
                at = found.end;
            } else {
                self.token(tokens, at, &mut out);
                at += 1;
            }
        }
        out.into_iter().collect()
    }

    fn constant(&self, visibility: &TokenStream, found: &Found<'_>) -> TokenStream {
        let key = key_of(self.module, &found.name);
        let (name, kind) = (&found.name, stream_of(found.kind));
        let value = self.stream(found.value, false);
        let text = match (self.numbers.get(&key), self.fixed) {
            (Some(number), _) => {
                let scale = if is_logarithm(name) { "logarithm" } else { "number" };
                format!(
                    "#[allow(non_snake_case)] #[inline(always)] {visibility} fn {name}() -> {kind} {{ \
                     crate::tuned::{scale}({number}, {value}) }}"
                )
            }
            (None, Some((fixed, factor))) if *fixed == key => {
                let change = match (factor, is_logarithm(name)) {
                    (Factor::Half, false) => "/ 2",
                    (Factor::Double, false) => "* 2",
                    (Factor::Half, true) => "- 1",
                    (Factor::Double, true) => "+ 1",
                };
                format!("{visibility} const {name}: {kind} = ({value}) {change};")
            }
            _ => format!("{visibility} const {name}: {kind} = {value};"),
        };
        text.parse().unwrap_or_default()
    }

    fn token(&self, tokens: &[TokenTree], at: usize, out: &mut Vec<TokenTree>) {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                // Modules within a file are tests or code for one processor, whose constants stay.
                let mut group = Group::new(group.delimiter(), self.stream(&inner, false));
                group.set_span(Span::call_site());
                out.push(group.into());
            }
            TokenTree::Ident(ident) if self.is_changeable(tokens, at, ident) => {
                out.push(ident.clone().into());
                out.push(Group::new(Delimiter::Parenthesis, TokenStream::new()).into());
            }
            token => out.push(token.clone()),
        }
    }

    fn is_changeable(&self, tokens: &[TokenTree], at: usize, ident: &Ident) -> bool {
        let name = ident.to_string();
        let is_path = at >= 2 && is_punct(&tokens[at - 1], ':') && is_punct(&tokens[at - 2], ':');
        let key = match at.checked_sub(3).map(|it| tokens[it].to_string()) {
            Some(module) if is_path => self.numbers.keys().find(|it| is_called(it, &module, &name)),
            _ => self.names.get(&name),
        };
        key.is_some_and(|it| self.numbers.contains_key(it))
    }
}
