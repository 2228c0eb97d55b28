//! Two-phase commit in the language of Spin (Holzmann, "The Model Checker SPIN", IEEE TSE 23(5),
//! 1997), verified by the program that Spin generates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Result;
use super::subject::Subject;

const MODEL: &str = include_str!("two_phase_commit.pml");

/// The options of the C compiler: safety only, and no partial-order reduction, which could reduce nothing in
/// a model with one process. Of `-O2`, `-O3` and other tables and searches these were the fastest.
const COMPILER_OPTIONS: [&str; 3] = ["-O3", "-DSAFETY", "-DNOREDUCE"];

/// The longest run; the verifier refuses longer ones.
const DEPTH_MAX: &str = "-m1000000";

/// A verifier that is compiled.
pub(super) struct Spin {
    _directory: TempDir,
    verifier: PathBuf,
}

impl Spin {
    /// Compiles the verifier of a subject; the inner error says what is not installed.
    pub(super) fn prepare(subject: &Subject) -> Result<std::result::Result<Spin, String>> {
        let Subject::TwoPhaseCommit(resources) = subject else {
            return Err(format!("{subject} is not written in Spin's language").into());
        };
        for (program, package) in [("spin", "spin"), ("cc", "gcc")] {
            if !is_installed(program) {
                return Ok(Err(format!(
                    "Spin is left out: there is no program `{program}` (Debian: apt install {package})"
                )));
            }
        }
        let directory = tempfile::Builder::new().prefix("versus-check-").tempdir()?;
        let place = directory.path();
        fs::write(place.join("commit.pml"), MODEL)?;
        let define = format!("-DN={resources}");
        run(Command::new("spin").args([&define, "-a", "commit.pml"]).current_dir(place))?;
        let compiler = Command::new("cc")
            .args(COMPILER_OPTIONS)
            .args(["-o", "pan", "pan.c"])
            .current_dir(place)
            .output()?;
        succeeded("cc", &compiler)?;
        let verifier = place.join("pan");
        Ok(Ok(Spin { _directory: directory, verifier }))
    }

    /// The program.
    pub(super) fn verifier(&self) -> &Path {
        &self.verifier
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output()?;
    succeeded(&name, &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn succeeded(name: &str, output: &std::process::Output) -> Result<()> {
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = [&output.stdout[..], &output.stderr[..]].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            Err(format!("{name} failed ({}): {}", output.status, said.trim()).into())
        }
    }
}

/// Runs a verifier to the end, and returns the numbers of unique and generated states.
pub(super) fn verify(verifier: &Path) -> Result<(u64, u64)> {
    let report = run(Command::new(verifier).args([DEPTH_MAX, "-n"]).current_dir("/"))?;
    counts(&report)
        .ok_or_else(|| format!("the verifier reports no complete search:\n{report}").into())
}

/// The counts in the report of a verifier that searched to the end without an error.
fn counts(report: &str) -> Option<(u64, u64)> {
    let is_whole = report.contains("errors: 0")
        && !report.contains("Search not completed")
        && !report.contains("max search depth too small");
    let count = |what: &str| {
        let line = report.lines().find(|it| it.contains(what))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    // The initial state is stored as well, so that it is among the transitions.
    is_whole.then_some((count("states, stored")?, count("transitions (= stored+matched)")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "State-vector 36 byte, depth reached 10, errors: 0
      288 states, stored
      858 states, matched
     1146 transitions (= stored+matched)
        0 atomic steps";

    #[test]
    fn the_counts_of_a_verifier_are_read() {
        assert_eq!(counts(REPORT), Some((288, 1146)));
    }

    #[test]
    fn a_search_with_an_error_or_one_that_was_cut_short_has_no_counts() {
        assert_eq!(counts(&REPORT.replace("errors: 0", "errors: 1")), None);
        assert_eq!(counts(&format!("error: max search depth too small\n{REPORT}")), None);
        assert_eq!(counts(&format!("Warning: Search not completed\n{REPORT}")), None);
        assert_eq!(counts(""), None);
    }
}
