//! The logs that are compared, behind one face.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use okaywal::{Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};
use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt, ReadableSize};
use rusqlite::Connection;
use steadfast_wal::{Log, LogId, LogIndex, Opening, RealDisk, Settings};

/// Anything that can go wrong with any of them.
pub(super) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Whose log the benchmark writes.
pub(super) const LOG: LogId = LogId(1);
/// How much is written before what is old is given up, in bytes.
const TRIM_BYTES: u64 = 512 << 20;

/// A log that many writers append to, each waiting until its record is durable.
pub(super) trait System: Send + Sync {
    /// Appends a record and returns when it is durable.
    fn write(&self, writer: usize, payload: &[u8]) -> Result<()>;

    /// Gives up what is old, as a user would after writing a checkpoint.
    fn trim(&self) -> Result<()>;
}

/// Ours.
pub(super) struct Steadfast(pub(super) Log<RealDisk>);

/// What our log is run with.
#[must_use]
pub(super) fn settings() -> Settings {
    Settings { segments_ahead: 4, ..Settings::default() }
}

impl Steadfast {
    /// Opens ours in a directory.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn open(directory: &Path) -> Result<Steadfast> {
        let disk = Arc::new(RealDisk::new(directory.join("steadfast")));
        Ok(Steadfast(Opening::begin(disk, LOG, settings())?.into_log()?.0))
    }
}

impl System for Steadfast {
    fn write(&self, _: usize, payload: &[u8]) -> Result<()> {
        self.0.write(payload)?;
        Ok(())
    }

    fn trim(&self) -> Result<()> {
        self.0.checkpoint(self.0.durable(), b"")?;
        Ok(())
    }
}

/// How raft-engine learns the index of an entry: the first eight bytes of its value.
#[derive(Clone)]
pub(super) struct Indexed;

impl MessageExt for Indexed {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        let bytes = entry.value.first_chunk::<8>().copied().unwrap_or_default();
        u64::from_le_bytes(bytes)
    }
}

/// raft-engine: a region per writer.
pub(super) struct RaftEngine {
    engine: Engine,
    next: Vec<AtomicU64>,
}

impl RaftEngine {
    /// Opens raft-engine in a directory, for this number of writers.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn open(directory: &Path, writers: usize) -> Result<RaftEngine> {
        let engine = Engine::open(RaftEngine::config(directory))?;
        Ok(RaftEngine { engine, next: (0..writers).map(|_| AtomicU64::new(1)).collect() })
    }

    /// What it is run with: files written ahead and used again, as ours, and no compression, since
    /// what is written does not compress.
    #[must_use]
    pub(super) fn config(directory: &Path) -> Config {
        Config {
            dir: directory.join("raft-engine").display().to_string(),
            batch_compression_threshold: ReadableSize(0),
            target_file_size: ReadableSize::mb(64),
            purge_threshold: ReadableSize(TRIM_BYTES),
            enable_log_recycle: true,
            prefill_for_recycle: true,
            ..Config::default()
        }
    }
}

impl System for RaftEngine {
    fn write(&self, writer: usize, payload: &[u8]) -> Result<()> {
        let index = self.next[writer].fetch_add(1, Ordering::Relaxed);
        let mut entry = BytesValue::default();
        entry.value.reserve(payload.len().max(8));
        entry.value.extend_from_slice(&index.to_le_bytes());
        entry.value.extend_from_slice(payload.get(8..).unwrap_or_default());
        let mut batch = LogBatch::with_capacity(1);
        batch.add_entries::<Indexed>(writer as u64 + 1, &[entry])?;
        self.engine.write(&mut batch, true)?;
        Ok(())
    }

    fn trim(&self) -> Result<()> {
        for (writer, next) in self.next.iter().enumerate() {
            self.engine
                .compact_to(writer as u64 + 1, next.load(Ordering::Relaxed).saturating_sub(1));
        }
        self.engine.purge_expired_files()?;
        Ok(())
    }
}

/// okaywal, which gives up what is old by itself.
pub(super) struct OkayWal(WriteAheadLog);

/// What okaywal asks when it gives something up.
#[derive(Debug, Default)]
pub(super) struct Forgets {
    /// How many bytes of records were recovered.
    pub(super) bytes: Arc<AtomicU64>,
    /// How many records were recovered.
    pub(super) records: Arc<AtomicU64>,
}

impl LogManager for Forgets {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        for chunk in entry.read_all_chunks()?.into_iter().flatten() {
            self.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            self.records.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

impl OkayWal {
    /// Opens okaywal in a directory.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn open(directory: &Path) -> Result<OkayWal> {
        Ok(OkayWal(WriteAheadLog::recover(directory.join("okaywal"), Forgets::default())?))
    }
}

impl System for OkayWal {
    fn write(&self, _: usize, payload: &[u8]) -> Result<()> {
        let mut entry = self.0.begin_entry()?;
        entry.write_chunk(payload)?;
        entry.commit()?;
        Ok(())
    }

    fn trim(&self) -> Result<()> {
        Ok(())
    }
}

/// sqlite: one connection, which is how its writers get on fastest.
pub(super) struct Sqlite(Mutex<Connection>);

impl Sqlite {
    /// Opens sqlite in a directory: journal_mode WAL, synchronous FULL.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn open(directory: &Path) -> Result<Sqlite> {
        let connection = Connection::open(directory.join("sqlite"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute(
            "CREATE TABLE IF NOT EXISTS log (sequence INTEGER PRIMARY KEY, record BLOB)",
            [],
        )?;
        Ok(Sqlite(Mutex::new(connection)))
    }
}

impl Sqlite {
    /// Writes a record so often, some together.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn fill(&self, payload: &[u8], records: usize) -> Result<()> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        for _ in 0..records {
            transaction
                .prepare_cached("INSERT INTO log (record) VALUES (?1)")?
                .execute([payload])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Reads every record; says how many there are and how long they are together.
    ///
    /// # Errors
    /// When that fails.
    pub(super) fn read(&self) -> Result<(u64, u64)> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare("SELECT record FROM log ORDER BY sequence")?;
        let mut rows = statement.query([])?;
        let (mut records, mut bytes) = (0, 0);
        while let Some(row) = rows.next()? {
            records += 1;
            bytes += row.get_ref(0)?.as_blob()?.len() as u64;
        }
        Ok((records, bytes))
    }
}

impl System for Sqlite {
    fn write(&self, _: usize, payload: &[u8]) -> Result<()> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.prepare_cached("INSERT INTO log (record) VALUES (?1)")?.execute([payload])?;
        Ok(())
    }

    fn trim(&self) -> Result<()> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.execute("DELETE FROM log", [])?;
        Ok(())
    }
}

/// The last record of ours that is durable, for who waits for one of many.
#[must_use]
pub(super) fn behind(index: LogIndex, outstanding: u64) -> LogIndex {
    LogIndex(index.0.saturating_sub(outstanding - 1))
}
