//! Patches that are planned from an outline and some sections.

mod common;

use common::noise;
use steadfast_delta::manifest::{Depth, Manifest, ManifestError, Outline};
use steadfast_delta::remote::PatchPlan;
use steadfast_delta::{PatchError, apply_stream};

const MIB: usize = 1 << 20;

/// The outline and the wanted sections as they travel.
fn plan(old: &[u8], new: &[u8]) -> PatchPlan {
    let (old, new) = (Manifest::of(old, Depth::Chunks), Manifest::of(new, Depth::Chunks));
    let outline = Outline::from_bytes(&old.outline_to_bytes(), old.length()).expect("an outline");
    let listed = outline.sections_not_in(&new).into_iter().map(|index| {
        let listed = outline.section(index, &old.sections()[index].to_bytes());
        (index, listed.expect("a section"))
    });
    PatchPlan::new(&new, &outline, &listed.collect::<Vec<_>>())
}

fn patch(plan: &PatchPlan, new: &[u8]) -> Vec<u8> {
    let mut patch = Vec::new();
    let written = plan.write(new, |piece| {
        assert!(piece.len() < 5 * MIB, "{}", piece.len());
        patch.extend(piece);
        true
    });
    written.expect("memory");
    patch
}

/// Whether the patch makes the new content, and the bytes that it carries.
fn check(old: &[u8], new: &[u8]) -> u64 {
    let plan = plan(old, new);
    let patch = patch(&plan, new);
    let mut made = Vec::new();
    apply_stream(old, &patch[..], &mut made, new.len() as u64).expect("a patch");
    assert!(made == new);
    assert!(patch.len() as u64 <= plan.new_bytes() + 4096);
    plan.new_bytes()
}

#[test]
fn a_small_change_carries_the_chunks_around_it() {
    let old = noise(1, 12 * MIB);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut new = old.clone();
        change(&mut new);
        check(&old, &new)
    };
    assert_eq!(changed(&|_| {}), 0);
    let near = [
        changed(&|it| it[7 * MIB] ^= 1),
        changed(&|it| drop(it.splice(5 * MIB..5 * MIB, *b"inserted"))),
        changed(&|it| drop(it.drain(3 * MIB..3 * MIB + 100))),
        changed(&|it| it.extend(b"appended")),
        changed(&|it| it.truncate(11 * MIB + 5)),
    ];
    assert!(near.iter().all(|it| *it > 0 && *it < 200_000), "{near:?}");
    let moved = changed(&|it| it.rotate_left(6 * MIB));
    assert!(moved < 200_000, "{moved}");
}

#[test]
fn other_contents_are_carried_whole() {
    let (old, new) = (noise(1, 5 * MIB), noise(2, 9 * MIB + 1));
    assert_eq!(check(&old, &new), new.len() as u64);
    assert_eq!(check(&[], &new), new.len() as u64);
    assert_eq!(check(&old, &[]), 0);
    assert_eq!(check(&[], &[]), 0);
}

#[test]
fn sections_that_are_not_listed_are_used_as_a_whole() {
    let old = noise(3, 8 * MIB);
    let mut new = old.clone();
    new[4 * MIB] ^= 1;
    let (of_old, of_new) = (Manifest::of(&old, Depth::Chunks), Manifest::of(&new, Depth::Chunks));
    let outline = Outline::from_bytes(&of_old.outline_to_bytes(), of_old.length());
    let outline = outline.expect("an outline");
    let missing = outline.sections_not_in(&of_new);
    assert!((1..=2).contains(&missing.len()), "{missing:?}");
    let plan = PatchPlan::new(&of_new, &outline, &[]);
    let longest = 5 * MIB as u64 * missing.len() as u64;
    assert!(plan.new_bytes() > 200_000 && plan.new_bytes() < longest, "{}", plan.new_bytes());
    let mut made = Vec::new();
    apply_stream(&old, &patch(&plan, &new)[..], &mut made, new.len() as u64).expect("a patch");
    assert!(made == new);
}

#[test]
fn a_writer_that_is_stopped_writes_no_more() {
    let new = noise(4, 20 * MIB);
    let mut pieces = 0;
    let written = plan(&[], &new).write(&new, |_| {
        pieces += 1;
        false
    });
    assert_eq!((written.is_ok(), pieces), (true, 1));
}

#[test]
fn a_content_that_became_shorter_cannot_be_read() {
    let new = noise(5, 6 * MIB);
    let error = plan(&[], &new).write(&new[..3 * MIB], |_| true).expect_err("it is cut");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_patch_for_another_base_is_refused() {
    let (old, mut new) = (noise(6, 3 * MIB), noise(6, 3 * MIB));
    new[MIB] ^= 1;
    let patch = patch(&plan(&old, &new), &new);
    let result = apply_stream(&old[1..], &patch[..], Vec::new(), u64::MAX);
    assert!(matches!(result, Err(PatchError::OtherOldLength { .. })), "{result:?}");
    let result = apply_stream(&old, &patch[..], Vec::new(), new.len() as u64 - 1);
    assert!(matches!(result, Err(PatchError::TooLarge { .. })), "{result:?}");
}

#[test]
fn an_outline_of_another_length_is_refused() {
    let manifest = Manifest::of(&noise(7, 6 * MIB), Depth::Chunks);
    let bytes = manifest.outline_to_bytes();
    let read = |bytes: &[u8]| Outline::from_bytes(bytes, manifest.length());
    assert_eq!(read(&bytes).expect("its own").sections().len(), manifest.sections().len());
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "{length}");
    }
    for (at, _) in bytes.iter().enumerate().filter(|(at, _)| at % 12 < 4) {
        let mut wrong = bytes.clone();
        wrong[at] ^= 0x11;
        assert!(read(&wrong).is_err(), "{at}");
    }
    assert!(matches!(Outline::from_bytes(&bytes, 1), Err(ManifestError::Field { .. })));
    assert_eq!(Outline::from_bytes(&[], 0).expect("empty").length(), 0);
}

#[test]
fn chunks_of_another_section_than_the_outlined_one_are_refused() {
    let manifest = Manifest::of(&noise(7, 6 * MIB), Depth::Chunks);
    let read = |bytes: &[u8]| Outline::from_bytes(bytes, manifest.length()).expect("an outline");
    let mut bytes = manifest.outline_to_bytes();
    let list = |number: usize| manifest.sections()[number].to_bytes();
    let last = manifest.sections().len() - 1;
    assert_eq!(read(&bytes).section(last, &list(last)).as_ref(), Ok(&*manifest.sections()[last]));
    let other = read(&bytes).section(0, &list(1)).expect_err("another section");
    assert!(other.to_string().contains("which is not number 0 of the outline"), "{other}");
    let beyond = read(&bytes).section(last + 1, &list(last)).expect_err("there are fewer");
    assert!(beyond.to_string().contains("must be the number of a section"), "{beyond}");
    bytes[4] ^= 1;
    assert!(matches!(read(&bytes).section(0, &list(0)), Err(ManifestError::Outlined { .. })));
}

#[test]
fn a_section_that_only_seems_to_be_held_makes_another_content() {
    let (old, new) = (noise(8, 6 * MIB), noise(9, 6 * MIB));
    let (of_old, of_new) = (Manifest::of(&old, Depth::Chunks), Manifest::of(&new, Depth::Chunks));
    let mut bytes = of_old.outline_to_bytes();
    let section = &of_new.sections()[0];
    let length = u32::try_from(section.length()).expect("a section");
    // An old content whose first section has the short hash and the length of a new one, and other bytes.
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..12].copy_from_slice(&section.hash().short().0);
    let lengths = bytes.chunks(12).map(|it| u32::from_le_bytes(*it.first_chunk().expect("4")));
    let old_length: u64 = lengths.map(u64::from).sum();
    let outline = Outline::from_bytes(&bytes, old_length).expect("an outline");
    let old = noise(8, usize::try_from(old_length).expect("a short content"));
    let plan = PatchPlan::new(&of_new, &outline, &[]);
    let mut made = Vec::new();
    apply_stream(&old, &patch(&plan, &new)[..], &mut made, new.len() as u64).expect("a patch");
    assert_ne!(Manifest::of(&made, Depth::Chunks).root(), of_new.root());
}
