//! What a run of the engine measured, and how it differs from another run.

use std::collections::BTreeMap;
use std::fmt;

use super::constant::Key;

/// Bytes, and microseconds of CPU time, by pair and phase.
pub(super) type Figures = BTreeMap<(String, String), (f64, f64)>;

/// How bytes and CPU time change with a constant.
pub(super) struct Change {
    /// By phase, the change of the geometric mean of the bytes of all pairs, as a fraction.
    bytes: Vec<(&'static str, f64)>,
    /// The least and the greatest change of the bytes of one pair.
    range: (f64, f64),
    /// The CPU time of all pairs and phases as a multiple, if it is told.
    time: Option<f64>,
}

/// Names of phases.
type Phases = &'static [&'static str];

/// The phases that a constant may change: those whose bytes count, and those that are run.
pub(super) fn phases_of(key: &Key) -> (Phases, Phases) {
    match key.split("::").next().unwrap_or_default() {
        "apply" | "copy" | "in_place" => (&[], &["apply"]),
        "manifest" => (&["remote"], &["manifest", "remote"]),
        "remote" => (&["remote"], &["remote"]),
        _ => (&["fast", "default", "small"], &["fast", "default", "small"]),
    }
}

impl Change {
    /// From `base` to `found`, where a constant was changed; these phases give bytes.
    pub(super) fn new(with_bytes: &[&'static str], base: &Figures, found: &Figures) -> Change {
        let changes = |phase: &'static str| {
            let both = base.iter().filter(move |(it, _)| it.1 == phase);
            both.filter_map(|(it, was)| Some((was, found.get(it)?)))
        };
        let logarithms =
            |phase| changes(phase).map(|(was, is)| (is.0 / was.0).ln()).collect::<Vec<f64>>();
        let mean = |all: &[f64]| (all.iter().sum::<f64>() / all.len().max(1) as f64).exp() - 1.0;
        let bytes = with_bytes.iter().map(|it| (*it, mean(&logarithms(it)))).collect();
        let all: Vec<f64> = with_bytes.iter().flat_map(|it| logarithms(it)).collect();
        let least = all.iter().copied().fold(0.0, f64::min).exp() - 1.0;
        let most = all.iter().copied().fold(0.0, f64::max).exp() - 1.0;
        let time = |figures: &Figures| figures.values().map(|it| it.1).sum::<f64>();
        Change { bytes, range: (least, most), time: Some(time(found) / time(base)) }
    }
}

/// Changes of fewer bytes than one in this number are left out.
const LEAST: f64 = 1e-4;
/// Times of runs at once differ by up to this fraction.
const TIME_VARIES: f64 = 0.05;
/// Times of runs one after the other differ by up to this fraction.
const TIME_DRIFTS: f64 = 0.15;

/// Leaves out the times of half and double, which ran at once, if these differ neither from each other nor from
/// the run before by more than such times do anyway.
pub(super) fn leave_out_noise(changes: &mut [Option<Change>; 2]) {
    let times = changes.each_ref().map(|it| it.as_ref().and_then(|it| it.time));
    let [Some(half), Some(double)] = times else { return };
    let differ = |one: f64, other: f64, most: f64| (one / other).ln().abs() > most.ln_1p();
    let is_drift = !differ(half, double, TIME_VARIES)
        && ![half, double].into_iter().any(|it| differ(it, 1.0, TIME_DRIFTS));
    if is_drift {
        changes.iter_mut().flatten().for_each(|it| it.time = None);
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |it: f64| format!("{:+.2}%", it * 100.0).replace('-', "−");
        let mut parts = Vec::new();
        let changed = self.bytes.iter().filter(|it| it.1.abs() >= LEAST);
        parts.extend(changed.map(|(phase, it)| format!("{phase} {}", percent(*it))));
        let (least, most) = self.range;
        if least.min(-most) <= -LEAST {
            parts.push(format!("pairs {} to {}", percent(least), percent(most)));
        }
        if let Some(time) = self.time.filter(|it| (it - 1.0).abs() >= 0.005) {
            parts.push(format!("CPU ×{time:.2}"));
        }
        match parts.is_empty() {
            true => write!(out, "same"),
            false => write!(out, "{}", parts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(all: &[(&str, &str, f64, f64)]) -> Figures {
        let one = |it: &(&str, &str, f64, f64)| ((it.0.to_owned(), it.1.to_owned()), (it.2, it.3));
        all.iter().map(one).collect()
    }

    #[test]
    fn a_change_is_told_by_phase_with_its_extremes_and_its_time() {
        let base = figures(&[("a", "fast", 100.0, 5.0), ("b", "fast", 1000.0, 5.0)]);
        let told = |half: &Figures, double: &Figures| {
            let mut both = [half, double].map(|it| Some(Change::new(&["fast"], &base, it)));
            leave_out_noise(&mut both);
            both.map(|it| it.expect("a change").to_string())
        };
        let slower = figures(&[("a", "fast", 200.0, 7.0), ("b", "fast", 500.0, 8.0)]);
        let shorter = figures(&[("a", "fast", 100.0, 5.6), ("b", "fast", 990.0, 5.6)]);
        let of_slower = "pairs −50.00% to +100.00%, CPU ×1.50";
        let of_shorter = "fast −0.50%, pairs −1.00% to +0.00%";
        assert_eq!(told(&slower, &base), [of_slower, "same"]);
        assert_eq!(told(&slower, &slower), [of_slower; 2]);
        assert_eq!(told(&shorter, &shorter), [of_shorter; 2], "both ran later");
        assert_eq!(told(&base, &shorter)[1], format!("{of_shorter}, CPU ×1.12"));
    }
}
