//! Colours, where standard output is a terminal that shows them and the user does not refuse them
//! (`NO_COLOR`).

use std::fmt::Display;
use std::io;
use std::sync::OnceLock;

use anstream::{AutoStream, ColorChoice};
use anstyle::AnsiColor;

/// Something is broken or gone.
pub(crate) fn red(text: impl Display) -> String {
    in_colour(AnsiColor::Red, text)
}

/// Something is kept or new.
pub(crate) fn green(text: impl Display) -> String {
    in_colour(AnsiColor::Green, text)
}

/// Something is unknown.
pub(crate) fn yellow(text: impl Display) -> String {
    in_colour(AnsiColor::Yellow, text)
}

fn in_colour(colour: AnsiColor, text: impl Display) -> String {
    static IS_SHOWN: OnceLock<bool> = OnceLock::new();
    let choice = || AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    match *IS_SHOWN.get_or_init(choice) {
        true => format!("{}{text}{}", colour.render_fg(), anstyle::Reset.render()),
        false => text.to_string(),
    }
}
