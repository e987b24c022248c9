-- Times are milliseconds since 1970-01-01T00:00:00Z; ids are text, as Display writes them; sizes are bytes.

CREATE TABLE templates (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  name         TEXT NOT NULL,
  name_key     TEXT NOT NULL,
  description  TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'failed', 'deleting')),
  fault        TEXT,                   -- JSON of a Fault
  content      TEXT NOT NULL UNIQUE,   -- the id of a snapshot of its own in the object store; no member sees that snapshot
  size         INTEGER NOT NULL,       -- of the disk
  data         INTEGER,                -- bytes that hold data
  origin       TEXT NOT NULL,          -- the name of the snapshot or of the file it was made from
  created      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX templates_by_name ON templates(organization, name_key);

CREATE TABLE instances (
  id            TEXT PRIMARY KEY,
  organization  TEXT NOT NULL REFERENCES organizations(id),
  zone          TEXT NOT NULL REFERENCES zones(id),
  name          TEXT NOT NULL,
  name_key      TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('creating', 'stopped', 'starting', 'running', 'stopping', 'failed', 'deleting')),
  fault         TEXT,                  -- JSON of a Fault
  vcpus         INTEGER NOT NULL,
  memory        INTEGER NOT NULL,
  machine       TEXT NOT NULL,         -- QEMU's versioned machine type at the last start; empty: it never ran
  cpu           TEXT NOT NULL,
  qemu          TEXT NOT NULL,
  accelerator   TEXT CHECK (accelerator IN ('kvm', 'tcg')),
  template_name TEXT NOT NULL,         -- what it was made from, then
  current       TEXT,                  -- the recovery point its state descends from
  frozen        INTEGER NOT NULL DEFAULT 0, -- 1: a freeze was asked of its guest; written before, cleared after the thaw
  undo          TEXT,                  -- the safety point of the last rollback, while that can be undone
  started       INTEGER,               -- when it was last started
  created       INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX instances_by_name ON instances(organization, name_key);
CREATE INDEX instances_by_age ON instances(organization, created DESC, id DESC);
CREATE INDEX instances_by_zone ON instances(zone);

ALTER TABLE volumes ADD COLUMN instance TEXT REFERENCES instances(id);
ALTER TABLE volumes ADD COLUMN slot INTEGER;  -- its place among the instance's disks: 0 is the root volume
CREATE UNIQUE INDEX volumes_by_slot ON volumes(instance, slot) WHERE instance IS NOT NULL;

CREATE TABLE points (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  instance     TEXT NOT NULL REFERENCES instances(id),
  parent       TEXT,
  name         TEXT NOT NULL,
  description  TEXT NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('made', 'safety')),
  state        TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
  consistency  TEXT CHECK (consistency IN ('stopped', 'frozen', 'power-cut')),
  running      INTEGER NOT NULL,       -- 1: the instance ran
  stood_still  INTEGER,                -- microseconds that the guest stood still, measured
  hardware     TEXT NOT NULL,          -- JSON of domain::instance::Hardware
  by_name      TEXT,                   -- the member's name; none: the program
  taken        INTEGER NOT NULL,       -- when it was asked for, then the moment it holds
  expires      INTEGER                 -- safety points only
) STRICT;
CREATE INDEX points_by_instance ON points(instance, taken);
CREATE INDEX points_by_expiry ON points(expires) WHERE expires IS NOT NULL;

-- The disks that a point holds. A volume may be renamed, detached or deleted later: the checkpoint stays.
CREATE TABLE point_disks (
  point       TEXT NOT NULL REFERENCES points(id) ON DELETE CASCADE,
  slot        INTEGER NOT NULL,
  volume      TEXT NOT NULL,           -- no reference: the point outlives the volume
  volume_name TEXT NOT NULL,
  kind        TEXT NOT NULL CHECK (kind IN ('root', 'data')),
  size        INTEGER NOT NULL,
  checkpoint  TEXT NOT NULL UNIQUE,    -- written down before the engine makes it
  beside      INTEGER NOT NULL DEFAULT 0, -- 1: it was not attached; a safety point keeps what its rollback overwrites
  PRIMARY KEY (point, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX point_disks_by_volume ON point_disks(volume);
