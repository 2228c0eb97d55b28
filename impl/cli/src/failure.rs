//! Why a command failed, for a person and for a script.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

use steadfast_output::exit_code::{BROKEN, INCOMPLETE, IO, USAGE};
use steadfast_output::warn;

/// What failed, why, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    help: Option<&'static str>,
}

impl Failure {
    /// A file or a patch is not what it should be.
    pub(crate) fn broken(message: impl Into<String>) -> Failure {
        Failure { code: BROKEN, message: message.into(), help: None }
    }

    /// The command cannot work like this.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into(), help: None }
    }

    /// Something cannot be read or written.
    pub(crate) fn io(what: impl Into<String>, error: &dyn Error) -> Failure {
        Failure { code: IO, message: with_causes(what.into(), error), help: None }
    }

    /// Reading, writing or the network failed, as the message says.
    pub(crate) fn of_io(message: impl Into<String>) -> Failure {
        Failure { code: IO, message: message.into(), help: None }
    }

    /// Not everything was done, or it is unknown whether it was.
    pub(crate) fn incomplete(message: impl Into<String>) -> Failure {
        Failure { code: INCOMPLETE, message: message.into(), help: None }
    }

    /// Another process changed a file while it was read, so a result from it is void. `how` names the
    /// evidence.
    pub(crate) fn changed(file: impl Display, how: &str) -> Failure {
        let message = format!("{file} was changed while it was read: {how}");
        let help = Some("make a copy that no process writes to, and use that");
        Failure { code: IO, message, help }
    }

    /// With advice.
    pub(crate) fn help(self, help: &'static str) -> Failure {
        Failure { help: Some(help), ..self }
    }

    /// Prints it on standard error and returns the exit code that stands for it.
    pub(crate) fn report(&self) -> ExitCode {
        warn(format_args!("steadfast: {}", self.message));
        if let Some(help) = self.help {
            warn(format_args!("  help: {help}"));
        }
        ExitCode::from(self.code)
    }
}

/// `what`, and the chain of causes behind colons. Some errors name their cause themselves.
pub(crate) fn with_causes(what: String, error: &dyn Error) -> String {
    let mut message = format!("{what}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !message.ends_with(&cause_text) {
            message += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    message
}
