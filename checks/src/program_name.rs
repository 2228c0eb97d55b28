//! The name of this program: a program of one's own is not called `check`, and the commands that it prints
//! must be those that know its variants.

use std::sync::OnceLock;

static NAME: OnceLock<String> = OnceLock::new();

/// Takes the name from the file of this process, once.
pub(crate) fn note_program_name() {
    let file = std::env::current_exe().ok();
    let name = file.and_then(|it| Some(it.file_stem()?.to_string_lossy().into_owned()));
    if let Some(name) = name {
        NAME.get_or_init(|| name);
    }
}

/// The name to print in commands and before messages.
pub(crate) fn program_name() -> &'static str {
    NAME.get().map_or("check", String::as_str)
}
