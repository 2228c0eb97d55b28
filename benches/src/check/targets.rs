//! The targets, judged as ratios of rows of one run.

use super::report::Row;
use crate::target::Target;

/// The memory of a state is judged from this number of states on, and with it the gain of a second
/// thread: smaller searches end before it helps.
const LARGE: u64 = 800_000;
/// From this number of states on, less memory is allowed.
const VERY_LARGE: u64 = 20_000_000;
/// The scope whose figures are judged in absolute terms.
const LINK_EVENTS: &str = "link-events-2";

/// Judges everything that was measured; `cpus` is the number of processors.
pub(super) fn judge(rows: &[Row], flat: &[Row], cpus: usize) -> Vec<Target<String>> {
    let mut targets = Vec::new();
    let mut subjects: Vec<&str> = rows.iter().map(|it| &*it.subject).collect();
    subjects.dedup();
    for subject in subjects {
        let rows = Rows { subject, rows };
        rows.counts(&mut targets);
        rows.beside_stateright(&mut targets);
        rows.memory(&mut targets);
        rows.threads(cpus, &mut targets);
        rows.absolute(&mut targets);
        rows.beside_spin(&mut targets);
    }
    if let [small, large] = flat {
        let ratio = large.unique_per_cpu_s / small.unique_per_cpu_s;
        let counts = (large.sample.unique, small.sample.unique);
        let must = format!("{}: states per CPU second at 10^8 over 10^6 >= 0.7", small.subject);
        let measured = format!("{ratio:.2} ({} and {} states)", counts.0, counts.1);
        targets.push(Target { id: "E8", must, measured, met: Some(ratio >= 0.7) });
    }
    targets
}

/// The rows of one system.
struct Rows<'a> {
    subject: &'a str,
    rows: &'a [Row],
}

impl<'a> Rows<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Row> {
        let subject = self.subject.to_owned();
        self.rows.iter().filter(move |it| it.subject == subject)
    }

    fn of(&self, search: &str) -> Option<&'a Row> {
        self.all().find(|it| it.search == search)
    }

    fn at_least(&self, id: &'static str, what: &str, least: f64, ratio: f64) -> Target<String> {
        let must = format!("{}: {what} >= {least}", self.subject);
        Target { id, must, measured: format!("{ratio:.2}"), met: Some(ratio >= least) }
    }

    fn at_most(&self, id: &'static str, what: &str, most: f64, figure: f64) -> Target<String> {
        let must = format!("{}: {what} <= {most}", self.subject);
        Target { id, must, measured: format!("{figure:.2}"), met: Some(figure <= most) }
    }

    /// Without equal counts no speeds can be compared.
    fn counts(&self, targets: &mut Vec<Target<String>>) {
        let full: Vec<&Row> = self.all().filter(|it| it.is_full).collect();
        let counts = |it: &&Row| (it.sample.unique, it.sample.generated);
        let Some(first) = full.first().map(counts).filter(|_| full.len() > 1) else {
            return;
        };
        let others: Vec<String> = full
            .iter()
            .filter(|it| counts(it) != first)
            .map(|it| format!("{} counts {:?}", it.search, counts(it)))
            .collect();
        let measured = match others.is_empty() {
            true => format!("{} searches", full.len()),
            false => format!("{first:?}, but {}", others.join(", ")),
        };
        let must = format!("{}: all searches of every step count the same", self.subject);
        targets.push(Target { id: "E1", must, measured, met: Some(others.is_empty()) });
    }

    fn beside_stateright(&self, targets: &mut Vec<Target<String>>) {
        let (over_dfs, over_bfs) = match self.subject {
            "replicate" | "available" => (Some(10.0), Some(16.0)),
            LINK_EVENTS => (Some(8.0), None),
            _ => (None, None),
        };
        for (search, least) in [("stateright-dfs", over_dfs), ("stateright-bfs", over_bfs)] {
            if let (Some(engine), Some(stock), Some(least)) =
                (self.of("engine"), self.of(search), least)
            {
                let ratio = engine.unique_per_cpu_s / stock.unique_per_cpu_s;
                let what = format!("unique states per CPU second over {search}");
                targets.push(self.at_least("E1", &what, least, ratio));
            }
        }
        let is_reduced = |it: &&Row| !it.is_full;
        let least = self.all().filter(is_reduced).map(|it| it.sample.cpu_s).reduce(f64::min);
        if let (Some(stock), Some(least)) = (self.of("stateright-dfs"), least)
            && ["replicate", "available", "consistent-2"].contains(&self.subject)
        {
            let what = "CPU time of stateright-dfs over that of the faster reduction";
            targets.push(self.at_least("E2", what, 20.0, stock.sample.cpu_s / least));
        }
    }

    fn memory(&self, targets: &mut Vec<Target<String>>) {
        let large = self.of("engine").filter(|it| it.sample.unique >= LARGE);
        targets.extend(large.map(|it| {
            let most = if it.sample.unique >= VERY_LARGE { 70.0 } else { 110.0 };
            self.at_most("E3", "bytes per state at the peak", most, it.bytes_per_state)
        }));
    }

    fn threads(&self, cpus: usize, targets: &mut Vec<Target<String>>) {
        let one = self.of("engine").filter(|it| it.sample.unique >= LARGE);
        if let (Some(one), Some(two)) = (one, self.of("engine-2-threads")) {
            let (one, two) = (one.sample, two.sample);
            let wall = self.at_least("E4", "wall of 1 thread over 2", 1.6, one.wall_s / two.wall_s);
            let cpu = self.at_most("E4", "CPU of 2 threads over 1", 1.15, two.cpu_s / one.cpu_s);
            targets.extend([wall, cpu].map(|it| match cpus {
                0 | 1 => Target { met: None, ..it },
                _ => it,
            }));
        }
    }

    fn absolute(&self, targets: &mut Vec<Target<String>>) {
        if let Some(engine) = self.of("engine").filter(|_| self.subject == LINK_EVENTS) {
            let peak = engine.sample.peak_rss_bytes as f64 / 1e9;
            targets.push(self.at_most("E5", "CPU seconds", 50.0, engine.sample.cpu_s));
            targets.push(self.at_most("E5", "peak in GB", 2.0, peak));
        }
    }

    fn beside_spin(&self, targets: &mut Vec<Target<String>>) {
        // Smaller searches measure the start of the programs.
        if let (Some(engine), Some(spin)) = (self.of("engine"), self.of("spin"))
            && engine.sample.unique >= LARGE
        {
            let ratio = engine.unique_per_cpu_s / spin.unique_per_cpu_s;
            targets.push(self.at_least("E7", "states per CPU second over Spin", 1.0, ratio));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::search::{SEARCHES, Sample};
    use super::super::subject::Subject;
    use super::*;

    fn row(subject: &str, search: &str, unique: u64, cpu_s: f64) -> Row {
        let search = SEARCHES.iter().find(|it| it.name == search).expect("a search");
        let sample = Sample {
            unique,
            generated: 3 * unique,
            cpu_s,
            wall_s: cpu_s,
            peak_rss_bytes: 100 * unique,
        };
        Row::median(&Subject::Scope(subject.to_owned()), search, vec![sample]).expect("a row")
    }

    fn verdicts(rows: &[Row]) -> Vec<(&'static str, Option<bool>)> {
        judge(rows, &[], 2).iter().map(|it| (it.id, it.met)).collect()
    }

    #[test]
    fn speeds_are_judged_as_ratios_of_one_run() {
        let engine = row("replicate", "engine", 400_000, 1.0);
        let stock = |cpu_s| row("replicate", "stateright-dfs", 400_000, cpu_s);
        let counts = ("E1", Some(true));
        assert_eq!(verdicts(&[engine.clone(), stock(10.1)]), [counts, ("E1", Some(true))]);
        assert_eq!(verdicts(&[engine.clone(), stock(9.9)]), [counts, ("E1", Some(false))]);
        let reduced = |cpu_s| row("replicate", "engine-sleep-sets", 400_000, cpu_s);
        assert_eq!(verdicts(&[reduced(0.5), stock(10.1)]), [("E2", Some(true))]);
        assert_eq!(verdicts(&[reduced(0.6), stock(10.1)]), [("E2", Some(false))]);
    }

    #[test]
    fn unequal_counts_miss_a_target() {
        let rows = [row("votes", "engine", 10, 1.0), row("votes", "stateright-bfs", 11, 1.0)];
        let targets = judge(&rows, &[], 2);
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].met, Some(false));
        assert_eq!(targets[0].measured, "(10, 30), but stateright-bfs counts (11, 33)");
    }

    #[test]
    fn memory_and_threads_are_judged_of_large_searches_only() {
        let rows = |unique| {
            [row("reads", "engine", unique, 4.0), row("reads", "engine-2-threads", unique, 2.0)]
        };
        let counts = ("E1", Some(true));
        assert_eq!(verdicts(&rows(700_000)), [counts]);
        let all = [counts, ("E3", Some(true)), ("E4", Some(true)), ("E4", Some(true))];
        assert_eq!(verdicts(&rows(800_000)), all);
        let unjudged: Vec<_> = judge(&rows(20_000_000), &[], 1).iter().map(|it| it.met).collect();
        assert_eq!(unjudged, [Some(true), Some(false), None, None]);
    }

    #[test]
    fn runs_of_one_search_that_differ_in_counts_are_an_error() {
        let sample = |unique| Sample { unique, ..row("votes", "engine", 1, 1.0).sample };
        let subject = Subject::TwoPhaseCommit(3);
        let error = Row::median(&subject, &SEARCHES[0], vec![sample(1), sample(2)]);
        let says = "two-phase-commit-3, engine: counts differ from run to run: (1, 3) and (2, 3)";
        assert_eq!(error.expect_err("two counts").to_string(), says);
    }
}
