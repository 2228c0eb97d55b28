//! `OPERATIONS.md` names every metric and every error code of the source, and no other, and `openapi.json` has the same
//! codes with the same statuses.

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

/// The lines of the table below a heading of the page.
fn table(heading: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("OPERATIONS.md")).expect("the page");
    let section = page.split(&format!("\n## {heading}\n")).nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("a first part");
    section.lines().filter_map(|it| it.strip_prefix("| `")).map(str::to_owned).collect()
}

/// The names in the first column of the table below a heading of the page.
fn rows(heading: &str) -> BTreeSet<String> {
    let rows: Vec<String> =
        table(heading).iter().filter_map(|it| it.split('`').next().map(str::to_owned)).collect();
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

/// The codes that an answer of the document names: all words before the first `;`.
fn codes_of(status: &str, answer: &serde_json::Value) -> Vec<(String, String)> {
    let is_error = status.starts_with(['4', '5']) || status == "307";
    let text = answer["description"].as_str().filter(|_| is_error).unwrap_or_default();
    let names = text.split(';').next().unwrap_or_default().split([' ', ',']);
    let names = names.filter(|it| !it.is_empty() && *it != "or");
    names.map(|it| (it.to_owned(), status.to_owned())).collect()
}

#[test]
fn the_document_of_the_interface_has_every_error_code_with_its_status() {
    let text = fs::read_to_string(root().join("openapi.json")).expect("the document");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let methods = document["paths"].as_object().expect("paths").values();
    let methods = methods.flat_map(|it| it.as_object().expect("methods").values());
    let answers = methods.map(|it| &it["responses"]).chain([&document["components"]["responses"]]);
    let found: BTreeSet<(String, String)> = answers
        .flat_map(|it| it.as_object().expect("answers"))
        .flat_map(|(status, answer)| codes_of(status, answer))
        .collect();
    let page = table("Errors").into_iter().map(|row| {
        let mut cells = row.split('|').map(|it| it.trim().trim_matches('`').to_owned());
        (cells.next().expect("a code"), cells.next().expect("a status"))
    });
    assert_eq!(found, page.collect());
}
