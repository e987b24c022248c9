//! The control plane's memory: one SQLite database, `catalog.db`, in the data folder.
//!
//! SQL lives here and nowhere else (the pool's own database is the engine's). Other rooms see typed rows of `domain`.
//!
//! What may never be true: two writers that both win (every change of state says `WHERE state = ?` and counts rows); an
//! intent whose effect began before the intent was committed. On a crash SQLite rolls the open transaction back; what
//! was committed is on stable storage (WAL, `synchronous = FULL`).
//!
//! One connection writes, under a lock; reads use connections of their own and never wait for the writer. There are no more
//! of those than [`READERS`]: when five hundred browsers ask at once, each connection would be opened, would prepare every
//! statement anew, and would fill a cache, for one page.

pub mod details;
pub mod events;
pub mod home;
pub mod instances;
pub mod invitations;
pub mod jobs;
pub mod members;
pub mod origins;
pub mod paging;
pub mod people;
pub mod points;
mod row;
pub mod search;
pub mod snapshots;
pub mod stock;
pub mod templates;
pub mod volumes;
pub mod zones;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why the catalog could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused or failed.
    #[error("the catalog: {context}")]
    Sqlite {
        /// What was being done.
        context: &'static str,
        /// SQLite's own error.
        #[source]
        source: rusqlite::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the catalog's schema could not be brought up to date")]
    Migration(#[from] rusqlite_migration::Error),
    /// A row says something that no version of Reprise writes.
    #[error("the catalog: {table}.{column} holds {value:?}, which is not known")]
    Unknown {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
    },
}

/// Names the act that failed.
pub(crate) trait Context<T> {
    /// Adds what was being done.
    fn context(self, context: &'static str) -> Result<T, Error>;
}

impl<T> Context<T> for rusqlite::Result<T> {
    fn context(self, context: &'static str) -> Result<T, Error> {
        #[cfg(test)]
        ASKED.with(|asked| asked.set(asked.get() + 1));
        self.map_err(|source| Error::Sqlite { context, source })
    }
}

#[cfg(test)]
thread_local! {
    /// What this thread asked of SQLite: every answer passes through [`Context::context`]. Tests hold lists to it.
    pub(crate) static ASKED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The open catalog. Clones share it.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Readers>,
    returned: Condvar,
}

/// The connections that read.
#[derive(Default)]
struct Readers {
    idle: Vec<Connection>,
    /// All there are, idle or not.
    open: usize,
}

/// Connections that read at once; more who want to read wait. Some may wait for the disk, so more than there are processors.
const READERS: usize = 16;

thread_local! {
    /// Reads that this thread is in: one within another must not wait for a connection that the outer one has.
    static READING: Cell<usize> = const { Cell::new(0) };
}

/// A connection that reads, until this is dropped: also when whoever reads panics.
struct Reader<'a> {
    inner: &'a Inner,
    connection: Option<Connection>,
}

impl<'a> Reader<'a> {
    fn take(inner: &'a Inner) -> Result<Self, Error> {
        let within = READING.get() > 0;
        let mut readers = lock(&inner.readers);
        let idle = loop {
            if let Some(idle) = readers.idle.pop() {
                break Some(idle);
            }
            if within || readers.open < READERS {
                readers.open += 1;
                break None;
            }
            readers = inner
                .returned
                .wait(readers)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(readers);
        READING.set(READING.get() + 1);
        let mut reader = Self {
            inner,
            connection: idle,
        };
        if reader.connection.is_none() {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            reader.connection = Some(connect(&inner.path, flags)?);
        }
        Ok(reader)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        READING.set(READING.get() - 1);
        let mut readers = lock(&self.inner.readers);
        match self.connection.take() {
            Some(connection) if readers.open <= READERS => readers.idle.push(connection),
            _ => readers.open -= 1,
        }
        drop(readers);
        self.inner.returned.notify_one();
    }
}

/// Append-only: a migration that has been in a release is never changed.
const STEPS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_people.sql")),
    M::up(include_str!("migrations/0002_objects.sql")),
    M::up(include_str!("migrations/0003_region.sql")),
    M::up(include_str!("migrations/0004_instances.sql")),
    M::up(include_str!("migrations/0005_memory.sql")),
    M::up(include_str!("migrations/0006_origins.sql")),
    M::up(include_str!("migrations/0007_elsewhere.sql")),
    M::up(include_str!("migrations/0008_members.sql")),
    M::up(include_str!("migrations/0009_operators.sql")),
    M::up(include_str!("migrations/0010_log.sql")),
];
static MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// The version of the schema that this program writes.
pub const SCHEMA_VERSION: usize = STEPS.len();

impl Catalog {
    /// Opens the catalog, makes it when it is absent, and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file cannot be opened, [`Error::Migration`] when it was written by a newer version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut writer = connect(path, OpenFlags::default())?;
        writer
            .pragma_update(None, "journal_mode", "WAL")
            .context("switch to a write-ahead log")?;
        MIGRATIONS.to_latest(&mut writer)?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                writer: Mutex::new(writer),
                readers: Mutex::default(),
                returned: Condvar::new(),
            }),
        })
    }

    /// Runs `work` in one transaction that takes the write lock at its start, and commits it if `work` succeeds.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Sqlite`] when the commit fails (then nothing was changed).
    pub fn write<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = lock(&self.inner.writer);
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .context("begin a transaction")?;
        let value = work(&transaction)?;
        transaction.commit().context("commit a transaction")?;
        Ok(value)
    }

    /// Runs `work` on one consistent view of the catalog.
    ///
    /// # Errors
    /// What `work` returns.
    pub fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = Reader::take(&self.inner)?;
        let Some(connection) = reader.connection.as_mut() else {
            unreachable!("a reader has its connection until it is dropped");
        };
        let transaction = connection.transaction().context("begin reading")?;
        work(&transaction)
    }
}

/// A panic while the lock was held left no half-made change behind: the transaction was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags).context("open the file")?;
    connection
        .busy_timeout(Duration::from_secs(10))
        .context("set the waiting time")?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .context("ask for full syncs")?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .context("ask for foreign keys")?;
    paging::prepare(&connection)?;
    // Each way of narrowing and sorting a list is a statement of its own.
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

#[cfg(test)]
mod tests;
