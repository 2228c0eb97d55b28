//! Scopes as files.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use steadfast_guarantees::witnesses::witness;
use steadfast_output::exit_code::IO;
use steadfast_output::shown;
use steadfast_trace::Scope;

use crate::catalog::NamedScope;
use crate::failure::Failure;

const FORMAT: &str = "steadfast-scope";
const VERSION: u32 = 1;
/// Larger files are no scopes.
const BYTES_MAX: u64 = 1 << 20;

/// A scope as a file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeFile<'a> {
    format: Cow<'a, str>,
    version: u32,
    scope: Cow<'a, Scope>,
    /// The ids of what a search must reach.
    #[serde(default)]
    witnesses: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

impl<'a> ScopeFile<'a> {
    /// The file of a scope.
    pub(crate) fn of(named: &'a NamedScope) -> ScopeFile<'a> {
        let witnesses = named.witnesses.iter().map(|it| Cow::Borrowed(*it)).collect();
        let (format, scope) = (Cow::Borrowed(FORMAT), Cow::Borrowed(&named.scope));
        ScopeFile { format, version: VERSION, scope, witnesses }
    }
}

/// Reads a scope from a file.
pub(crate) fn read(file: &Path) -> Result<NamedScope, Failure> {
    let bad =
        |message: String| Failure { message: format!("{}: {message}", shown(file)), code: IO };
    let text = text_of(file).map_err(|error| bad(format!("cannot read it: {error}")))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(bad(format!("it is larger than any scope ({BYTES_MAX} bytes)")));
    }
    parse(&text).map_err(bad)
}

fn text_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file)?.take(BYTES_MAX + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn parse(text: &[u8]) -> Result<NamedScope, String> {
    let help = "`check list SCOPE --json` writes one that can be changed";
    let no_scope = |error: serde_json::Error| format!("it is no scope: {error}; {help}");
    let Header { format, version } = serde_json::from_slice(text).map_err(no_scope)?;
    if format != FORMAT {
        return Err(format!("its format is {format:?}, not {FORMAT:?}; {help}"));
    }
    if version != VERSION {
        return Err(format!("it has version {version}; this program reads version {VERSION}"));
    }
    let file: ScopeFile<'_> = serde_json::from_slice(text).map_err(no_scope)?;
    let scope = file.scope.into_owned();
    scope.validate().map_err(|it| it.to_string())?;
    scope.check_effects().map_err(|it| it.to_string())?;
    let witnesses = file.witnesses.iter().map(|it| witness(it).map(|it| it.id));
    let witnesses: Result<Vec<_>, _> = witnesses.collect();
    Ok(NamedScope { scope, witnesses: witnesses.map_err(|it| it.to_string())? })
}

#[cfg(test)]
mod tests {
    use steadfast_cluster::SHIPPED;

    use super::*;
    use crate::catalog::find_scope;

    #[test]
    fn every_shipped_scope_can_be_written_and_read() {
        for shipped in SHIPPED {
            let named = find_scope(shipped.name).expect("a shipped scope");
            let text = serde_json::to_vec(&ScopeFile::of(&named)).expect("JSON");
            let again = parse(&text).expect("a scope");
            assert_eq!((&again.scope, &again.witnesses), (&named.scope, &named.witnesses));
        }
    }

    #[test]
    fn a_wrong_file_is_named_with_what_is_wrong() {
        let named = find_scope("cold").expect("a shipped scope");
        let right = serde_json::to_value(ScopeFile::of(&named)).expect("JSON");
        let says = |change: &dyn Fn(&mut serde_json::Value), says: &str| {
            let mut wrong = right.clone();
            change(&mut wrong);
            let error = parse(wrong.to_string().as_bytes()).err().expect("a wrong file");
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
        let error = parse(b"{").err().expect("half a file");
        assert!(error.starts_with("it is no scope: "), "{error}");
    }
}
