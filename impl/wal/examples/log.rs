//! A log on the disk: `cargo run -p steadfast-wal --example log -- DIR` keeps the lines that it reads.
//!
//! Run it twice with the same directory: the second run begins with the lines of the first. Without
//! DIR it writes to a temporary directory. `cargo run --bin steadfast -- wal cat DIR --frame newline`
//! prints the lines.

use std::error::Error;
use std::io::{BufRead, stdin};
use std::path::Path;
use std::sync::Arc;

use steadfast_wal::{LogId, LogIndex, Opening, RealDisk, Settings};

/// Any number of your own, the same at each opening: a log with another id is refused.
const ID: LogId = LogId(0x5eed);

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| temporary.path().into());
    keep(Path::new(&directory), stdin().lock())
}

/// Shows the records of a log, and appends a record for each line.
fn keep(directory: &Path, lines: impl BufRead) -> Result<(), Box<dyn Error>> {
    let mut opening = Opening::begin(Arc::new(RealDisk::new(directory)), ID, Settings::default())?;
    opening.for_each(|record| {
        println!("{}: {}", record.index, String::from_utf8_lossy(record.payload));
    })?;
    let (log, recovered) = opening.into_log()?;
    println!("{} records, all durable", recovered.last);

    let mut last = LogIndex(0);
    for line in lines.lines() {
        last = log.append(line?.as_bytes())?; // Accepted, in memory.
    }
    log.wait(last)?; // One sync for all of them; now no crash takes them back.
    println!("durable up to record {}", log.durable());

    let mut reader = log.read_from(recovered.last.next())?; // The new records, while the log is open.
    while let Some(records) = reader.next_batch()? {
        records.for_each(|it| println!("{}: {} bytes", it.index, it.payload.len()));
    }
    log.close()?; // Dropping it does the same and reports nothing.
    Ok(())
}

#[test]
fn lines_are_there_at_the_next_opening() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    keep(directory.path(), &b"milk\neggs\n"[..])?;
    keep(directory.path(), &b"bread\n"[..])?;
    let mut kept = Vec::new();
    let disk = Arc::new(RealDisk::new(directory.path()));
    Opening::begin(disk, ID, Settings::default())?.for_each(|it| kept.push(it.payload.to_vec()))?;
    assert_eq!(kept, [&b"milk"[..], b"eggs", b"bread"]);
    Ok(())
}
