//! `OPERATIONS.md` names every metric and every error code of the source, and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources below a directory, without those of tests.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|it| it.expect("an entry").path());
    let found = paths.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    });
    found.filter(|it| !it.ends_with("tests.rs")).collect()
}

/// A source in which every run of white space is one space, without its tests.
fn words(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source");
    let code = text.split("#[cfg(test)]\nmod tests {").next().expect("a first part").to_owned();
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text literals that follow `before` in a source.
fn literals_after<'a>(source: &'a str, before: &str) -> Vec<&'a str> {
    let rests = source.split(before).skip(1).map(str::trim_start);
    rests.filter_map(|it| it.strip_prefix('"')?.split('"').next()).collect()
}

/// The names in the first column of the table below a heading of the page.
fn rows(heading: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("OPERATIONS.md")).expect("the page");
    let section = page.split(&format!("\n## {heading}\n")).nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("a first part");
    let rows: Vec<String> = section
        .lines()
        .filter_map(|it| it.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    let names: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(names.len(), rows.len(), "a name has two rows in {heading}");
    names
}

#[test]
fn the_page_names_every_metric() {
    let source = words(&root().join("src/http/metrics.rs"));
    let plain = [literals_after(&source, "gauge(to,"), literals_after(&source, "to.register(")];
    let mut names: BTreeSet<String> =
        plain.concat().iter().map(|it| format!("steadfast_{it}")).collect();
    // The unit ends the name, and `_total` the name of a counter.
    assert_eq!(source.matches("Unit::").count(), 1, "one metric has a unit");
    let sized = literals_after(&source, "to.register_with_unit(");
    names.extend(sized.iter().map(|it| format!("steadfast_{it}_bytes")));
    let counted = source.split("let all = [").nth(1).expect("the counters");
    let counted = counted.split("];").next().expect("their end");
    let counted = literals_after(counted, "(");
    names.extend(counted.iter().map(|it| format!("steadfast_{it}_total")));
    assert_eq!(counted.len(), source.matches("&it.").count(), "every counter has a name");
    assert_eq!(rows("Metrics"), names);
}

#[test]
fn the_page_names_every_error_code() {
    let mut codes = BTreeSet::new();
    for path in sources(&root().join("src")) {
        let source = words(&path);
        for before in ["unavailable(", "not_found("] {
            codes.extend(literals_after(&source, before).into_iter().map(str::to_owned));
        }
        // The code is the second argument, behind the status.
        let calls = source.split("ApiError::new(").skip(1).map(str::trim_start);
        let seconds = calls.filter_map(|it| it.split_once(',')).map(|(_, it)| it.trim_start());
        let named = seconds.filter_map(|it| it.strip_prefix('"')?.split('"').next());
        codes.extend(named.map(str::to_owned));
    }
    assert!(codes.contains("disk-full") && codes.contains("deleted"), "{codes:?}");
    assert_eq!(rows("Errors"), codes);
}
