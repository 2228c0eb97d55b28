//! What manifests promise, seen from outside.

mod contents;

use std::sync::Arc;

use contents::{edit, edits, lines, noise};
use proptest::prelude::*;
use steadfast_delta::manifest::{
    CHUNK_LENGTH_MAX, CHUNK_LENGTH_MIN, Cut, Depth, Kept, Manifest, ManifestBuilder, ManifestError,
    SECTION_LENGTH_MAX, SECTION_LENGTH_MIN,
};
use steadfast_delta::{Options, diff};

#[test]
fn levels_are_nested_and_keep_their_bounds() {
    for content in [noise(1, 9 << 20), lines(2, 9 << 20), vec![0; 9 << 20]] {
        let manifest = Manifest::of(&content, Depth::Grains);
        assert_eq!(manifest.length(), content.len() as u64);
        let (last, others) = manifest.sections().split_last().unwrap();
        assert!(last.length() < SECTION_LENGTH_MAX + CHUNK_LENGTH_MAX as u64);
        for section in others {
            let most = SECTION_LENGTH_MAX + CHUNK_LENGTH_MAX as u64;
            assert!((SECTION_LENGTH_MIN..most).contains(&section.length()));
        }
        for (offset, chunk) in manifest.chunks() {
            let is_last = offset + u64::from(chunk.length()) == manifest.length();
            assert_eq!(chunk.cut() == Cut::End, is_last);
            assert!(is_last || chunk.length() as usize >= CHUNK_LENGTH_MIN);
            assert!(chunk.length() as usize <= CHUNK_LENGTH_MAX);
            let grains: usize = chunk.grains().iter().map(|grain| grain.length()).sum();
            assert_eq!(grains, chunk.length() as usize);
        }
    }
}

#[test]
fn levels_have_the_sizes_they_are_named_for() {
    let length = 64 << 20;
    let manifest = Manifest::of(&noise(3, length), Depth::Grains);
    let chunks = manifest.chunks().count();
    let grains: usize = manifest.chunks().map(|(_, chunk)| chunk.grains().len()).sum();
    let sections = manifest.sections().len();
    assert!((800 << 10..1200 << 10).contains(&(length / sections)), "{sections} sections");
    assert!((24 << 10..32 << 10).contains(&(length / chunks)), "{chunks} chunks");
    assert!((230..270).contains(&(length / grains)), "{grains} grains");
}

#[test]
fn a_content_has_one_name_whatever_the_depth() {
    let content = noise(4, 3 << 20);
    let shallow = Manifest::of(&content, Depth::Chunks);
    let deep = Manifest::of(&content, Depth::Grains);
    assert_eq!(shallow.root(), deep.root());
    assert_eq!(shallow.root().to_string().parse(), Ok(shallow.root()));
}

#[test]
fn contents_that_differ_in_one_byte_differ_in_name() {
    let content = noise(5, 200 << 10);
    let root = |content: &[u8]| Manifest::of(content, Depth::Chunks).root();
    let mut roots = vec![root(&content), root(&content[1..]), root(&[]), root(&[0]), root(&[1])];
    for at in [0, 100_000, content.len() - 1] {
        let mut other = content.clone();
        other[at] ^= 1;
        roots.push(root(&other));
    }
    let count = roots.len();
    roots.sort();
    roots.dedup();
    assert_eq!(roots.len(), count);
}

/// The manifest of `new`, piece by piece, where the builder is told which pieces are those of `old`.
fn built(old: &[u8], manifest: &Manifest, new: &[u8], piece: usize) -> Manifest {
    let mut builder = ManifestBuilder::new(manifest.depth());
    for (index, bytes) in new.chunks(piece).enumerate() {
        match old.get(index * piece..index * piece + bytes.len()) == Some(bytes) {
            true => builder.keep(bytes, manifest),
            false => builder.update(bytes),
        }
    }
    builder.finish()
}

#[test]
fn kept_sections_are_taken_over_and_the_manifest_is_that_of_all_bytes() {
    let old = noise(6, 9 << 20);
    let manifest = Manifest::of(&old, Depth::Chunks);
    let ends: Vec<usize> = manifest.sections().iter().map(|it| it.length() as usize).collect();
    let (first, before_last) = (ends[0], old.len() - ends[ends.len() - 1]);
    let changed = |at: &[usize]| {
        let mut new = old.clone();
        at.iter().for_each(|it| new[*it] ^= 1);
        new
    };
    let contents = [
        old.clone(),
        changed(&[0]),
        changed(&[old.len() / 2]),
        changed(&[first - 1]),
        changed(&[first]),
        changed(&[before_last - 1, old.len() - 1]),
        changed(&(0..old.len()).step_by(300_000).collect::<Vec<_>>()),
        old[..first].to_vec(),
        old[..first + 1].to_vec(),
        old[..before_last].to_vec(),
        old[..old.len() - 1].to_vec(),
        [&old[..], &noise(7, 2 << 20)].concat(),
        [&old[..first], &noise(7, 2 << 20), &old[first + (2 << 20)..]].concat(),
        [&old[1..], &old[..1]].concat(),
        vec![0; 1 << 20],
    ];
    for (index, new) in contents.iter().enumerate() {
        for piece in [4_096, 256 << 10, 1 << 20, 70_001] {
            let found = built(&old, &manifest, new, piece);
            assert_eq!(found, Manifest::of(new, Depth::Chunks), "content {index} by {piece}");
        }
    }
    let found = built(&old, &manifest, &changed(&[old.len() / 2]), 256 << 10);
    let is_taken = |it: &&Arc<_>| manifest.sections().iter().any(|old| Arc::ptr_eq(old, it));
    let taken = found.sections().iter().filter(is_taken).count();
    assert!(taken + 3 >= manifest.sections().len(), "{taken} of {}", manifest.sections().len());
    let deep = Manifest::of(&old, Depth::Grains);
    assert_eq!(
        built(&old, &deep, &contents[2], 256 << 10),
        Manifest::of(&contents[2], Depth::Grains)
    );
}

#[test]
fn an_insertion_renames_only_what_is_near() {
    let old = noise(6, 16 << 20);
    let new = [&noise(7, 1000)[..], &old].concat();
    let hashes = |content: &[u8]| -> Vec<_> {
        let manifest = Manifest::of(content, Depth::Chunks);
        manifest.chunks().map(|(_, chunk)| *chunk.hash()).collect()
    };
    let (old, new) = (hashes(&old), hashes(&new));
    let fresh = new.iter().filter(|hash| !old.contains(hash)).count();
    assert!((1..=3).contains(&fresh), "{fresh} of {} chunks are new", new.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_carried_manifest_is_the_manifest(
        seed in 0_u64..3,
        length in 0_usize..4_000_000,
        edits in edits(),
    ) {
        let old = match seed {
            0 => noise(8, length),
            1 => lines(9, length),
            _ => vec![7; length],
        };
        let (new, kept) = edit(&old, &edits);
        for depth in [Depth::Chunks, Depth::Grains] {
            let carried = Manifest::of(&old, depth).carry(&new, &kept);
            prop_assert_eq!(&carried, &Manifest::of(&new, depth));
        }
    }

    #[test]
    fn a_patch_tells_what_it_keeps(
        is_text: bool,
        length in 0_usize..2_000_000,
        edits in edits(),
    ) {
        let old = if is_text { lines(16, length) } else { noise(16, length) };
        let (new, _) = edit(&old, &edits);
        let mut patch = Vec::new();
        diff(&old, &new, Options::default(), &mut patch).unwrap();
        let kept = Kept::of_patch(&patch[..], new.len() as u64).unwrap();
        let carried = Manifest::of(&old, Depth::Grains).carry(&new, &kept);
        prop_assert_eq!(carried, Manifest::of(&new, Depth::Grains));
        prop_assert!(kept.len() <= new.len() / CHUNK_LENGTH_MIN + 1);
        if let Some(less) = new.len().checked_sub(1) {
            prop_assert!(Kept::of_patch(&patch[..], less as u64).is_err());
        }
    }

    #[test]
    fn pieces_make_the_manifest_of_the_whole(
        length in 0_usize..600_000,
        pieces in proptest::collection::vec(1_usize..150_000, 1..20),
    ) {
        let content = noise(10, length);
        let mut builder = ManifestBuilder::new(Depth::Grains);
        let mut rest = &content[..];
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            builder.update(now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(builder.finish(), Manifest::of(&content, Depth::Grains));
    }

    #[test]
    fn a_builder_that_knows_chunks_makes_the_same_manifest(edits in edits()) {
        let old = noise(17, 500_000);
        let (new, _) = edit(&old, &edits);
        for depth in [Depth::Chunks, Depth::Grains] {
            let mut builder = ManifestBuilder::like(&Manifest::of(&old, depth));
            builder.update(&new);
            prop_assert_eq!(builder.finish(), Manifest::of(&new, depth));
        }
    }

    #[test]
    fn a_manifest_comes_back_from_its_serialized_form(length in 0_usize..2_000_000) {
        for depth in [Depth::Chunks, Depth::Grains] {
            let manifest = Manifest::of(&noise(11, length), depth);
            prop_assert_eq!(Manifest::from_bytes(&manifest.to_bytes()), Ok(manifest));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(mut bytes: Vec<u8>, valid_head: bool) {
        if valid_head {
            bytes.splice(..0, *b"SfMf\x01\x01");
        }
        prop_assert!(Manifest::from_bytes(&bytes).is_err());
    }

    #[test]
    fn any_changed_bit_is_noticed(position: prop::sample::Index, bit in 0_u8..8) {
        let mut bytes = Manifest::of(&noise(12, 100_000), Depth::Grains).to_bytes();
        let at = position.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(Manifest::from_bytes(&bytes).is_err());
    }
}

#[test]
fn runs_that_lie_about_their_place_are_not_used() {
    let old = noise(13, 500_000);
    let new = noise(14, 500_000);
    let lies = [
        Kept { old_offset: 0, new_offset: 0, length: u64::MAX },
        Kept { old_offset: u64::MAX, new_offset: 5, length: 10 },
        Kept { old_offset: 400_000, new_offset: 0, length: 200_000 },
        Kept { old_offset: 0, new_offset: 499_999, length: 2 },
    ];
    let carried = Manifest::of(&old, Depth::Chunks).carry(&new, &lies);
    assert_eq!(carried, Manifest::of(&new, Depth::Chunks));
}

#[test]
fn a_truncated_manifest_is_refused() {
    let bytes = Manifest::of(&noise(15, 100_000), Depth::Grains).to_bytes();
    for length in 0..bytes.len() {
        assert!(Manifest::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Manifest::from_bytes(&longer), Err(ManifestError::Checksum));
}

#[test]
fn a_manifest_of_another_version_is_named() {
    let mut bytes = Manifest::of(&[], Depth::Chunks).to_bytes();
    bytes[4] = 9;
    assert_eq!(Manifest::from_bytes(&bytes), Err(ManifestError::Version(9)));
}

/// Names and cuts never change: a content named today must have that name tomorrow.
#[test]
fn names_and_forms_are_frozen() {
    let contents = [
        ("empty", Vec::new()),
        ("one byte", vec![b'a']),
        ("noise of 100 KiB", noise(1, 100 << 10)),
        ("lines of 300 KiB", lines(1, 300 << 10)),
        ("zeros of 200 KiB", vec![0; 200 << 10]),
        ("noise of 3 MiB", noise(2, 3 << 20)),
    ];
    let mut text = String::new();
    for (name, content) in &contents {
        let manifest = Manifest::of(content, Depth::Chunks);
        text += &format!("{name}: {}\n", manifest.root());
        for section in manifest.sections() {
            let chunks: Vec<_> =
                section.chunks().iter().map(|c| format!("{}{:?}", c.length(), c.cut())).collect();
            text += &format!("  {}: {}\n", section.length(), chunks.join(" "));
        }
    }
    text += "the form of lines of 40 KiB, down to the grains:\n";
    for line in Manifest::of(&lines(1, 40 << 10), Depth::Grains).to_bytes().chunks(32) {
        text += &line.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        text += "\n";
    }
    insta::with_settings!({ snapshot_path => "../../../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("delta_manifest_version_1", text);
    });
}
