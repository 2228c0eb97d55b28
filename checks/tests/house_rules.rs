//! House rules that a compiler does not know.

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The part of a manifest that says what the crate itself depends on.
fn dependencies(manifest: &str) -> String {
    let text = read(manifest);
    let begin = text.find("[dependencies]").expect("dependencies");
    let rest = &text[begin..];
    rest[..rest.find("[dev-dependencies]").unwrap_or(rest.len())].to_owned()
}

/// `versus` sees it as well, because it compares our engine with it.
#[test]
fn only_cluster_and_checks_see_stateright() {
    let model = ["protocol", "trace", "node", "guarantees", "picture"]
        .map(|it| format!("model/{it}/Cargo.toml"));
    let others = [
        "wal",
        "simulated-disk",
        "wal-crash",
        "delta",
        "huge-pages",
        "store",
        "store-crash",
        "wire",
        "recording",
        "conform",
        "config",
        "sim",
        "output",
        "client",
        "testbed",
        "server",
        "cli",
    ]
    .map(|it| format!("impl/{it}/Cargo.toml"));
    for manifest in model.iter().chain(&others).map(String::as_str) {
        let dependencies = dependencies(manifest);
        assert!(!dependencies.contains("stateright"), "{manifest}");
        assert!(!dependencies.contains("steadfast-cluster"), "{manifest}");
    }
}

/// Its adapter for models of stateright is a feature, which only those may turn on that see it anyway.
#[test]
fn the_search_engine_knows_nothing_of_ours_and_stateright_by_a_feature_alone() {
    let dependencies = dependencies("model/search/Cargo.toml");
    let lines_with = |name: &str| dependencies.lines().filter(|it| it.contains(name)).count();
    assert_eq!(lines_with("steadfast-"), 0);
    assert!(dependencies.contains("\nstateright = { workspace = true, optional = true }\n"));
    assert_eq!(lines_with("stateright"), 1);
    assert!(!read("model/search/Cargo.toml").contains("default ="));
}

#[test]
fn log_and_delta_use_nothing_of_ours_but_huge_pages() {
    for (name, allowed) in [("wal", 1), ("delta", 1), ("huge-pages", 0), ("output", 0)] {
        let dependencies = dependencies(&format!("impl/{name}/Cargo.toml"));
        let ours: Vec<&str> = dependencies.lines().filter(|it| it.contains("steadfast-")).collect();
        let expected = &["steadfast-huge-pages.workspace = true"][..allowed];
        assert_eq!(ours, expected, "{name}");
    }
}

#[test]
fn the_wire_knows_the_protocol_and_deltas_alone() {
    let dependencies = dependencies("impl/wire/Cargo.toml");
    let ours: Vec<&str> = dependencies.lines().filter(|it| it.contains("steadfast-")).collect();
    assert_eq!(ours, ["delta", "protocol"].map(|it| format!("steadfast-{it}.workspace = true")));
}

/// The encoder describes any segments, whoever found them, and the format describes any operations.
#[test]
fn encoder_and_format_know_nothing_of_the_search() {
    let delta = root().join("impl/delta/src");
    let files = ["encode", "wire"].map(|it| sources_in(&delta.join(it)));
    let modules = ["encode.rs", "wire.rs"].map(|it| delta.join(it));
    for source in files.into_iter().flatten().chain(modules) {
        let text = std::fs::read_to_string(&source).expect("a source file");
        assert!(!text.contains("crate::diff::"), "{}", source.display());
        assert!(!text.contains("crate::diff;"), "{}", source.display());
    }
}

/// A message may name any file, and standard error may be full.
#[test]
fn messages_go_through_the_one_function_that_cannot_fail() {
    let sources = ["checks/src", "impl/cli/src", "impl/output/src", "benches/src"];
    for source in sources.iter().flat_map(|it| sources_in(&root().join(it))) {
        let text = std::fs::read_to_string(&source).expect("a source file");
        let production = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!production.contains("eprintln!("), "{}", source.display());
    }
}

fn sources_in(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|it| it.expect("an entry").path());
    paths
        .flat_map(|it| match it.is_dir() {
            true => sources_in(&it),
            false => vec![it],
        })
        .collect()
}

#[test]
fn no_layer_depends_on_one_above_it() {
    let order = ["protocol", "trace", "node", "guarantees", "picture", "cluster"];
    for (at, name) in order.iter().enumerate() {
        let dependencies = dependencies(&format!("model/{name}/Cargo.toml"));
        for above in &order[at..] {
            assert!(!dependencies.contains(&format!("steadfast-{above}")), "{name} sees {above}");
        }
    }
}

#[test]
fn the_readme_names_every_guarantee_with_its_file_and_a_twin_that_it_catches() {
    let readme = read("README.md");
    for guarantee in steadfast_guarantees::guarantees() {
        let id = guarantee.id();
        let row = readme.lines().find(|it| it.starts_with(&format!("| {} |", id.short())));
        let row = row.unwrap_or_else(|| panic!("{id} has no row"));
        let file = format!("{}.rs", id.name().replace('-', "_"));
        assert!(row.contains(&file), "{id}");
        let twin = row.rsplit('|').nth(1).expect("a last column").trim();
        assert!(steadfast_guarantees::twins::twin(twin).is_some(), "{id}: {twin}");
    }
}

/// The files that a row of README's table names in a column.
fn files_in(row: &str, column: usize) -> Vec<&str> {
    let cell = row.split('|').nth(column).expect("a column");
    cell.split('`').filter(|it| it.ends_with(".rs")).collect()
}

#[test]
fn what_ensures_a_guarantee_says_so_where_the_readme_points() {
    let readme = read("README.md");
    for guarantee in steadfast_guarantees::guarantees() {
        let id = guarantee.id().short();
        let row = readme.lines().find(|it| it.starts_with(&format!("| {id} |")));
        let files = files_in(row.unwrap_or_else(|| panic!("{id} has no row")), 4);
        assert!(!files.is_empty(), "{id}: no file");
        for file in files {
            let text = read(&format!("model/protocol/src/{file}"));
            let mut ensured = text.lines().filter_map(|it| it.trim().strip_prefix("// Ensures: "));
            let names_it = |it: &str| {
                it.split(',').next().is_some_and(|ids| ids.split(" and ").any(|it| it == id))
            };
            assert!(ensured.any(names_it), "{file} does not say that it ensures {id}");
        }
    }
}
