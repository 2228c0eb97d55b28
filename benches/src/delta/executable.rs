//! Whether a file is a program: where code moves, its addresses change, and a delta is long.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How much of a file is looked at.
const HEAD_BYTES: u64 = 4096;

/// Whether a file is an executable or a library of Linux, macOS or Windows.
pub(super) fn is_executable(file: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(file)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(is_elf(&head) || is_mach_o(&head) || is_pe(&head))
}

fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7FELF")
}

fn is_mach_o(head: &[u8]) -> bool {
    match head.first_chunk().map(|it| u32::from_be_bytes(*it)) {
        // In either byte order.
        Some(0xFEED_FACE | 0xFEED_FACF | 0xCEFA_EDFE | 0xCFFA_EDFE) => true,
        // Of several architectures, whose number follows. Java's classes begin alike, with their
        // version in that place, which is 45 or more.
        Some(0xCAFE_BABE) => matches!(number_at(head, 4).map(u32::swap_bytes), Some(1..45)),
        _ => false,
    }
}

/// `MZ` also begins what ran before Windows did; where the newer header is, stands at 60.
fn is_pe(head: &[u8]) -> bool {
    let header = number_at(head, 60).and_then(|at| head.get(usize::try_from(at).ok()?..));
    head.starts_with(b"MZ") && header.is_some_and(|it| it.starts_with(b"PE\0\0"))
}

/// Four bytes, little end first.
fn number_at(head: &[u8], at: usize) -> Option<u32> {
    head.get(at..)?.first_chunk().map(|it| u32::from_le_bytes(*it))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn programs_are_told_from_what_begins_like_them() {
        let this = std::env::current_exe().expect("a program");
        assert!(is_executable(&this).expect("it can be read"));
        let mut windows = b"MZ".to_vec();
        windows.resize(128, 0);
        windows[60] = 124;
        let dos = windows.clone();
        windows[124..].copy_from_slice(b"PE\0\0");
        for (head, expected) in [
            (&b"\xCF\xFA\xED\xFE\x07\0\0\x01"[..], true),
            (b"\xCA\xFE\xBA\xBE\0\0\0\x02", true),
            (b"\xCA\xFE\xBA\xBE\0\0\0\x34", false),
            (&windows, true),
            (&dos, false),
            (b"MZ", false),
            (b"", false),
            (b"some text", false),
        ] {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(head).expect("a file");
            assert_eq!(is_executable(file.path()).expect("a file"), expected, "{head:x?}");
        }
    }
}
