//! The (E,W) matrix: what each setting promises, next to what a search finds.

use serde::Serialize;
use steadfast_cluster::shipped;
use steadfast_guarantees::twins::Variant;
use steadfast_guarantees::{GuaranteeId, guarantees};
use steadfast_protocol::Settings;

use crate::job::{Finding, Job, Limits, Run, TraceOrFile};
use crate::program_name::program_name;
use crate::verdict::Verdict;

/// One setting.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub elect: usize,
    pub write: usize,
    pub consistent: bool,
    pub complete: bool,
    pub unique: usize,
    pub cpu_s: f64,
    pub guarantees: Vec<Finding>,
    /// Every promise is kept, and, without a variant, linearizability is violated where it is not promised.
    pub as_promised: bool,
    #[serde(skip)]
    verdict: Verdict,
}

/// The searches of the matrix. Where linearizability is not promised, the first counterexample is
/// searched for, and then every state for the rest.
pub(crate) fn jobs(variant: Option<&Variant>, limits: Limits) -> Vec<Job> {
    let Some(base) = shipped("matrix") else {
        return Vec::new();
    };
    let settings = (1..=3).flat_map(|elect| (1..=3).map(move |write| (elect, write)));
    settings
        .filter_map(|(elect, write)| Settings::new(3, elect, write).ok())
        .map(|settings| {
            let mut job = Job::new(base.scope(), &[]).of_variant(variant);
            job.scope.settings = settings;
            job.limits = limits;
            job
        })
        .collect()
}

/// What the search of a setting came to.
pub(crate) fn cell(run: &Run) -> Cell {
    let consistent = run.elect + run.write > usize::from(run.nodes);
    let linearizable = run.finding(GuaranteeId::Linearizable);
    let is_violated = linearizable.is_some_and(Finding::is_violated);
    // Where it is not promised, a search that does not find the violation could not have failed. A
    // variant may be linearizable there, or do too little to show that it is not.
    let must_violate = !consistent && run.variant.is_none();
    let verdict = match Verdict::of(run) {
        Verdict::Kept if must_violate && !is_violated => Verdict::Broken,
        verdict => verdict,
    };
    let mut guarantees = run.guarantees.clone();
    let is_expected =
        |it: &&mut Finding| must_violate && it.id == GuaranteeId::Linearizable.short();
    guarantees.iter_mut().filter(is_expected).for_each(|it| it.expected = "violated".to_owned());
    Cell {
        elect: run.elect,
        write: run.write,
        consistent,
        complete: run.complete,
        unique: run.unique,
        cpu_s: run.cpu_s,
        guarantees,
        as_promised: verdict == Verdict::Kept,
        verdict,
    }
}

/// The verdict on the matrix.
pub(crate) fn verdict(cells: &[Cell]) -> Verdict {
    cells.iter().map(|it| it.verdict).max().unwrap_or(Verdict::Kept)
}

/// The head of the matrix.
pub(crate) fn head() -> String {
    let ids = guarantees().iter().map(|it| format!(" {:>3}", it.id().short()));
    format!("E W promised    {} {:>9}", ids.collect::<String>(), "unique")
}

/// One setting as a row.
pub(crate) fn row(cell: &Cell) -> String {
    let promised = if cell.consistent { "linearizable" } else { "available" };
    let found = |finding: &Finding| match (finding.is_violated(), finding.steps) {
        (true, Some(steps)) => format!("{}{steps}", if finding.is_promised() { '!' } else { 'x' }),
        _ if !cell.complete => "?".to_owned(),
        _ if finding.is_promised() => "yes".to_owned(),
        _ => "-".to_owned(),
    };
    let found = cell.guarantees.iter().map(|it| format!(" {:>3}", found(it)));
    let row = format!("{} {} {promised:<12}", cell.elect, cell.write);
    format!("{row}{} {:>9}", found.collect::<String>(), cell.unique)
}

/// The meaning of the rows, and the counterexamples.
pub(crate) fn foot(cells: &[Cell]) -> String {
    let text = "yes: holds within the bounds. xK: not promised, and violated in K steps (the\n\
                shortest). -: not promised and not violated here. !K: PROMISED and violated\n\
                in K steps. ?: not violated in what was searched, but the search did not end.\n";
    text.to_owned() + &cells.iter().filter_map(counterexample).collect::<String>()
}

/// The shortest run that is not linearizable, step by step, where there is one.
fn counterexample(cell: &Cell) -> Option<String> {
    let linearizable = &cell.guarantees[GuaranteeId::Linearizable as usize];
    let head = format!("\nE{} W{} is not linearizable", cell.elect, cell.write);
    match linearizable.trace.as_ref()? {
        TraceOrFile::File(file) => Some(format!("{head}: {} replay {file}\n", program_name())),
        TraceOrFile::Trace(trace) => {
            let steps = (1..).zip(&trace.steps);
            let lines = steps.map(|(number, it): (usize, _)| format!("{number:>4}. {}\n", it.note));
            Some(format!("{head}:\n{}", lines.collect::<String>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::search;

    /// Without reads and with one write nothing shows that the setting is not linearizable.
    #[test]
    fn only_the_protocol_as_it_is_must_show_that_it_is_not_linearizable_where_it_need_not_be() {
        let mut job = jobs(None, Limits::default()).swap_remove(0);
        job.scope.bounds.reads = 0;
        job.scope.bounds.writes = 1;
        job.scope.bounds.elections = 0;
        let mut run = search(&job, None, &|_| {}).expect("a job with known names");
        assert_eq!((run.elect, run.write, run.complete), (1, 1, true));
        let expected = |cells: &[Cell]| {
            let finding = &cells[0].guarantees[GuaranteeId::Linearizable as usize];
            (verdict(cells), finding.expected.clone())
        };
        let of = |run: &Run| expected(&[cell(run)]);
        assert_eq!(of(&run), (Verdict::Broken, "violated".to_owned()));
        run.variant = Some("mine".to_owned());
        assert_eq!(of(&run), (Verdict::Kept, "unpromised".to_owned()));
    }
}
