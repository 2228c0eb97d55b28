//! The names of the files in a directory of contents.

use steadfast_delta::manifest::Root;
use steadfast_protocol::ContentId;

/// The file that is locked while the directory is open.
pub(super) const LOCK: &str = "lock";
const DRAFT_END: &str = ".tmp";
const DRAFT_DIGITS: usize = 16;
const ROOT_DIGITS: usize = 64;

/// The meaning of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Content(ContentId),
    Manifest(ContentId, u64),
    Draft,
    Other,
}

pub(super) fn content(content: ContentId) -> String {
    Root(content.0).to_string()
}

pub(super) fn manifest(content: ContentId, length: u64) -> String {
    format!("{}-{length}", Root(content.0))
}

pub(super) fn draft(number: u64) -> String {
    format!("{number:016x}{DRAFT_END}")
}

pub(super) fn parse(name: &str) -> Name {
    if let Some(digits) = name.strip_suffix(DRAFT_END) {
        let is_draft = digits.len() == DRAFT_DIGITS && digits.bytes().all(is_digit);
        return if is_draft { Name::Draft } else { Name::Other };
    }
    let Some((root, rest)) = name.split_at_checked(ROOT_DIGITS) else {
        return Name::Other;
    };
    let root = Some(root).filter(|it| it.bytes().all(is_digit));
    let Some(root) = root.and_then(|it| it.parse::<Root>().ok()) else {
        return Name::Other;
    };
    let root = ContentId(root.0);
    if rest.is_empty() {
        return Name::Content(root);
    }
    let length = rest.strip_prefix('-').and_then(|it| it.parse().ok());
    // Only the name that `manifest` gives: no leading zeros or signs.
    match length.filter(|it| manifest(root, *it) == name) {
        Some(length) => Name::Manifest(root, length),
        None => Name::Other,
    }
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
