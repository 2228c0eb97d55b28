//! The errors that end an invocation without a verdict.

use steadfast_output::exit_code::{IO, USAGE};

/// An error that ends the invocation: a message, and the exit code.
pub(crate) struct Failure {
    pub message: String,
    pub code: u8,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), code: USAGE }
    }

    pub(crate) fn io(error: impl std::error::Error) -> Failure {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message += &format!(": {cause}");
            source = cause.source();
        }
        Failure { message, code: IO }
    }
}
