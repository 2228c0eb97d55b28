//! `check list`.

use std::process::ExitCode;

use serde::Serialize;
use steadfast_cluster::{SHIPPED, Tier};
use steadfast_guarantees::guarantees;
use steadfast_guarantees::twins::Variant;
use steadfast_output::say;
use steadfast_protocol::Limits;
use steadfast_trace::{Scope, Start};

use crate::catalog::{self, NamedScope, find_scope};
use crate::failure::Failure;
use crate::fold::fold;
use crate::json;
use crate::verdict::Verdict;

/// Everything that has a name, or what a scope allows.
pub(crate) fn list(scope: Option<&str>, json: bool) -> Result<ExitCode, Failure> {
    match (scope.map(find_scope).transpose().map_err(Failure::usage)?, json) {
        (Some(named), true) => {
            say(serde_json::to_string_pretty(&named.file()).map_err(Failure::io)?)
        }
        (Some(named), false) => say(text_of(&named)),
        (None, true) => json::print(Verdict::Kept, &Listed::all())?,
        (None, false) => list_all(),
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that has a name, as `--json` prints it.
#[derive(Serialize)]
struct Listed {
    scopes: Vec<ListedScope>,
    guarantees: Vec<ListedGuarantee>,
    twins: Vec<ListedVariant>,
    variants: Vec<ListedVariant>,
}

#[derive(Serialize)]
struct ListedScope {
    name: String,
    tier: &'static str,
    about: String,
    /// The whole scope, as in a file for `--scope`.
    scope: Scope,
}

#[derive(Serialize)]
struct ListedGuarantee {
    id: &'static str,
    name: &'static str,
    promise: &'static str,
}

#[derive(Serialize)]
struct ListedVariant {
    name: &'static str,
    about: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caught_by: Option<&'static str>,
}

impl Listed {
    fn all() -> Listed {
        let shipped = SHIPPED.iter().map(|it| ListedScope {
            name: it.name.to_owned(),
            tier: tier_name(it.tier),
            about: it.about.to_owned(),
            scope: it.scope(),
        });
        let own = catalog::own_scopes().map(|it| ListedScope {
            name: it.scope.name.clone(),
            tier: "own",
            about: "a scope of this program".to_owned(),
            scope: it.scope.clone(),
        });
        let guarantees = guarantees().iter().map(|it| ListedGuarantee {
            id: it.id().short(),
            name: it.id().name(),
            promise: it.promise(),
        });
        let variant = |Variant { name, about, .. }: Variant, caught_by| ListedVariant {
            name,
            about,
            caught_by,
        };
        Listed {
            scopes: shipped.chain(own).collect(),
            guarantees: guarantees.collect(),
            twins: catalog::twins()
                .map(|it| variant(it.variant, Some(it.caught_by.short())))
                .collect(),
            variants: catalog::variants().map(|it| variant(*it, None)).collect(),
        }
    }
}

fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Default => "default",
        Tier::Deep => "deep",
        Tier::Support => "support",
    }
}

fn list_all() {
    let Listed { scopes, guarantees, twins, variants } = Listed::all();
    say("SCOPES");
    for it in scopes {
        item(&format!("{:<20} {:<9}", it.name, it.tier), &it.about);
        say(fold(&format!("      {}; {}", settings(&it.scope), counts(&it.scope)), "      "));
    }
    say("\nGUARANTEES");
    for it in guarantees {
        item(&format!("{:<3} {}", it.id, it.name), it.promise);
    }
    say("\nTWINS");
    for it in twins {
        let caught_by = it.caught_by.unwrap_or_default();
        item(&format!("{} (caught by {caught_by})", it.name), it.about);
    }
    if !variants.is_empty() {
        say("\nVARIANTS");
    }
    for it in variants {
        item(it.name, it.about);
    }
}

/// Prints a name, and a text about it.
fn item(name: &str, about: &str) {
    say(fold(&format!("  {name:<30} {about}"), "      "));
}

fn settings(scope: &Scope) -> String {
    let Scope { settings, .. } = scope;
    format!("N={}, E={}, W={}", settings.nodes(), settings.elect(), settings.write())
}

/// How often each kind of event may happen.
fn counts(scope: &Scope) -> String {
    let bounds = serde_json::to_value(scope.bounds).unwrap_or_default();
    let counts = bounds.as_object().into_iter().flatten();
    let counts = counts.filter(|it| it.1.as_u64().is_some_and(|it| it > 0));
    let counts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    counts.join(", ")
}

/// What a scope allows, in lines.
fn text_of(named: &NamedScope) -> String {
    let scope = &named.scope;
    let mut text = format!("{}\n  {}, {} network\n", scope.name, settings(scope), scope.network);
    text += &(fold(&format!("  at most: {}", counts(scope)), "    ") + "\n");
    let flags = [
        ("begins without a leader", scope.start == Start::Cold),
        ("link events apart", scope.link_events_apart),
        ("one-way cuts", scope.one_way_cuts),
        ("cuts that lose single links", scope.lost_links > 0),
        ("pipelined syncs", scope.pipelined_syncs),
        ("named contents", scope.named_contents),
        ("guarded elections", scope.guards_elections),
        ("forgotten deletes", scope.forgets_deletes),
        ("forgotten requests", scope.forgets_requests),
        ("an incarnation for each start", scope.own_incarnations),
        ("narrow messages and windows", scope.limits != Limits::default()),
    ];
    let flags: Vec<&str> = flags.iter().filter(|it| it.1).map(|it| it.0).collect();
    if !flags.is_empty() {
        text += &(fold(&format!("  with: {}", flags.join(", ")), "    ") + "\n");
    }
    if !named.witnesses.is_empty() {
        text += &(fold(&format!("  must reach: {}", named.witnesses.join(", ")), "    ") + "\n");
    }
    text.trim_end().to_owned()
}
