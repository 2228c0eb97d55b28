//! `steadfast completions` and `steadfast man`: what a package installs beside the program.
//!
//! Commands and not a build script: `cargo install` installs programs only, so files that a build left in
//! its target directory would be gone with it. The program always agrees with its own pages.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use steadfast_output::{StandardOutput, WholeFile, say, shown};

use crate::failure::Failure;

/// The name of the program, whatever its file is called.
const NAME: &str = "steadfast";

/// The options of `steadfast completions`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The options of `steadfast man`.
#[derive(Args, Debug)]
pub(crate) struct Pages {
    /// The directory, such as `~/.local/share/man/man1`. It is made if it does not exist.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Prints the completions of the program that `P` describes.
pub(crate) fn completions<P: CommandFactory>(options: &Completions) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut P::command(), NAME, &mut script);
    let printed = StandardOutput::for_data().and_then(|mut output| {
        output.write_all(&script)?;
        output.flush()
    });
    printed.map_err(|error| Failure::io("cannot print the completions", &error))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages of the program that `P` describes, and names them.
pub(crate) fn pages<P: CommandFactory>(options: &Pages) -> Result<ExitCode, Failure> {
    let directory = &options.directory;
    fs::create_dir_all(directory)
        .map_err(|error| Failure::io(format!("cannot make {}", shown(directory)), &error))?;
    // Each command has its page; `steadfast help` repeats them and needs none.
    let mut program = P::command().disable_help_subcommand(true);
    program.build();
    write_pages(&program, directory)?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(command: &Command, directory: &Path) -> Result<(), Failure> {
    let page = Man::new(command.clone());
    let path = directory.join(OsString::from(page.get_filename()));
    WholeFile::write(&path, |file| page.render(file))
        .map_err(|error| Failure::io(format!("cannot write {}", shown(&path)), &error))?;
    say(shown(&path));
    command.get_subcommands().try_for_each(|it| write_pages(it, directory))
}
