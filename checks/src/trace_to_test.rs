//! `check trace-to-test`: a Rust test that replays a trace and asserts its guarantee.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use steadfast_guarantees::GuaranteeId;
use steadfast_guarantees::twins::variant as shipped_variant;
use steadfast_output::exit_code::USAGE;
use steadfast_output::{say, warn};
use steadfast_trace::Trace;

use crate::failure::Failure;
use crate::json::for_terminal;
use crate::read_files::read_trace;
use crate::shrink::{broken_by, guarantee};

/// The options of `check trace-to-test`.
#[derive(Args, Clone, Debug)]
pub(crate) struct TestOptions {
    /// The trace.
    pub trace: PathBuf,
    /// The guarantee to assert, as G5; the first that the trace breaks without it.
    #[arg(long, value_name = "ID", value_parser = guarantee)]
    pub guarantee: Option<GuaranteeId>,
}

/// Prints the test. It belongs into `tests/` of a crate that uses the crates it names.
pub(crate) fn run(options: &TestOptions) -> Result<ExitCode, Failure> {
    let file = read_trace(&options.trace)?;
    let guarantee =
        options.guarantee.or_else(|| broken_by(&file.trace)).ok_or_else(|| Failure {
            message: format!(
                "{}: the trace breaks nothing; name the guarantee to assert with --guarantee",
                file.name
            ),
            code: USAGE,
        })?;
    if guarantee.guarantee().is_own() {
        let id = guarantee.short();
        return Err(Failure::usage(format!(
            "{id} is a guarantee of this program, which a test of the shipped crates does not know: name \
             another one with --guarantee"
        )));
    }
    say(source(&file.trace, guarantee).trim_end());
    if let Some(name) = variant_of_ones_own(&file.trace) {
        warn(format_args!(
            "note: the test runs the protocol as it is. It cannot name the variant {name}, which is not \
             shipped; the test says where to put it."
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of the variant that ran, if it is not shipped, so that no test can find it by its name.
fn variant_of_ones_own(trace: &Trace) -> Option<&str> {
    trace.variant.as_deref().filter(|it| shipped_variant(it).is_none())
}

/// The source of the test.
fn source(trace: &Trace, guarantee: GuaranteeId) -> String {
    let (short, id) = (guarantee.short(), format!("{guarantee:?}"));
    let scope = trace.scope.name.escape_default();
    let story = trace.variant.as_deref().unwrap_or(&trace.scope.name);
    let (name, keeps) = (identifier(story), format!("keeps_{}", identifier(guarantee.name())));
    let json = for_terminal(&json(trace));
    let hashes = "#".repeat(longest_run(&json, '#') + 1);
    let shipped = trace.variant.as_deref().filter(|it| shipped_variant(it).is_some());
    let own = variant_of_ones_own(trace).map_or(String::new(), |it| {
        format!(
            "//!\n//! The steps are those of the variant {}, which is not shipped. `replay(&trace, Some(&IT))`\n\
             //! runs it, with its static in place of `IT`.\n",
            it.escape_default()
        )
    });
    let twin_use =
        if shipped.is_some() { "use steadfast_guarantees::twins::variant;\n" } else { "" };
    let twin_test = match shipped {
        Some(variant) => format!(
            r#"
#[test]
fn {name}_is_still_caught() {{
    let trace = Trace::parse(TRACE).expect("the trace of this test");
    let mut run = replay(&trace, variant({variant:?}));
    for it in &trace.steps {{
        run.take(&it.step).expect("a step that the twin can take");
    }}
    assert!(run.broken().contains(&GuaranteeId::{id}), "the twin breaks {short}");
}}
"#
        ),
        None => String::new(),
    };
    // A twin's steps need not be possible for the protocol as it is; those of a run of its own are.
    let taken = match trace.variant {
        Some(_) => {
            r"        if run.take(&it.step).is_err() {
            break;
        }
"
        }
        None => "        run.take(&it.step).expect(\"a step that the protocol can take\");\n",
    };
    format!(
        r#"//! Made by `check trace-to-test` from a run of the scope {scope}.
{own}
use steadfast_cluster::replay;
use steadfast_guarantees::GuaranteeId;
{twin_use}use steadfast_trace::Trace;

#[test]
fn the_protocol_{keeps}_in_{name}() {{
    let trace = Trace::parse(TRACE).expect("the trace of this test");
    let mut run = replay(&trace, None);
    for it in &trace.steps {{
{taken}        assert!(!run.broken().contains(&GuaranteeId::{id}), "{{}} breaks {short}", it.step);
    }}
}}
{twin_test}
const TRACE: &str = r{hashes}"{json}"{hashes};
"#
    )
}

/// The trace as JSON, one step a line.
fn json(trace: &Trace) -> String {
    let value = serde_json::to_value(trace).unwrap_or_default();
    let object = value.as_object().into_iter().flatten();
    let field = |(name, value): (&String, &serde_json::Value)| match value.as_array() {
        Some(items) if name == "steps" => {
            let lines: Vec<String> = items.iter().map(|it| format!("    {it}")).collect();
            format!("  {name:?}: [\n{}\n  ]", lines.join(",\n"))
        }
        _ => format!("  {name:?}: {value}"),
    };
    format!("{{\n{}\n}}", object.map(field).collect::<Vec<_>>().join(",\n"))
}

/// A name of letters, digits and lines under them.
fn identifier(name: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '_' };
    name.chars().map(plain).take(60).collect()
}

/// The longest run of a character: a raw string needs one more to end.
fn longest_run(text: &str, of: char) -> usize {
    text.split(|it| it != of).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_looks_up_no_variant_that_is_not_shipped() {
        let mut trace = steadfast_cluster::script("ack-without-epoch").expect("a shipped script");
        let shipped = source(&trace, GuaranteeId::Linearizable);
        assert!(shipped.contains("replay(&trace, variant(\"ack-without-epoch\"))"), "{shipped}");
        assert!(!shipped.contains("not shipped"), "{shipped}");
        trace.variant = Some("own-entries-only".to_owned());
        let own = source(&trace, GuaranteeId::Linearizable);
        assert!(!own.contains("variant(") && !own.contains("_is_still_caught"), "{own}");
        assert!(own.contains("//! The steps are those of the variant own-entries-only, "), "{own}");
        assert_eq!(own.matches("#[test]").count(), 1, "{own}");
    }

    #[test]
    fn a_hostile_name_stays_inside_the_raw_string() {
        let mut trace = steadfast_cluster::script("ack-without-epoch").expect("a shipped script");
        trace.scope.name = "evil\"###; fn main() {} //\n".to_owned();
        let source = source(&trace, GuaranteeId::Linearizable);
        let (_, after) = source.split_once("r####\"").expect("a longer fence");
        let (json, rest) = after.split_once("\"####;").expect("its end");
        assert_eq!(rest.trim(), "");
        assert_eq!(Trace::parse(json).expect("the trace").scope.name, trace.scope.name);
        assert!(!source.lines().next().expect("a comment").contains('\n'));
    }
}
