//! The rows and targets for people and for programs.

use serde::Serialize;

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
        println!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(());
    }
    let machine = Machine::this();
    println!(
        "{}, {} CPUs. MB/s of CPU time; in brackets ours divided by it",
        machine.cpu, machine.cpus
    );
    print_rows(rows);
    print_targets(targets);
    Ok(())
}

fn print_rows(rows: &[Row]) {
    let mut of = None;
    for row in rows {
        if of != Some((&row.input, row.setting)) {
            of = Some((&row.input, row.setting));
            println!("\n{}, {}", row.input, row.setting.name());
            println!(
                "  {:<24}{:>10}{:>9}{:>10}{:>9}{:>14}{:>12}{:>10}",
                "", "encode", "", "apply", "", "bytes down", "bytes up", "peak MB"
            );
        }
        print_row(row, ours(rows, row));
    }
}

fn ours<'a>(rows: &'a [Row], like: &Row) -> Option<&'a Row> {
    rows.iter()
        .find(|row| row.input == like.input && row.setting == like.setting && row.peer == OURS)
}

fn print_row(row: &Row, ours: Option<&Row>) {
    let ratio = |ours: Option<f64>, theirs: f64| match ours {
        Some(ours) if theirs > 0.0 => format!("({:.1}x)", ours / theirs),
        _ => String::new(),
    };
    let apply = row.apply_mb_s.map_or("-".to_owned(), |apply| format!("{apply:.0}"));
    println!(
        "  {:<24}{:>10.0}{:>9}{:>10}{:>9}{:>14}{:>12}{:>10.1}",
        row.peer,
        row.encode_mb_s,
        ratio(ours.map(|ours| ours.encode_mb_s), row.encode_mb_s),
        apply,
        ratio(ours.and_then(|ours| ours.apply_mb_s), row.apply_mb_s.unwrap_or(0.0)),
        row.bytes_down,
        row.bytes_up,
        row.peak_rss_bytes as f64 / 1e6,
    );
}

fn print_targets(targets: &[Target<String>]) {
    println!();
    for target in targets {
        println!("{:<4}{:<11}{}", target.id, target.verdict(), target.must);
        println!("{:15}{}", "", target.measured);
    }
}
