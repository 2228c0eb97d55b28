//! The targets T1 to T11, judged on the rows of one run.

use super::row::{Row, Setting};
use crate::target::Target;

const SIMPLE: &[&str] = &["A", "B", "C", "D", "E", "F", "G"];
const ALL: &[&str] = &["A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M"];

/// Judges all targets. Pairs of executables, whose names these are, are judged apart.
pub(super) fn judge(rows: &[Row], executables: &[String]) -> Vec<Target<String>> {
    let rows = &Rows(rows);
    let pairs = rows.pairs();
    vec![
        t1(rows),
        t2(rows),
        t3(rows),
        t4(rows, &pairs, executables),
        t5(rows, &pairs),
        t6(rows),
        t7(rows),
        t8(rows, &pairs),
        t9(rows),
        t10(rows, &pairs),
        t11(rows),
    ]
}

fn t1(rows: &Rows<'_>) -> Target<String> {
    let inputs = ["A", "B", "F", "G"];
    Judged::new("T1", "local encode A, B, F, G >= 16x fast_rsync and >= 0.5x memcmp")
        .at_least(16.0, "fast_rsync", rows.encode(&inputs, LOCAL, OURS, "fast_rsync"))
        .told(SIGNED, rows.encode(&inputs, LOCAL, OURS, SIGNED))
        .at_least(0.5, "memcmp", rows.encode(&inputs, LOCAL, OURS, "memcmp"))
        .target()
}

fn t2(rows: &Rows<'_>) -> Target<String> {
    let than_fast_rsync = |inputs: &[&'static str]| rows.encode(inputs, LOCAL, OURS, "fast_rsync");
    Judged::new("T2", "local encode C, D >= 8x, E >= 5x, H >= 30x fast_rsync")
        .at_least(8.0, "fast_rsync", than_fast_rsync(&["C", "D"]))
        .at_least(5.0, "fast_rsync", than_fast_rsync(&["E"]))
        .at_least(30.0, "fast_rsync", than_fast_rsync(&["H"]))
        .told(SIGNED, rows.encode(&["C", "D", "E", "H"], LOCAL, OURS, SIGNED))
        .target()
}

fn t3(rows: &Rows<'_>) -> Target<String> {
    let inputs = ["J", "K"];
    Judged::new("T3", "J, K >= 10x fast_rsync and >= 15x xdelta3 -1, bytes <= xdelta3 -3")
        .at_least(10.0, "fast_rsync", rows.encode(&inputs, LOCAL, OURS, "fast_rsync"))
        .told(SIGNED, rows.encode(&inputs, LOCAL, OURS, SIGNED))
        .at_least(15.0, "xdelta3 -1", rows.encode(&inputs, LOCAL, OURS, "xdelta3 -1"))
        .at_most(1.0, "bytes of xdelta3 -3", rows.bytes(&inputs, LOCAL, OURS, "xdelta3 -3"))
        .target()
}

fn t4(rows: &Rows<'_>, pairs: &[&str], executables: &[String]) -> Target<String> {
    const ZSTD: &str = "zstd -1 --patch-from";
    let (executables, others): (Vec<_>, Vec<_>) =
        pairs.iter().copied().partition(|pair| executables.iter().any(|it| it == pair));
    Judged::new(
        "T4",
        "real pairs: bytes <= xdelta3 -3, >= 5x zstd -1 --patch-from (executables 1.5x)",
    )
    .at_most(1.0, "bytes of xdelta3 -3", rows.bytes(pairs, LOCAL, OURS, "xdelta3 -3"))
    .at_least(5.0, ZSTD, rows.encode(&others, LOCAL, OURS, ZSTD))
    .at_least(1.5, ZSTD, rows.encode(&executables, LOCAL, OURS, ZSTD))
    .target()
}

fn t5(rows: &Rows<'_>, pairs: &[&str]) -> Target<String> {
    Judged::new("T5", "real pairs, effort small: bytes <= 1.1x qbsdiff, >= 20x its speed")
        .at_most(1.1, "bytes of qbsdiff", rows.bytes(pairs, LOCAL, SMALL, "qbsdiff"))
        .at_least(20.0, "qbsdiff", rows.encode(pairs, LOCAL, SMALL, "qbsdiff"))
        .target()
}

fn t6(rows: &Rows<'_>) -> Target<String> {
    let most = [("A", 100.0), ("B", 2500.0), ("C", 1100.0), ("E", 100.0), ("G", 64.0)];
    most.iter()
        .fold(
            Judged::new("T6", "patch bytes A <= 100, B <= 2.5K, C <= 1.1K, E <= 100, G <= 64"),
            |judged, (input, most)| {
                let row = rows.find(input, LOCAL, OURS);
                judged.at_most(*most, "bytes", vec![(*input, row.map(|row| row.bytes() as f64))])
            },
        )
        .target()
}

fn t7(rows: &Rows<'_>) -> Target<String> {
    let cached = |peer| rows.encode(SIMPLE, Setting::Cached, OURS, peer);
    Judged::new("T7", "cached manifest, A-G: >= 3x fast_rsync and >= 1.5x fastcdc+blake3")
        .at_least(3.0, "fast_rsync", cached("fast_rsync"))
        .at_least(1.5, "fastcdc+blake3", cached("fastcdc+blake3"))
        .target()
}

fn t8(rows: &Rows<'_>, pairs: &[&str]) -> Target<String> {
    let of = |inputs: &[&'static str], peer| rows.bytes(inputs, Setting::Cold, OURS, peer);
    let identical = rows.find("G", Setting::Cold, OURS).map(|row| row.bytes() as f64);
    Judged::new(
        "T8",
        "cold, bytes both ways: A <= rsync/50, B <= /15, C, E <= /20, G <= 64, pairs <= rsync -z",
    )
    .at_most(1.0 / 50.0, "rsync", of(&["A"], "rsync"))
    .at_most(1.0 / 15.0, "rsync", of(&["B"], "rsync"))
    .at_most(1.0 / 20.0, "rsync", of(&["C", "E"], "rsync"))
    .at_most(64.0, "bytes", vec![("G", identical)])
    .at_most(1.0, "rsync -z", rows.bytes(pairs, Setting::Cold, OURS, "rsync -z"))
    .target()
}

fn t9(rows: &Rows<'_>) -> Target<String> {
    Judged::new("T9", "manifest after a local diff <= 2% of a full rehash on A-G")
        .at_least(50.0, "full rehash", rows.encode(SIMPLE, LOCAL, CARRIED, REHASHED))
        .target()
}

/// The pairs are told only: some are so short that the allocator hands a peer the memory of the
/// run before, which is not fresh.
fn t10(rows: &Rows<'_>, pairs: &[&str]) -> Target<String> {
    let judged = Judged::new(
        "T10",
        "apply with verification >= 3x any peer; in place A, B at the cost of the change",
    );
    let peers = ["fast_rsync", "xdelta3 -1", "zstd -1 --patch-from", "zstd -3 --patch-from"];
    peers
        .into_iter()
        .fold(judged, |judged, peer| {
            let apply = |inputs| rows.apply(inputs, LOCAL, OURS, peer);
            judged.at_least(3.0, peer, apply(ALL)).told(peer, apply(pairs))
        })
        .told("qbsdiff", rows.apply(pairs, LOCAL, OURS, "qbsdiff"))
        .at_least(1.0, "full apply, in place", rows.apply(&["A", "B"], LOCAL, IN_PLACE, OURS))
        .told("the same with all verified", rows.apply(&["A", "B"], LOCAL, IN_PLACE_WHOLE, OURS))
        .target()
}

fn t11(rows: &Rows<'_>) -> Target<String> {
    let peak = |peer| {
        let megabytes = |row: &Row| row.peak_rss_bytes as f64 / 1e6;
        ALL.iter().map(|input| (*input, rows.find(input, LOCAL, peer).map(megabytes))).collect()
    };
    Judged::new("T11", "memory beyond the inputs <= 32 MB; the decoder streams")
        .at_most(32.0, "MB to encode", peak(ENCODE_ONLY))
        .at_most(32.0, "MB to encode with effort small", peak(ENCODE_ONLY_SMALL))
        .at_most(32.0, "MB to decode as a stream", peak(STREAMED))
        .target()
}

const LOCAL: Setting = Setting::Local;
const OURS: &str = "steadfast";
const SMALL: &str = "steadfast small";
const SIGNED: &str = "fast_rsync signed before";
const CARRIED: &str = "steadfast manifest carried";
const REHASHED: &str = "steadfast manifest";
const IN_PLACE: &str = "steadfast in place";
const IN_PLACE_WHOLE: &str = "steadfast in place whole";
const ENCODE_ONLY: &str = "steadfast encode only";
const ENCODE_ONLY_SMALL: &str = "steadfast small encode only";
const STREAMED: &str = "steadfast streamed";

/// Per input a ratio, or nothing when a row is missing.
type Ratios<'a> = Vec<(&'a str, Option<f64>)>;

struct Rows<'a>(&'a [Row]);

impl<'a> Rows<'a> {
    fn find(&self, input: &str, setting: Setting, peer: &str) -> Option<&'a Row> {
        let is_it = |row: &&Row| row.input == input && row.setting == setting && row.peer == peer;
        self.0.iter().find(is_it)
    }

    fn pairs(&self) -> Vec<&'a str> {
        let pairs = self.0.iter().map(|row| row.input.as_str());
        let mut pairs: Vec<_> = pairs.filter(|name| name.starts_with("I/")).collect();
        pairs.dedup();
        pairs
    }

    fn ratios<'i>(
        &self,
        inputs: &[&'i str],
        setting: Setting,
        (ours, theirs): (&str, &str),
        figure: impl Fn(&Row) -> Option<f64>,
    ) -> Ratios<'i> {
        let value = |input: &str, peer: &str| self.find(input, setting, peer).and_then(&figure);
        let ratio = |input: &str| Some(value(input, ours)? / value(input, theirs)?);
        inputs.iter().map(|input| (*input, ratio(input))).collect()
    }

    fn encode<'i>(
        &self,
        inputs: &[&'i str],
        setting: Setting,
        ours: &str,
        theirs: &str,
    ) -> Ratios<'i> {
        self.ratios(inputs, setting, (ours, theirs), |row| row.encode_mb_s)
    }

    fn apply<'i>(
        &self,
        inputs: &[&'i str],
        setting: Setting,
        ours: &str,
        theirs: &str,
    ) -> Ratios<'i> {
        self.ratios(inputs, setting, (ours, theirs), |row| row.apply_mb_s)
    }

    fn bytes<'i>(
        &self,
        inputs: &[&'i str],
        setting: Setting,
        ours: &str,
        theirs: &str,
    ) -> Ratios<'i> {
        self.ratios(inputs, setting, (ours, theirs), |row| Some(row.bytes() as f64))
    }
}

/// A target while its parts are judged.
struct Judged {
    id: &'static str,
    must: &'static str,
    found: Vec<String>,
    is_complete: bool,
    is_met: bool,
}

impl Judged {
    fn new(id: &'static str, must: &'static str) -> Judged {
        Judged { id, must, found: Vec::new(), is_complete: true, is_met: true }
    }

    fn at_least(self, least: f64, than: &str, ratios: Ratios<'_>) -> Judged {
        self.add(than, ratios, |ratio| ratio >= least)
    }

    fn at_most(self, most: f64, than: &str, ratios: Ratios<'_>) -> Judged {
        self.add(than, ratios, |ratio| ratio <= most)
    }

    /// Told without being judged.
    fn told(mut self, than: &str, ratios: Ratios<'_>) -> Judged {
        let is_complete = self.is_complete;
        self = self.add(than, ratios, |_| true);
        Judged { is_complete, ..self }
    }

    fn add(mut self, than: &str, ratios: Ratios<'_>, holds: impl Fn(f64) -> bool) -> Judged {
        self.is_complete &= !ratios.is_empty();
        let mut words = Vec::new();
        for (input, ratio) in ratios {
            match ratio {
                Some(ratio) => {
                    self.is_met &= holds(ratio);
                    let mark = if holds(ratio) { "" } else { "!" };
                    words.push(format!("{input} {}{mark}", short(ratio)));
                }
                None => self.is_complete = false,
            }
        }
        if !words.is_empty() {
            self.found.push(format!("{than}: {}", words.join(", ")));
        }
        self
    }

    fn target(self) -> Target<String> {
        let met = if !self.is_met {
            Some(false)
        } else if self.is_complete {
            Some(true)
        } else {
            None
        };
        Target { id: self.id, must: self.must.to_owned(), measured: self.found.join("; "), met }
    }
}

/// Three significant digits or so.
fn short(ratio: f64) -> String {
    match ratio {
        r if r >= 100.0 => format!("{r:.0}"),
        r if r >= 1.0 => format!("{r:.2}"),
        r => format!("{r:.4}"),
    }
}
