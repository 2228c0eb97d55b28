//! Traces and scopes from files, as every subcommand that takes one reads it.

use std::error::Error;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::witnesses::witness;
use steadfast_output::exit_code::IO;
use steadfast_output::shown;
use steadfast_trace::{ReadError, ScopeFile, Trace};

use crate::catalog::{NamedScope, assert_fit, find_variant};
use crate::failure::Failure;
use crate::program_name::program_name;
use crate::shrink::guarantee;

/// A trace with the objects that it names.
pub(crate) struct TraceFile {
    /// The name of the file.
    pub name: String,
    pub trace: Trace,
    /// The variant that ran.
    pub variant: Option<&'static Variant>,
}

/// Reads a trace, and checks its scope and that its variant exists.
pub(crate) fn read_trace(file: &Path) -> Result<TraceFile, Failure> {
    let bad = |message: String| bad(file, &message);
    refuse_named_pipe(file).map_err(bad)?;
    let trace = Trace::read(file).map_err(|it| bad(text_of(&it)))?;
    let unknown = trace.breaks.iter().find_map(|it| guarantee(it).err());
    unknown.map_or(Ok(()), |it| Err(bad(it)))?;
    trace.scope.validate().map_err(|it| bad(it.to_string()))?;
    let variant = trace.variant.as_deref().map(find_variant).transpose().map_err(bad)?;
    Ok(TraceFile { name: shown(file), trace, variant })
}

/// Reads a scope, and checks that it allows something and that its witnesses exist.
pub(crate) fn read_scope(file: &Path) -> Result<NamedScope, Failure> {
    let bad = |message: String| bad(file, &message);
    refuse_named_pipe(file).map_err(bad)?;
    let read = ScopeFile::read(file).map_err(|error| match error {
        ReadError::Io(_) => bad(text_of(&error)),
        _ => {
            let program = program_name();
            bad(format!("{}; `{program} list SCOPE --json` writes a scope", text_of(&error)))
        }
    })?;
    named(read).map_err(bad)
}

fn named(ScopeFile { scope, witnesses, .. }: ScopeFile) -> Result<NamedScope, String> {
    assert_fit("scope", &scope.name)?;
    scope.validate().map_err(|it| it.to_string())?;
    scope.check_effects().map_err(|it| it.to_string())?;
    let witnesses = witnesses.iter().map(|it| witness(it).map(|it| it.id));
    let witnesses = witnesses.collect::<Result<_, _>>().map_err(|it| it.to_string())?;
    Ok(NamedScope { scope, witnesses })
}

/// Refuses a named pipe: without a writer it would be waited for without an end. The pipes of a shell,
/// such as `/dev/stdin`, are not named.
fn refuse_named_pipe(file: &Path) -> Result<(), String> {
    let is_pipe = file.metadata().is_ok_and(|it| it.file_type().is_fifo());
    match is_pipe && !file.starts_with("/dev") && !file.starts_with("/proc") {
        true => {
            Err("it is a named pipe, which nobody may write to: redirect it to standard input, \
                     and name /dev/stdin"
                .to_owned())
        }
        false => Ok(()),
    }
}

fn bad(file: &Path, message: &str) -> Failure {
    Failure { message: format!("{}: {message}", shown(file)), code: IO }
}

fn text_of(error: &ReadError) -> String {
    let cause = error.source().map_or(String::new(), |it| format!(": {it}"));
    format!("{error}{cause}")
}

#[cfg(test)]
mod tests {
    use steadfast_cluster::SHIPPED;

    use super::*;
    use crate::catalog::find_scope;

    fn text(name: &str) -> serde_json::Value {
        serde_json::to_value(find_scope(name).expect("a shipped scope").file()).expect("JSON")
    }

    fn read(text: &[u8]) -> Result<NamedScope, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, text).expect("a file");
        read_scope(file.path()).map_err(|it| it.message)
    }

    #[test]
    fn every_shipped_scope_can_be_written_and_read() {
        for shipped in SHIPPED {
            let named = find_scope(shipped.name).expect("a shipped scope");
            let again = read(text(shipped.name).to_string().as_bytes()).expect("a scope");
            assert_eq!((&again.scope, &again.witnesses), (&named.scope, &named.witnesses));
        }
    }

    #[test]
    fn a_wrong_scope_is_named_with_what_is_wrong() {
        let right = text("cold");
        let says = |change: &dyn Fn(&mut serde_json::Value), says: &str| {
            let mut wrong = right.clone();
            change(&mut wrong);
            let error = read(wrong.to_string().as_bytes()).err().expect("a wrong file");
            assert!(error.contains(says), "{error}");
        };
        says(&|it| it["format"] = "steadfast-trace".into(), "its format is \"steadfast-trace\"");
        says(&|it| it["version"] = 2.into(), "version 2; this program reads version 1");
        says(&|it| it["scope"]["bounds"]["write"] = 1.into(), "unknown field `write`");
        says(&|it| it["scope"]["lossy"] = true.into(), "unknown field `lossy`");
        says(&|it| it["witness"] = "x".into(), "unknown field `witness`");
        says(&|it| it["witnesses"] = vec!["x"].into(), "no witness is called \"x\"");
        says(
            &|it| it["scope"]["settings"]["elect"] = 9.into(),
            "the votes needed to lead are 1 to",
        );
        says(&|it| it["scope"]["bounds"]["rot"] = 1.into(), "rot has no effect here");
        says(&|it| it["scope"]["bounds"]["paths"] = 0.into(), "0 paths");
        let error = read(b"{").err().expect("half a file");
        assert!(error.contains(": it is damaged or not a scope: "), "{error}");
        let error = read(&vec![b' '; (1 << 20) + 1]).err().expect("a large file");
        assert!(error.contains("it is larger than any scope (1048576 bytes)"), "{error}");
    }
}
