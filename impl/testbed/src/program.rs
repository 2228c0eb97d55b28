//! The program whose processes are the nodes.

use std::path::{Path, PathBuf};

use crate::TestbedError;

/// The command that builds the program beside other programs of the same workspace.
const BUILD: &str = "cargo build -p steadfast";

/// A program `steadfast`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(PathBuf);

impl Program {
    /// The program at this path, or else the one that was built together with the current executable: beside it, or one directory
    /// above it, where cargo keeps tests and benches in `deps`.
    ///
    /// # Errors
    /// There is no such program. The error names the place and the command that builds it.
    pub fn find(path: Option<&Path>) -> Result<Program, TestbedError> {
        if let Some(path) = path {
            return Program::at(path.to_owned());
        }
        let own = std::env::current_exe()
            .map_err(TestbedError::io("the place of this program is not known"))?;
        let beside = own.parent().unwrap_or(Path::new("")).join("steadfast");
        let above = own.ancestors().nth(2).map(|it| it.join("steadfast"));
        match above.filter(|it| !beside.is_file() && it.is_file()) {
            Some(above) => Program::at(above),
            None => Program::at(beside),
        }
    }

    fn at(path: PathBuf) -> Result<Program, TestbedError> {
        // Nodes run in another directory than the one that a relative path refers to.
        match std::fs::canonicalize(&path).ok().filter(|it| it.is_file()) {
            Some(path) => Ok(Program(path)),
            None => Err(TestbedError::NoProgram { path, build: BUILD }),
        }
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_the_command_that_builds_it() {
        let missing = Program::find(Some(Path::new("/nowhere/steadfast")));
        let said = missing.expect_err("no program").to_string();
        assert!(said.contains("/nowhere/steadfast") && said.contains(BUILD), "{said}");
        let directory = Program::find(Some(Path::new("/")));
        assert!(directory.is_err(), "a directory is no program");
    }
}
