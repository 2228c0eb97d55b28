//! A delta between two versions: `cargo run -p steadfast-delta --example delta -- OLD NEW`.
//!
//! Makes a patch and applies it, in place where it moves no bytes, and shows by the root of a manifest
//! that the result is NEW.

use std::error::Error;
use std::fs;

use steadfast_delta::manifest::{Depth, Manifest};
use steadfast_delta::{InPlacePlan, Options, PatchError, Verify, apply, diff};

/// The longest content that this program makes of a patch, in bytes.
const LIMIT: u64 = 1 << 30;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(old), Some(new)) = (arguments.next(), arguments.next()) else {
        return Err("usage: delta OLD NEW".into());
    };
    rebuild(&fs::read(old)?, &fs::read(new)?)
}

/// Makes the new content again from the old one and a patch.
fn rebuild(old: &[u8], new: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut patch = Vec::new();
    diff(old, new, Options::default(), &mut patch)?;
    println!("{} bytes; the patch has {}", new.len(), patch.len());

    let made = match in_place(old, &patch) {
        // The patch moves bytes, or changes too many.
        Err(PatchError::NotInPlace) => apply(old, &patch, LIMIT)?.to_vec(),
        result => result?,
    };

    // A root is 32 bytes and names a content; only equal contents have equal roots.
    let root = Manifest::of(&made, Depth::Chunks).root();
    println!("made {root}");
    assert_eq!(root, Manifest::of(new, Depth::Chunks).root());
    Ok(())
}

/// Changes a copy of the old content. Here it is a vector; a `std::fs::File`, also one that does not
/// fit into memory, is used in the same way, with a journal against crashes (`InPlacePlan`).
fn in_place(old: &[u8], patch: &[u8]) -> Result<Vec<u8>, PatchError> {
    let plan = InPlacePlan::new(old, patch, Verify::Whole)?;
    let mut file = old.to_vec();
    plan.apply(&mut file)?;
    println!("{} bytes written in place", plan.written());
    Ok(file)
}

#[test]
fn a_content_is_made_again_in_place_and_afresh() -> Result<(), Box<dyn Error>> {
    let old = b"the old version".repeat(999);
    rebuild(&old, &[&old[..7000], b"NEW", &old[7003..]].concat())?;
    rebuild(&old, &[b"moved", &old[..]].concat())
}
