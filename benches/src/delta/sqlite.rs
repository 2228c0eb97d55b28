//! The database input: a real SQLite file before and after updates.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, params};

use super::input_error::InputError;
use super::random::Random;
use super::text;

/// Makes a database of about two fifths of `length` and a copy in which 1,000 rows are updated.
pub(super) fn make(folder: &Path, length: usize) -> Result<(), InputError> {
    /// What a row takes in the table and the index together.
    const ROW_BYTES: usize = 290;
    let (old, new) = (folder.join("old"), folder.join("new"));
    let rows = length * 2 / 5 / ROW_BYTES;
    let mut random = Random::new(7);
    fill(&old, rows, &mut random)?;
    fs::copy(&old, &new)?;
    update(&new, rows, &mut random)?;
    Ok(())
}

fn fill(file: &Path, rows: usize, random: &mut Random) -> Result<(), InputError> {
    let mut database = open(file)?;
    database.execute_batch(
        "CREATE TABLE account (id INTEGER PRIMARY KEY, name TEXT, balance INTEGER, note TEXT);
         CREATE INDEX account_name ON account (name);",
    )?;
    let transaction = database.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO account VALUES (?, ?, ?, ?)")?;
        for id in 0..rows {
            let note = String::from_utf8_lossy(&text::log_lines(random, 200)).into_owned();
            let name = format!("customer {:016x}", random.number());
            insert.execute(params![id as i64, name, random.below(1_000_000) as i64, note])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn update(file: &Path, rows: usize, random: &mut Random) -> Result<(), InputError> {
    let mut database = open(file)?;
    let transaction = database.transaction()?;
    for _ in 0..1000 {
        let note = String::from_utf8_lossy(&text::log_lines(random, 200)).into_owned();
        transaction.execute(
            "UPDATE account SET balance = ?, note = ? WHERE id = ?",
            params![random.below(1_000_000) as i64, note, random.below(rows) as i64],
        )?;
    }
    transaction.commit()?;
    Ok(())
}

fn open(file: &Path) -> Result<Connection, InputError> {
    let database = Connection::open(file)?;
    database.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
    Ok(database)
}
