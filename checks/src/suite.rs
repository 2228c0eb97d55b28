//! The subcommands that search.

use std::process::ExitCode;

use steadfast_cluster::{SHIPPED, Shipped, Tier, shipped};
use steadfast_guarantees::twins::{Twin, Variant};
use steadfast_trace::Scope;
use steadfast_wal_crash::Extent;

use crate::catalog::find_twin;
use crate::failure::Failure;
use crate::job::{Job, Search};
use crate::matrix;
use crate::options::{ChangedBounds, Output, RunOptions};
use crate::oracle;
use crate::summary::{Part, Summary};
use crate::twins;

/// `check`: the default suite. Of a variant, only what can be judged of one: the shipped twins and the
/// log are as they are.
pub(crate) fn run_default(
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let limits = output.limits();
    let mut parts = of_scopes(tier(Tier::Default, variant, output));
    parts.extend(of_scopes(walk_jobs(variant, output)));
    parts.extend(matrix::jobs(variant, limits).into_iter().map(|it| (Part::Setting, it)));
    if variant.is_none() {
        parts.extend(twin_parts(&twins::all(), &ChangedBounds::default(), output)?);
        parts.extend(oracle::jobs(limits).into_iter().map(|it| (Part::Compared, it)));
    }
    let mut summary = Summary::begin(variant, output)?;
    summary.search(&parts);
    summary.settle(&settling());
    if variant.is_none() {
        summary.crash(Extent::Small);
    }
    summary.run_seeds();
    summary.finish()
}

/// `check deep`.
pub(crate) fn run_deep(
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut summary = Summary::begin(variant, output)?;
    summary.search(&of_scopes(tier(Tier::Deep, variant, output)));
    summary.finish()
}

/// `check run`.
pub(crate) fn run_scopes(options: &RunOptions) -> Result<ExitCode, Failure> {
    let variant = options.protocol.variant()?;
    let parts = of_scopes(options.jobs(variant)?);
    let mut summary = Summary::begin(variant, &options.output)?;
    summary.search(&parts);
    summary.finish()
}

/// `check matrix`.
pub(crate) fn run_matrix(
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let jobs = matrix::jobs(variant, output.limits()).into_iter();
    let mut summary = Summary::begin(variant, output)?;
    summary.search(&jobs.map(|it| (Part::Setting, it)).collect::<Vec<_>>());
    summary.finish()
}

/// `check twins`.
pub(crate) fn run_twins(
    names: &[String],
    bounds: &ChangedBounds,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let named: Result<Vec<&'static Twin>, String> = names.iter().map(|it| find_twin(it)).collect();
    let named = named.map_err(Failure::usage)?;
    let chosen = if named.is_empty() { twins::all() } else { named };
    let parts = twin_parts(&chosen, bounds, output)?;
    let mut summary = Summary::begin(None, output)?;
    summary.search(&parts);
    summary.finish()
}

/// Their names.
const SETTLING: &[&str] = &[
    "cold",
    "candidates",
    "reads",
    "link-events",
    "one-way",
    "pipelined",
    "rot",
    "missing-content",
    "rejected",
    "doubled-votes",
    "unordered",
    "lossy",
    "lossy-contents",
    "lossy-reads",
    "lossy-window",
    "pre-vote",
    "guarded-link",
    "trims-parts-crash",
    "trims-lossy",
    "trims-pre-vote",
    "discards-rot",
    "discards-election",
    "discards-votes",
    "discards-parts",
    "discards-lossy",
    "discards-three",
];

/// The scopes whose whole graph is built.
pub(crate) fn settling() -> Vec<Scope> {
    SETTLING.iter().filter_map(|it| Some(shipped(it)?.scope())).collect()
}

/// `check settle`.
pub(crate) fn run_settle(
    scopes: &[Scope],
    variant: Option<&'static Variant>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let mut summary = Summary::begin(variant, output)?;
    summary.settle(scopes);
    summary.finish()
}

fn of_scopes(jobs: Vec<Job>) -> Vec<(Part, Job)> {
    jobs.into_iter().map(|it| (Part::Scope, it)).collect()
}

fn twin_parts(
    chosen: &[&'static Twin],
    bounds: &ChangedBounds,
    output: &Output,
) -> Result<Vec<(Part, Job)>, Failure> {
    let job = |twin: &&'static Twin| {
        let job = twins::job(twin, bounds, output.limits());
        let job = job.map_err(|it| Failure::usage(format!("{}: {it}", twin.variant.name)))?;
        Ok((Part::Twin(twin), job))
    };
    chosen.iter().map(job).collect()
}

fn tier(tier: Tier, variant: Option<&Variant>, output: &Output) -> Vec<Job> {
    SHIPPED.iter().filter(|it| it.tier == tier).map(|it| job(it, variant, output)).collect()
}

/// A search of a whole scope. A variant need not reach the witnesses.
fn job(shipped: &Shipped, variant: Option<&Variant>, output: &Output) -> Job {
    let job = Job::new(shipped.scope(), shipped.witnesses).of_variant(variant);
    Job { limits: output.limits(), must_reach: variant.is_none(), ..job }
}

fn walk_jobs(variant: Option<&Variant>, output: &Output) -> Vec<Job> {
    let walks = SHIPPED.iter().filter(|it| it.name == "walk");
    walks.map(|it| Job { search: Search::Walk, ..job(it, variant, output) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_graph_that_is_judged_is_that_of_a_shipped_scope() {
        for name in SETTLING {
            assert!(shipped(name).is_some(), "{name}");
        }
    }
}
