//! Reports as JSON; `JSON.md` beside this crate's sources documents them.

use serde::Serialize;
use steadfast_output::say;

use crate::failure::Failure;
use crate::verdict::Verdict;

/// The version of all reports. It changes when a key is renamed or gone, not when one is added.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Report<'a, T> {
    version: u32,
    ok: bool,
    verdict: Verdict,
    #[serde(flatten)]
    report: &'a T,
}

/// Prints a report and its verdict as one JSON object.
pub(crate) fn print(verdict: Verdict, report: &impl Serialize) -> Result<(), Failure> {
    let report = Report { version: VERSION, ok: verdict == Verdict::Kept, verdict, report };
    say(serde_json::to_string_pretty(&report).map_err(Failure::io)?);
    Ok(())
}
