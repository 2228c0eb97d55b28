//! Parts of a manifest that come one by one.

mod common;

use std::sync::Arc;

use common::noise;
use steadfast_delta::manifest::{
    CHUNK_LENGTH_MAX, Chunk, Cut, Depth, Hash, Manifest, ManifestError, Root, Section,
};

fn samples() -> Vec<Vec<u8>> {
    let mut samples =
        vec![noise(1, 5 << 20), b"a line of text\n".repeat(200_000), vec![0; (9 << 20) + 5]];
    samples.extend([1, 100, CHUNK_LENGTH_MAX, CHUNK_LENGTH_MAX + 1].map(|it| noise(3, it)));
    samples
}

/// Each section with whether it ends the content.
fn sections(manifest: &Manifest) -> impl Iterator<Item = (&Arc<Section>, bool)> {
    let count = manifest.sections().len();
    manifest.sections().iter().enumerate().map(move |(at, it)| (it, at + 1 == count))
}

#[test]
fn a_content_is_known_by_its_parts() {
    for content in samples() {
        for depth in [Depth::Chunks, Depth::Grains] {
            let manifest = Manifest::of(&content, depth);
            let hashes = manifest.sections().iter().map(|it| it.hash());
            assert_eq!(Root::of_hashes(manifest.length(), hashes), manifest.root());
            let parts = sections(&manifest).map(|(section, is_last)| {
                assert_eq!(section.cut() == Cut::End, is_last);
                let read = Section::from_bytes(&section.to_bytes(), section.hash(), is_last);
                Arc::new(read.expect("a section"))
            });
            let parts: Vec<_> = parts.collect();
            let expected = Manifest::of(&content, Depth::Chunks);
            assert_eq!(Manifest::from_sections(parts), expected);
            assert_eq!(Manifest::from_sections(manifest.sections().to_vec()), expected);
        }
        let manifest = Manifest::of(&content, Depth::Chunks);
        for (offset, chunk) in manifest.chunks() {
            let at = offset as usize;
            assert!(chunk.is_of(&content[at..at + chunk.length() as usize]));
        }
    }
}

#[test]
fn a_section_of_other_chunks_is_refused() {
    let content = noise(4, 3 << 20);
    let manifest = Manifest::of(&content, Depth::Chunks);
    let (section, _) = sections(&manifest).next().expect("a section");
    let bytes = section.to_bytes();
    let read = |bytes: &[u8]| Section::from_bytes(bytes, section.hash(), false);
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "{length}");
    }
    assert_eq!(read(&[&bytes[..], &[0]].concat()), Err(ManifestError::Trailing(1)));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            // The hash says nothing about the reasons of the cuts, but the bytes of the chunk do.
            if let Ok(read) = read(&bytes) {
                let mut at = 0;
                let are_right = read.chunks().iter().map(|chunk| {
                    let from = at;
                    at += chunk.length() as usize;
                    chunk.is_of(&content[from..at])
                });
                assert_eq!(are_right.filter(|it| !it).count(), 1);
            }
        }
    }
    let other = Hash([7; 32]);
    let found = Section::from_bytes(&bytes, &other, false);
    assert_eq!(found, Err(ManifestError::Section { named: other, found: *section.hash() }));
    // It does not end its content, so its last chunk would have another reason to end.
    assert!(Section::from_bytes(&bytes, section.hash(), true).is_err());
    let (last, _) = sections(&manifest).last().expect("a section");
    assert!(Section::from_bytes(&last.to_bytes(), last.hash(), false).is_err());
}

/// The bytes of a section of these chunks.
fn list(chunks: &[(&[u8], Cut)]) -> Vec<u8> {
    let mut out = vec![u8::try_from(chunks.len()).expect("few chunks")];
    for (bytes, cut) in chunks {
        let mut number = bytes.len() * 4 + *cut as usize;
        while number >= 128 {
            out.push(number as u8 | 128);
            number >>= 7;
        }
        out.push(number as u8);
        out.extend(blake3::hash(bytes).as_bytes());
    }
    out
}

fn section(chunks: &[(&[u8], Cut)], is_last: bool) -> Result<Section, ManifestError> {
    let bytes = list(chunks);
    match Section::from_bytes(&bytes, &Hash([0; 32]), is_last) {
        Err(ManifestError::Section { found, .. }) => Section::from_bytes(&bytes, &found, is_last),
        result => result,
    }
}

#[test]
fn a_chunk_that_is_cut_elsewhere_than_all_contents_are_is_found() {
    let content = noise(5, 1 << 20);
    let manifest = Manifest::of(&content, Depth::Chunks);
    let mut chunks = manifest.chunks().filter(|(_, it)| it.cut() == Cut::Chunk);
    let (offset, first) = chunks
        .find(|(_, chunk)| (chunk.length() as usize) < CHUNK_LENGTH_MAX / 2)
        .expect("a short chunk");
    let (from, length) = (offset as usize, first.length() as usize);
    let rest = &content[from..];
    let chunk = |bytes, cut, is_last| -> Chunk {
        let section = section(&[(bytes, cut)], is_last).expect("a section");
        section.chunks()[0].clone()
    };
    // As the end of a content, both are chunks.
    assert!(chunk(&rest[..length], Cut::End, true).is_of(&rest[..length]));
    assert!(chunk(&rest[..length - 1], Cut::End, true).is_of(&rest[..length - 1]));
    // Bytes that go on behind a cut are no chunk, not even the last one.
    assert!(!chunk(&rest[..length + 1], Cut::End, true).is_of(&rest[..length + 1]));
    // Other bytes are not this chunk.
    let mut other = rest[..length].to_vec();
    other[0] ^= 1;
    assert!(!first.is_of(&other) && !first.is_of(&rest[..length - 1]) && !first.is_of(&[]));
    // Chunks of another content that claim another reason to end.
    let zeros = vec![0; CHUNK_LENGTH_MAX];
    let many: Vec<(&[u8], Cut)> = vec![(&zeros, Cut::Longest); 64];
    let section = section(&many, false).expect("a section of 4 MiB");
    assert!(section.chunks().iter().all(|it| it.is_of(&zeros)));
    let mut wrong = many.clone();
    wrong[3].1 = Cut::Chunk;
    let section = self::section(&wrong, false).expect("a section of 4 MiB");
    assert!(!section.chunks()[3].is_of(&zeros));
}

#[test]
fn chunks_of_more_or_less_than_a_section_are_refused() {
    let zeros = vec![0; CHUNK_LENGTH_MAX];
    let many = |count| vec![(&zeros[..], Cut::Longest); count];
    assert!(section(&many(64), false).is_ok());
    for count in [0, 1, 63, 65, 100] {
        let found = section(&many(count), false);
        assert!(matches!(found, Err(ManifestError::Field { .. })), "{count}: {found:?}");
    }
    let mut two = many(65);
    two[64].1 = Cut::End;
    assert!(matches!(section(&two, true), Err(ManifestError::Field { .. })));
}
