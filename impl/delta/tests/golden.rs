//! Patches that were written once and must stay readable: `snapshots/delta/*.patch`.
//!
//! An encoder may improve; these files stay. To add one, name it in `cases` and run the test: a
//! file that is missing is written, and the test fails once, for somebody to look at it.

mod common;

use std::path::Path;

use common::{applied, noise, text};
use steadfast_delta::{Effort, Options, diff};

struct Case {
    name: &'static str,
    old: Vec<u8>,
    new: Vec<u8>,
    options: Options,
}

fn case(name: &'static str, old: Vec<u8>, new: Vec<u8>, effort: Effort) -> Case {
    Case { name, old, new, options: Options { effort, ..Options::default() } }
}

fn cases() -> Vec<Case> {
    let code = text(1, 60_000);
    let mut moved = [&code[30_000..], &noise(2, 900), &code[..30_000]].concat();
    moved.iter_mut().skip(7).step_by(601).for_each(|it| *it = it.wrapping_add(1));
    let mut numbers: Vec<u8> = (0..20_000u32).flat_map(|it| (it * 37).to_le_bytes()).collect();
    let old_numbers = numbers.clone();
    for number in numbers.chunks_exact_mut(40) {
        let moved = u32::from_le_bytes([number[0], number[1], number[2], number[3]]) + 70_000;
        number[..4].copy_from_slice(&moved.to_le_bytes());
    }
    let mut in_place = noise(3, 50_000);
    in_place[40_000..40_100].fill(9);
    let rewritten = [&text(5, 900), &code[..20_000], &text(6, 900), &code[21_000..]].concat();
    let mut unsummed = case("v1-unsummed", text(7, 2000), text(8, 2100), Effort::Default);
    unsummed.options.summed = false;
    let piece = noise(9, 5000);
    let repeating = [&piece[..], &noise(10, 3000), &piece, b"-", &piece].concat();
    let records = noise(11, 64 * 300);
    let order = (0..300).map(|it| it * 131 % 300);
    let reordered = order.flat_map(|it| records[it * 64..][..64].to_vec()).collect();
    vec![
        case("v2-repeating", noise(12, 5000), repeating, Effort::Default),
        case("v2-columns", records, reordered, Effort::Default),
        case("v1-empty", Vec::new(), Vec::new(), Effort::Default),
        case("v1-same", noise(4, 3000), noise(4, 3000), Effort::Fast),
        case("v1-raw", Vec::new(), noise(4, 3000), Effort::Fast),
        case("v1-moved-and-changed", code.clone(), moved, Effort::Default),
        case("v1-numbers", old_numbers, numbers, Effort::Small),
        case("v1-in-place", noise(3, 50_000), in_place, Effort::Fast),
        case("v1-behind-a-prefix", code, rewritten, Effort::Small),
        unsummed,
    ]
}

#[test]
fn patches_that_were_written_once_stay_readable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../snapshots/delta");
    let mut written = Vec::new();
    for Case { name, old, new, options } in cases() {
        let file = root.join(format!("{name}.patch"));
        if !file.exists() {
            let mut patch = Vec::new();
            diff(&old, &new, options, &mut patch).expect("a vector can be written to");
            std::fs::create_dir_all(&root).expect("a folder for snapshots");
            std::fs::write(&file, patch).expect("a new snapshot");
            written.push(name);
        }
        let patch = std::fs::read(&file).expect("a snapshot");
        let made =
            applied(&old, &patch, new.len() as u64).unwrap_or_else(|it| panic!("{name}: {it}"));
        assert!(made == new, "{name}");
    }
    assert!(written.is_empty(), "new snapshots, to be looked at: {written:?}");
}
