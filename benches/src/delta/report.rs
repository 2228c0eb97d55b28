//! The rows and targets for people and for programs.

use serde::Serialize;
use steadfast_output::say;

use super::row::Row;
use crate::machine::Machine;
use crate::target::Target;

/// The peer that the others are divided by.
const OURS: &str = "steadfast";

#[derive(Serialize)]
struct Json<'a> {
    machine: Machine,
    rows: &'a [Row],
    targets: &'a [Target<String>],
}

/// Prints everything on stdout.
pub(super) fn print(
    json: bool,
    rows: &[Row],
    targets: &[Target<String>],
) -> Result<(), serde_json::Error> {
    if json {
        let json = Json { machine: Machine::this(), rows, targets };
        say(serde_json::to_string_pretty(&json)?);
        return Ok(());
    }
    let machine = Machine::this();
    say(format_args!(
        "{}, {} CPUs. MB/s of CPU time; in brackets ours divided by it",
        machine.cpu, machine.cpus
    ));
    print_rows(rows);
    print_targets(targets);
    Ok(())
}

fn print_rows(rows: &[Row]) {
    let mut of = None;
    for row in rows {
        if of != Some((&row.input, row.setting)) {
            of = Some((&row.input, row.setting));
            say(format_args!("\n{}, {}", row.input, row.setting.name()));
            say(format_args!(
                "  {:<24}{:>10}{:>9}{:>10}{:>9}{:>14}{:>12}{:>10}",
                "", "encode", "", "apply", "", "bytes down", "bytes up", "peak MB"
            ));
        }
        print_row(row, ours(rows, row));
    }
}

fn ours<'a>(rows: &'a [Row], like: &Row) -> Option<&'a Row> {
    rows.iter()
        .find(|row| row.input == like.input && row.setting == like.setting && row.peer == OURS)
}

fn print_row(row: &Row, ours: Option<&Row>) {
    let speed = |of: fn(&Row) -> Option<f64>| match (of(row), ours.and_then(of)) {
        (None, _) => format!("{:>10}{:9}", "-", ""),
        (Some(it), Some(ours)) if it > 0.0 => {
            format!("{it:>10.0}{:>9}", format!("({:.1}x)", ours / it))
        }
        (Some(it), _) => format!("{it:>10.0}{:9}", ""),
    };
    say(format_args!(
        "  {:<24}{}{}{:>14}{:>12}{:>10.1}",
        row.peer,
        speed(|it| it.encode_mb_s),
        speed(|it| it.apply_mb_s),
        row.bytes_down,
        row.bytes_up,
        row.peak_rss_bytes as f64 / 1e6,
    ));
}

fn print_targets(targets: &[Target<String>]) {
    say("");
    for target in targets {
        say(format_args!("{:<4}{:<11}{}", target.id, target.verdict(), target.must));
        say(format_args!("{:15}{}", "", target.measured));
    }
}
