//! The rows of `pool.db`: which layers, volumes and checkpoints there are. A trait with one real form (SQLite), so
//! that tests can count commits and cut the power between them.

use crate::domain::id::{CheckpointId, VolumeId};
use crate::engine::error::{Error, Result};
use crate::engine::format::{LayerId, Name};
use crate::engine::maps::Claim;
use crate::engine::remote::RemoteId;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::path::Path;

/// A layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LayerRow {
    pub(crate) parent: Option<LayerId>,
    pub(crate) volume: VolumeId,
    pub(crate) size: u64,
    /// Generation of the map of a sealed layer; none for an open one.
    pub(crate) sealed: Option<u64>,
    /// What the header of that map claims.
    pub(crate) claim: Claim,
}

/// A volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct VolumeRow {
    pub(crate) size: u64,
    pub(crate) head: LayerId,
    pub(crate) poisoned: bool,
}

/// A checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CheckpointRow {
    pub(crate) volume: VolumeId,
    pub(crate) layer: LayerId,
    pub(crate) retired: bool,
}

/// All rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) layers: BTreeMap<LayerId, LayerRow>,
    pub(crate) volumes: BTreeMap<VolumeId, VolumeRow>,
    pub(crate) checkpoints: BTreeMap<CheckpointId, CheckpointRow>,
    /// The layers whose blocks come from elsewhere, and from where. Each is the bottom of its tree and is not sealed; no
    /// volume's head is among them.
    pub(crate) remotes: BTreeMap<LayerId, RemoteId>,
    /// The last layer id given.
    pub(crate) last_layer: u64,
}

/// One row put, replaced or removed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Change {
    Layer(LayerId, Option<LayerRow>),
    Volume(VolumeId, Option<VolumeRow>),
    Checkpoint(CheckpointId, Option<CheckpointRow>),
    Remote(LayerId, Option<RemoteId>),
    LastLayer(u64),
}

impl Rows {
    pub(crate) fn apply(&mut self, change: &Change) {
        fn put<K: Ord, V>(rows: &mut BTreeMap<K, V>, key: K, row: Option<V>) {
            match row {
                Some(row) => drop(rows.insert(key, row)),
                None => drop(rows.remove(&key)),
            }
        }
        match *change {
            Change::Layer(id, row) => put(&mut self.layers, id, row),
            Change::Volume(id, row) => put(&mut self.volumes, id, row),
            Change::Checkpoint(id, row) => put(&mut self.checkpoints, id, row),
            Change::Remote(id, row) => put(&mut self.remotes, id, row),
            Change::LastLayer(last) => self.last_layer = last,
        }
    }

    /// The layers on the way down from one, itself first.
    pub(crate) fn chain(&self, from: LayerId) -> Vec<LayerId> {
        let mut chain = Vec::new();
        let mut next = Some(from);
        // A damaged table could hold a circle; no chain is longer than the table.
        while let Some(id) = next.filter(|_| chain.len() <= self.layers.len()) {
            chain.push(id);
            next = self.layers.get(&id).and_then(|row| row.parent);
        }
        chain
    }

    /// Whether the layer is open and takes the writes of its volume, now or once those below it are sealed.
    pub(crate) fn is_head(&self, id: LayerId) -> bool {
        let open = self.layers.get(&id).is_some_and(|row| row.sealed.is_none());
        open && !self.remotes.contains_key(&id)
    }

    /// The children of each layer.
    pub(crate) fn children(&self) -> BTreeMap<LayerId, Vec<LayerId>> {
        let mut children: BTreeMap<LayerId, Vec<LayerId>> = BTreeMap::new();
        for (id, row) in &self.layers {
            if let Some(parent) = row.parent {
                children.entry(parent).or_default().push(*id);
            }
        }
        children
    }

    /// Whether this file could not be there if these rows were the latest: a map is written only for a layer whose row
    /// is committed.
    pub(crate) fn are_older_than(&self, file: Name) -> bool {
        matches!(file, Name::Map(layer, _) if layer.0 > self.last_layer)
    }

    /// The first thing that cannot be.
    pub(crate) fn fault(&self) -> Option<String> {
        for (id, row) in &self.layers {
            if let Some(parent) = row.parent {
                // Ids only grow, and a parent is older than its child: this also excludes circles.
                if parent >= *id || !self.layers.contains_key(&parent) {
                    return Some(format!("layer {id} stands on layer {parent}"));
                }
            }
            if id.0 > self.last_layer {
                return Some(format!("layer {id} was never given out"));
            }
        }
        for (id, row) in &self.volumes {
            if self
                .layers
                .get(&row.head)
                .is_none_or(|layer| layer.size != row.size || layer.sealed.is_some())
                || self.remotes.contains_key(&row.head)
            {
                return Some(format!("volume {id} has layer {} as its head", row.head));
            }
        }
        for (id, row) in &self.checkpoints {
            // A layer that still fills can be where differences begin, and no more.
            let base = row.retired && self.remotes.contains_key(&row.layer);
            if self
                .layers
                .get(&row.layer)
                .is_none_or(|layer| layer.sealed.is_none() && !base)
            {
                return Some(format!("checkpoint {id} has layer {}", row.layer));
            }
        }
        for id in self.remotes.keys() {
            if self
                .layers
                .get(id)
                .is_none_or(|layer| layer.sealed.is_some() || layer.parent.is_some())
            {
                return Some(format!("layer {id} has blocks that live elsewhere"));
            }
        }
        None
    }
}

/// Where the rows are kept. A commit is whole and durable when it returns.
pub(crate) trait Catalog: Send {
    fn load(&mut self) -> Result<Rows>;
    fn commit(&mut self, changes: &[Change]) -> Result<()>;
}

/// `pool.db`.
pub(crate) struct Sqlite(Connection);

/// Version of the tables. 0 had no `remotes`.
const TABLES: u32 = 1;

const SCHEMA: &str = "
CREATE TABLE pool (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE layers (
    id INTEGER PRIMARY KEY,
    parent INTEGER,              -- NULL at the bottom
    volume BLOB NOT NULL,        -- whose head it was
    size INTEGER NOT NULL,       -- bytes
    state TEXT NOT NULL CHECK (state IN ('open', 'sealed')),
    generation INTEGER NOT NULL, -- of its map; 0 while open
    claim INTEGER NOT NULL,      -- what its map says: 0 nothing, 1 a checkpoint, 2 a boundary
    claimed BLOB NOT NULL
) STRICT;
CREATE TABLE volumes (
    id BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    head INTEGER NOT NULL,
    poisoned INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    id BLOB PRIMARY KEY,
    volume BLOB NOT NULL,
    layer INTEGER NOT NULL,
    retired INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What version 1 added.
const REMOTES: &str = "
CREATE TABLE remotes (
    layer INTEGER PRIMARY KEY,
    source BLOB NOT NULL         -- the name that its giver knows
) STRICT;
";

fn failed(operation: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |source| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Error::NoSpace,
        _ => Error::Database { operation, source },
    }
}

impl Sqlite {
    /// Opens the database, or makes it where `create` allows.
    pub(crate) fn open(path: &Path, create: bool) -> Result<Self> {
        let mut flags =
            rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(rusqlite::OpenFlags::SQLITE_OPEN_CREATE, create);
        let connection = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
        let set = |name: &str, value: &str| {
            connection
                .pragma_update(None, name, value)
                .map_err(failed("set up"))
        };
        set("journal_mode", "WAL")?;
        // FULL: every commit is synced before it returns; that is what "committed" means in this room.
        set("synchronous", "FULL")?;
        let known: bool = connection
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'pool'",
                [],
                |row| row.get(0),
            )
            .map_err(failed("read"))?;
        if !known && !create {
            let what = "it is empty, and there are layers; repair makes a new one";
            return Err(Error::damaged("pool.db", 0, what));
        }
        if !known {
            let fill = format!(
                "BEGIN; {SCHEMA} {REMOTES} INSERT INTO pool VALUES ('format', {TABLES}), ('last_layer', 0); COMMIT"
            );
            connection.execute_batch(&fill).map_err(failed("create"))?;
        }
        let found: i64 = connection
            .query_row("SELECT value FROM pool WHERE key = 'format'", [], |row| {
                row.get(0)
            })
            .map_err(failed("read"))?;
        match found {
            0 => {
                let add = format!(
                    "BEGIN; {REMOTES} UPDATE pool SET value = 1 WHERE key = 'format'; COMMIT"
                );
                connection.execute_batch(&add).map_err(failed("migrate"))?;
            }
            found if found == i64::from(TABLES) => {}
            found => {
                return Err(Error::Format {
                    found: found.cast_unsigned(),
                    expected: u64::from(TABLES),
                });
            }
        }
        Ok(Self(connection))
    }
}

/// SQLite's integers are signed; our ids and sizes stay below 2⁶³.
fn signed(value: u64) -> i64 {
    value.cast_signed()
}

impl Catalog for Sqlite {
    fn load(&mut self) -> Result<Rows> {
        let read = failed("read");
        let mut rows = Rows::default();
        let id16 = |bytes: Vec<u8>| <[u8; 16]>::try_from(bytes).unwrap_or_default();
        let mut query = self.0.prepare("SELECT * FROM layers").map_err(&read)?;
        let mut found = query.query([]).map_err(&read)?;
        while let Some(row) = found.next().map_err(&read)? {
            let (id, parent): (i64, Option<i64>) =
                (row.get(0).map_err(&read)?, row.get(1).map_err(&read)?);
            let state: String = row.get(4).map_err(&read)?;
            let generation: i64 = row.get(5).map_err(&read)?;
            let (kind, claimed): (u32, Vec<u8>) =
                (row.get(6).map_err(&read)?, row.get(7).map_err(&read)?);
            let layer = LayerRow {
                parent: parent.map(|parent| LayerId(parent.cast_unsigned())),
                volume: VolumeId::from_bytes(id16(row.get(2).map_err(&read)?)),
                size: row.get::<_, i64>(3).map_err(&read)?.cast_unsigned(),
                sealed: (state == "sealed").then_some(generation.cast_unsigned()),
                claim: Claim::from_parts(kind, id16(claimed)).unwrap_or_default(),
            };
            rows.layers.insert(LayerId(id.cast_unsigned()), layer);
        }
        let mut query = self
            .0
            .prepare("SELECT id, size, head, poisoned FROM volumes")
            .map_err(&read)?;
        let mut found = query.query([]).map_err(&read)?;
        while let Some(row) = found.next().map_err(&read)? {
            let volume = VolumeRow {
                size: row.get::<_, i64>(1).map_err(&read)?.cast_unsigned(),
                head: LayerId(row.get::<_, i64>(2).map_err(&read)?.cast_unsigned()),
                poisoned: row.get(3).map_err(&read)?,
            };
            rows.volumes.insert(
                VolumeId::from_bytes(id16(row.get(0).map_err(&read)?)),
                volume,
            );
        }
        let mut query = self
            .0
            .prepare("SELECT id, volume, layer, retired FROM checkpoints")
            .map_err(&read)?;
        let mut found = query.query([]).map_err(&read)?;
        while let Some(row) = found.next().map_err(&read)? {
            let checkpoint = CheckpointRow {
                volume: VolumeId::from_bytes(id16(row.get(1).map_err(&read)?)),
                layer: LayerId(row.get::<_, i64>(2).map_err(&read)?.cast_unsigned()),
                retired: row.get(3).map_err(&read)?,
            };
            rows.checkpoints.insert(
                CheckpointId::from_bytes(id16(row.get(0).map_err(&read)?)),
                checkpoint,
            );
        }
        let mut query = self
            .0
            .prepare("SELECT layer, source FROM remotes")
            .map_err(&read)?;
        let mut found = query.query([]).map_err(&read)?;
        while let Some(row) = found.next().map_err(&read)? {
            let (layer, name): (i64, Vec<u8>) =
                (row.get(0).map_err(&read)?, row.get(1).map_err(&read)?);
            let source = RemoteId::new(&name).ok_or_else(|| {
                let what = format!("layer {layer} comes from nowhere");
                Error::damaged("pool.db", 0, what)
            })?;
            rows.remotes.insert(LayerId(layer.cast_unsigned()), source);
        }
        let last: i64 = self
            .0
            .query_row(
                "SELECT value FROM pool WHERE key = 'last_layer'",
                [],
                |row| row.get(0),
            )
            .map_err(&read)?;
        rows.last_layer = last.cast_unsigned();
        Ok(rows)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<()> {
        let write = failed("write");
        let transaction = self.0.transaction().map_err(&write)?;
        for change in changes {
            match change {
                Change::Layer(id, Some(row)) => {
                    let (kind, claimed) = row.claim.parts();
                    let state = if row.sealed.is_some() {
                        "sealed"
                    } else {
                        "open"
                    };
                    transaction
                        .prepare_cached(
                            "INSERT OR REPLACE INTO layers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        )
                        .and_then(|mut put| {
                            put.execute(params![
                                signed(id.0),
                                row.parent.map(|parent| signed(parent.0)),
                                row.volume.to_bytes(),
                                signed(row.size),
                                state,
                                signed(row.sealed.unwrap_or(0)),
                                kind,
                                claimed
                            ])
                        })
                }
                Change::Layer(id, None) => {
                    transaction.execute("DELETE FROM layers WHERE id = ?1", [signed(id.0)])
                }
                Change::Volume(id, Some(row)) => transaction.execute(
                    "INSERT OR REPLACE INTO volumes VALUES (?1, ?2, ?3, ?4)",
                    params![
                        id.to_bytes(),
                        signed(row.size),
                        signed(row.head.0),
                        row.poisoned
                    ],
                ),
                Change::Volume(id, None) => {
                    transaction.execute("DELETE FROM volumes WHERE id = ?1", [id.to_bytes()])
                }
                Change::Checkpoint(id, Some(row)) => transaction.execute(
                    "INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4)",
                    params![
                        id.to_bytes(),
                        row.volume.to_bytes(),
                        signed(row.layer.0),
                        row.retired
                    ],
                ),
                Change::Checkpoint(id, None) => {
                    transaction.execute("DELETE FROM checkpoints WHERE id = ?1", [id.to_bytes()])
                }
                Change::Remote(id, Some(source)) => transaction.execute(
                    "INSERT OR REPLACE INTO remotes VALUES (?1, ?2)",
                    params![signed(id.0), source.as_bytes()],
                ),
                Change::Remote(id, None) => {
                    transaction.execute("DELETE FROM remotes WHERE layer = ?1", [signed(id.0)])
                }
                Change::LastLayer(last) => transaction.execute(
                    "UPDATE pool SET value = ?1 WHERE key = 'last_layer'",
                    [signed(*last)],
                ),
            }
            .map_err(&write)?;
        }
        transaction.commit().map_err(&write)
    }
}
