//! The table of constants: `impl/delta/TUNING.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::change::Change;
use super::constant::{Constant, Key};

/// A text, and behind it a table for each module.
pub(super) struct Table {
    /// All lines before the first module.
    head: String,
    modules: BTreeMap<String, Vec<Row>>,
}

#[derive(Clone)]
struct Row {
    name: String,
    value: String,
    unit: String,
    basis: String,
    figures: [String; 2],
}

/// The basis of a constant that is measured.
const MEASURED: &str = "measured";
/// The characters of a value that a cell shows.
const VALUE_MAX: usize = 60;
/// Stands for what is not written yet.
const UNKNOWN: &str = "?";
const HEADING: &str = "## ";
/// The name of the crate's own module.
const CRATE: &str = "crate";

impl Table {
    /// The table as its file says it.
    pub(super) fn parse(text: &str) -> Table {
        let start = text.find(&format!("\n{HEADING}`")).map_or(text.len(), |it| it + 1);
        let (head, rest) = text.split_at(start);
        let mut modules: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut module = String::new();
        for line in rest.lines() {
            if let Some(name) = line.strip_prefix(HEADING) {
                module = name.trim_matches('`').to_owned();
            } else if line.starts_with("| `") {
                let mut cells = line.trim_matches('|').split('|').map(|it| it.trim().to_owned());
                let mut cell = || cells.next().unwrap_or_default();
                let row = Row {
                    name: cell().trim_matches('`').to_owned(),
                    value: cell().trim_matches('`').to_owned(),
                    unit: cell(),
                    basis: cell(),
                    figures: [cell(), cell()],
                };
                modules.entry(module.clone()).or_default().push(row);
            }
        }
        Table { head: head.to_owned(), modules }
    }

    /// Takes over the constants of the sources, in their order. A constant with another value loses its
    /// figures. Returns the constants that had no row.
    pub(super) fn update(&mut self, constants: &[(Key, Constant)]) -> Vec<Key> {
        let mut modules: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut added = Vec::new();
        for (key, constant) in constants {
            let module = module_of(key);
            let known = self.row(key).cloned();
            let mut row = known.unwrap_or_else(|| {
                added.push(key.clone());
                let [unit, basis] = [UNKNOWN, UNKNOWN].map(str::to_owned);
                let (name, value) = (constant.name.clone(), shown(&constant.value));
                Row { name, value, unit, basis, figures: Default::default() }
            });
            let value = shown(&constant.value);
            if row.value != value {
                row.value = value;
                row.figures = Default::default();
            }
            modules.entry(module).or_default().push(row);
        }
        self.modules = modules;
        added
    }

    /// The constants that are measured.
    pub(super) fn measured(&self) -> BTreeSet<Key> {
        let rows = self.rows().filter(|(_, row)| row.basis == MEASURED);
        rows.map(|(module, row)| key_of(module, &row.name)).collect()
    }

    /// Whether a constant was measured.
    pub(super) fn has_figures(&self, key: &Key) -> bool {
        self.row(key).is_some_and(|it| !it.figures[0].is_empty())
    }

    /// Writes the figures of a constant: of half of it, and of the double.
    pub(super) fn set(&mut self, key: &Key, changes: &[Option<Change>]) {
        let text = |it: &Option<Change>| it.as_ref().map_or("fails".to_owned(), Change::to_string);
        let name = key.rsplit("::").next().unwrap_or_default();
        let rows = self.modules.get_mut(&module_of(key));
        if let Some(row) = rows.and_then(|it| it.iter_mut().find(|it| it.name == name)) {
            for (cell, change) in row.figures.iter_mut().zip(changes) {
                *cell = text(change);
            }
        }
    }

    /// The constants whose rows lack something.
    #[cfg(test)]
    pub(super) fn incomplete(&self) -> Vec<Key> {
        let lacks = |row: &Row| {
            let is_measured = row.basis == MEASURED;
            row.unit == UNKNOWN
                || row.unit.is_empty()
                || row.basis == UNKNOWN
                || row.basis.is_empty()
                || row.figures.iter().any(|it| it.is_empty() == is_measured)
        };
        self.rows().filter(|it| lacks(it.1)).map(|it| key_of(it.0, &it.1.name)).collect()
    }

    fn rows(&self) -> impl Iterator<Item = (&String, &Row)> {
        self.modules.iter().flat_map(|(module, rows)| rows.iter().map(move |row| (module, row)))
    }

    fn row(&self, key: &Key) -> Option<&Row> {
        let name = key.rsplit("::").next()?;
        self.modules.get(&module_of(key))?.iter().find(|it| it.name == name)
    }
}

/// A value as a cell shows it: a bar would end the cell, and of a long one the beginning is enough.
fn shown(value: &str) -> String {
    let value = value.replace('|', "or");
    match value.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{} …", value[..end].trim_end()),
        None => value,
    }
}

fn module_of(key: &Key) -> String {
    key.rsplit_once("::").map_or(CRATE, |it| it.0).to_owned()
}

fn key_of(module: &str, name: &str) -> Key {
    if module == CRATE { name.to_owned() } else { format!("{module}::{name}") }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.head.trim_end())?;
        for (module, rows) in &self.modules {
            writeln!(out, "\n{HEADING}`{module}`\n")?;
            writeln!(out, "| constant | value | unit | basis | half | double |")?;
            writeln!(out, "|---|---|---|---|---|---|")?;
            for Row { name, value, unit, basis, figures: [half, double] } in rows {
                let line =
                    format!("| `{name}` | `{value}` | {unit} | {basis} | {half} | {double} |");
                writeln!(out, "{}", line.replace("|  |", "| |").replace("|  |", "| |"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Constants\n\nA text.\n\n## `crate`\n\n\
        | constant | value | unit | basis | half | double |\n|---|---|---|---|---|---|\n\
        | `TOP` | `7` | ? | ? | | |\n\n## `diff::fill`\n\n\
        | constant | value | unit | basis | half | double |\n|---|---|---|---|---|---|\n\
        | `GAP` | `24` | bytes | measured | same | fast +1.00% |\n\
        | `KEPT` | `1 << 4` | bytes | format | | |\n";

    #[test]
    fn a_table_is_written_as_it_was_read_and_says_what_it_lacks() {
        let table = Table::parse(TEXT);
        assert_eq!(table.to_string(), TEXT);
        assert_eq!(table.measured().into_iter().collect::<Vec<_>>(), ["diff::fill::GAP"]);
        assert_eq!(table.incomplete(), ["TOP"]);
        assert!(table.has_figures(&"diff::fill::GAP".to_owned()));
    }

    #[test]
    fn another_value_has_no_figures_and_a_new_constant_gets_a_row() {
        let source = "pub const TOP: u8 = 7; const GAP: usize = 12; const KEPT: u8 = 1 << 4;\n";
        let room = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(room.path().join("diff")).expect("a folder");
        std::fs::write(room.path().join("diff/fill.rs"), source).expect("a file");
        let sources = super::super::sources::Sources::read(room.path()).expect("sources");
        let mut table = Table::parse(TEXT);
        assert_eq!(table.update(&sources.constants), ["diff::fill::TOP"]);
        assert_eq!(table.incomplete(), ["diff::fill::TOP", "diff::fill::GAP"]);
        assert!(!table.to_string().contains("`crate`"), "its constant is gone");
        table.set(&"diff::fill::GAP".to_owned(), &[None, None]);
        assert!(table.to_string().contains("| `GAP` | `12` | bytes | measured | fails | fails |"));
    }
}
