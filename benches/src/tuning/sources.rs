//! The sources of the delta engine, and a copy of them whose constants can be changed.
//!
//! In the copy a measured constant is a function that returns the constant's value, or the half or the double
//! of it where the program was asked for that. A constant that the compiler has to know, such as the length of
//! an array, stays one, and has to be compiled for each of its values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use super::TuningError;
use super::constant::{Constant, Factor, Key, is_called, key_of};
use super::constant_uses::known_to_the_compiler;
use super::rewriting::Rewriting;
use super::tokens::{constant_at, idents, uses_of, without_tests};

/// One file.
struct Source {
    file: PathBuf,
    module: String,
    text: String,
    tokens: Vec<TokenTree>,
}

/// All files of the engine, without their tests.
pub(super) struct Sources {
    files: Vec<Source>,
    /// All constants of modules, in the order of files and lines.
    pub(super) constants: Vec<(Key, Constant)>,
}

impl Sources {
    /// Reads the sources below a folder.
    pub(super) fn read(folder: &Path) -> Result<Sources, TuningError> {
        let mut files = Vec::new();
        for file in files_below(folder)? {
            let text = fs::read_to_string(&file)?;
            let tokens: TokenStream =
                text.parse().map_err(|_| TuningError::Source(file.clone(), "it is no Rust"))?;
            let file = file.strip_prefix(folder).unwrap_or(&file).to_owned();
            let module = module_of(&file);
            files.push(Source { file, module, text, tokens: without_tests(tokens) });
        }
        let constants = files.iter().flat_map(constants_of).collect();
        Ok(Sources { files, constants })
    }

    /// The constants of these that the compiler has to know, with all that they are made of.
    pub(super) fn fixed(&self) -> BTreeSet<Key> {
        let mut fixed = BTreeSet::new();
        let mut found = Vec::new();
        for source in &self.files {
            let names = self.names_in(source);
            let uses = known_to_the_compiler(&source.tokens);
            found.extend(uses.iter().filter_map(|it| names.get(it).cloned()));
        }
        while let Some(key) = found.pop() {
            if fixed.insert(key.clone()) {
                found.extend(self.parts_of(&key));
            }
        }
        fixed
    }

    /// Writes a copy in which `changeable` constants, and those that are made of them, can be changed. `fixed`
    /// is the one constant that is compiled with another value. Returns the numbers of the changeable ones.
    pub(super) fn write(
        &self,
        folder: &Path,
        changeable: &BTreeSet<Key>,
        fixed: Option<(&Key, Factor)>,
    ) -> Result<BTreeMap<Key, usize>, TuningError> {
        let mut all = changeable.clone();
        let known = self.fixed();
        loop {
            let made = self.constants.iter().filter(|(key, _)| {
                !all.contains(key)
                    && !known.contains(key)
                    && self.parts_of(key).iter().any(|it| all.contains(it))
            });
            let made: Vec<_> = made.map(|it| it.0.clone()).collect();
            if made.is_empty() {
                break;
            }
            all.extend(made);
        }
        let numbers: BTreeMap<_, _> = (1..).zip(&all).map(|(at, key)| (key.clone(), at)).collect();
        for source in &self.files {
            let names = self.names_in(source);
            let module = &source.module;
            let rewriting = Rewriting { module, names: &names, numbers: &numbers, fixed };
            let mut text = rewriting.stream(&source.tokens, true).to_string();
            if source.file == Path::new("lib.rs") {
                text += "\n#[doc(hidden)] pub mod tuned;\n";
            }
            let file = folder.join(&source.file);
            fs::create_dir_all(file.parent().unwrap_or(folder))?;
            // Unchanged files keep their times, so that nothing is compiled in vain.
            if fs::read_to_string(&file).ok().as_ref() != Some(&text) {
                fs::write(file, text)?;
            }
        }
        Ok(numbers)
    }

    /// The constants that a constant is made of.
    fn parts_of(&self, key: &Key) -> Vec<Key> {
        let Some((_, constant)) = self.constants.iter().find(|it| it.0 == *key) else {
            return Vec::new();
        };
        let source = self.files.iter().find(|it| it.file == constant.file);
        let names = source.map(|it| self.names_in(it)).unwrap_or_default();
        let mut used = Vec::new();
        idents(&constant.tokens, &mut used);
        let with_module = |it: &[String]| self.keys().find(|key| is_called(key, &it[0], &it[1]));
        let by_path = used.windows(2).filter_map(|it| with_module(it).cloned());
        let by_name = used.iter().filter_map(|it| names.get(it).cloned());
        by_path.chain(by_name).collect()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.constants.iter().map(|it| &it.0)
    }

    /// The names by which a file knows constants: its own, and those that it imports.
    fn names_in(&self, source: &Source) -> BTreeMap<String, Key> {
        let mut names = BTreeMap::new();
        let mut imports = Vec::new();
        uses_of(&source.tokens, &mut imports);
        for (path, alias) in imports {
            let Some((name, module)) = path.split_last() else { continue };
            let module = absolute(&source.module, module);
            let key = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
            if self.constants.iter().any(|it| it.0 == key) {
                names.insert(alias, key);
            }
        }
        for (key, constant) in &self.constants {
            if constant.file == source.file {
                names.insert(constant.name.clone(), key.clone());
            }
        }
        names
    }
}

fn constants_of(source: &Source) -> Vec<(Key, Constant)> {
    let tokens = &source.tokens;
    let found = (0..tokens.len()).filter_map(|at| constant_at(tokens, at));
    found
        .map(|it| {
            let ends =
                [it.value.first(), it.value.last()].map(|it| it.map(|it| it.span().byte_range()));
            let range = match ends {
                [Some(first), Some(last)] => first.start..last.end,
                _ => 0..0,
            };
            let written = source.text.get(range).unwrap_or_default();
            let value = written.split_whitespace().collect::<Vec<_>>().join(" ");
            let (file, tokens) = (source.file.clone(), it.value.to_vec());
            let key = key_of(&source.module, &it.name);
            (key, Constant { file, name: it.name, value, tokens })
        })
        .collect()
}

fn module_of(file: &Path) -> String {
    let stem = file.with_extension("");
    let parts: Vec<_> = stem.iter().map(|it| it.to_string_lossy()).collect();
    if parts == ["lib"] { String::new() } else { parts.join("::") }
}

/// The path of a module that an import in another one names.
fn absolute(module: &str, path: &[String]) -> String {
    let mut parts: Vec<&str> = module.split("::").filter(|it| !it.is_empty()).collect();
    for part in path {
        match part.as_str() {
            "crate" => parts.clear(),
            "self" => {}
            "super" => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("::")
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, TuningError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: [(&str, &str); 3] = [
        ("lib.rs", "mod a;\n"),
        (
            "a.rs",
            "mod b;\n/// A width.\npub(crate) const WIDTH: usize = 1 << 10;\nconst PARTS: [u32; 2] = [3, 4];\n\
             const WIDE_LOG2: u32 = 5;\nconst ROWS: usize = 4;\nconst LEAST: usize = 7;\n\
             fn area(x: usize) -> usize { let row = [0; ROWS]; match x { ..LEAST => 0, it => it * WIDTH } }\n\
             #[cfg(test)]\nmod tests { use super::*; const ROOM: [u8; WIDTH] = [0; WIDTH]; }\n",
        ),
        (
            "a/b.rs",
            "use super::{WIDTH as W, area};\nuse crate::a;\nconst HALF: usize = W / 2;\n\
             fn all() -> usize { HALF + area(W) + a::WIDTH }\n",
        ),
    ];

    /// The copy of a file in one line, with one space between words.
    fn copied(changeable: &[&str], fixed: Option<(&str, Factor)>, file: &str) -> String {
        let room = tempfile::tempdir().expect("a folder");
        let sources = engine(room.path());
        let copy = room.path().join("copy");
        let changeable = changeable.iter().map(|it| (*it).to_owned()).collect();
        let fixed = fixed.map(|(key, factor)| (key.to_owned(), factor));
        let fixed = fixed.as_ref().map(|(key, factor)| (key, *factor));
        sources.write(&copy, &changeable, fixed).expect("a copy");
        let text = fs::read_to_string(copy.join(file)).expect("a file");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn engine(room: &Path) -> Sources {
        let folder = room.join("src");
        fs::create_dir_all(folder.join("a")).expect("a folder");
        for (file, text) in ENGINE {
            fs::write(folder.join(file), text).expect("a file");
        }
        Sources::read(&folder).expect("sources")
    }

    #[test]
    fn constants_are_found_with_their_values_and_those_of_tests_are_not() {
        let room = tempfile::tempdir().expect("a folder");
        let sources = engine(room.path());
        let found: Vec<_> =
            sources.constants.iter().map(|(key, it)| (key.as_str(), it.value.as_str())).collect();
        let expected = [
            ("a::b::HALF", "W / 2"),
            ("a::WIDTH", "1 << 10"),
            ("a::PARTS", "[3, 4]"),
            ("a::WIDE_LOG2", "5"),
            ("a::ROWS", "4"),
            ("a::LEAST", "7"),
        ];
        assert_eq!(found, expected);
        let fixed: Vec<_> = sources.fixed().into_iter().collect();
        assert_eq!(fixed, ["a::LEAST", "a::ROWS"], "an arm's pattern and an array's length");
    }

    #[test]
    fn changeable_constants_become_functions_with_all_that_is_made_of_them() {
        let of_b = copied(&["a::WIDTH"], None, "a/b.rs");
        for part in [
            "fn HALF () -> usize { crate :: tuned :: number (2 , W () / 2) }",
            "HALF () + area (W ()) + a :: WIDTH ()",
            "use super :: { WIDTH as W , area } ;",
        ] {
            assert!(of_b.contains(part), "{of_b}");
        }
        let of_a = copied(&["a::WIDTH", "a::WIDE_LOG2"], None, "a.rs");
        assert!(of_a.contains("pub (crate) fn WIDTH () -> usize"), "{of_a}");
        assert!(of_a.contains("crate :: tuned :: logarithm (1 , 5)"), "{of_a}");
        assert!(of_a.contains("const ROWS : usize = 4 ;") && !of_a.contains("tests"), "{of_a}");
    }

    #[test]
    fn a_constant_that_the_compiler_has_to_know_is_written_with_its_other_value() {
        for (factor, part) in [(Factor::Half, "(7) / 2 ;"), (Factor::Double, "(7) * 2 ;")] {
            let text = copied(&[], Some(("a::LEAST", factor)), "a.rs");
            assert!(text.contains(&format!("const LEAST : usize = {part}")), "{text}");
        }
        let text = copied(&[], Some(("a::WIDE_LOG2", Factor::Half)), "a.rs");
        assert!(text.contains("const WIDE_LOG2 : u32 = (5) - 1 ;"), "{text}");
    }
}
