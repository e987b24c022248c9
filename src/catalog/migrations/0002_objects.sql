-- Times are milliseconds since 1970-01-01T00:00:00Z; ids are text, as Display writes them; sizes are bytes.
-- The words of kinds and states are those that serde writes for them in `domain`.

CREATE TABLE zones (
  id      TEXT PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,        -- as the operator's settings write it: the settings name zones, the id is ours
  created INTEGER NOT NULL
) STRICT;

-- A row is an intent or a proof; a volume that is gone has none. The engine knows the volume by the same id.
CREATE TABLE volumes (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  zone         TEXT NOT NULL REFERENCES zones(id),
  name         TEXT NOT NULL,
  name_key     TEXT NOT NULL,          -- the name, lower-cased: two names that differ only in case are one
  kind         TEXT NOT NULL CHECK (kind IN ('root', 'data')),
  size         INTEGER NOT NULL CHECK (size > 0 AND size % 4096 = 0),
  state        TEXT NOT NULL CHECK (state IN ('creating', 'importing', 'restoring', 'ready', 'deleting', 'failed')),
  fault        TEXT,                   -- JSON of a Fault
  created      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX volumes_by_name ON volumes(organization, name_key);
CREATE INDEX volumes_by_age ON volumes(organization, created DESC, id DESC);
CREATE INDEX volumes_by_zone ON volumes(zone);

CREATE TABLE snapshots (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  zone         TEXT NOT NULL REFERENCES zones(id),  -- the zone whose pool has the checkpoint
  volume       TEXT NOT NULL,          -- no reference: a snapshot outlives its volume
  volume_name  TEXT NOT NULL,          -- as it was when the snapshot was asked for
  kind         TEXT NOT NULL CHECK (kind IN ('root', 'data')),
  size         INTEGER NOT NULL,
  name         TEXT NOT NULL,
  name_key     TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('creating', 'saving', 'saved', 'verified', 'failed', 'deleting')),
  fault        TEXT,
  checkpoint   TEXT NOT NULL UNIQUE,   -- written down before the engine makes it
  held         TEXT NOT NULL CHECK (held IN ('not-yet', 'whole', 'base', 'gone')), -- what the pool has of the checkpoint
  taken        INTEGER NOT NULL,       -- when it was asked for, then the moment it holds
  verified     INTEGER,
  data         INTEGER,                -- bytes that hold data
  uploaded     INTEGER,                -- bytes that had to be sent
  base         TEXT                    -- the snapshot it was built on
) STRICT;
CREATE UNIQUE INDEX snapshots_by_name ON snapshots(organization, name_key);
CREATE INDEX snapshots_by_age ON snapshots(organization, taken DESC, id DESC);
CREATE INDEX snapshots_by_volume ON snapshots(volume, taken DESC);
CREATE INDEX snapshots_by_zone ON snapshots(zone);

CREATE TABLE jobs (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  kind         TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'interrupted')),
  subject      TEXT NOT NULL,          -- the id of the object it works on
  subject_name TEXT NOT NULL,          -- its name, then
  source       TEXT,                   -- the id of an object it reads, which must stay until it ends
  args         TEXT NOT NULL,          -- JSON; the kind says of what
  step         INTEGER,                -- the step begun last: written before its effect; none: not begun
  ending       TEXT CHECK (ending IN ('failed', 'interrupted')), -- set: the steps are those that undo
  cancel       INTEGER NOT NULL DEFAULT 0,
  closed       INTEGER NOT NULL DEFAULT 0, -- 1: its object has gone on, it cannot be tried again
  done         INTEGER NOT NULL DEFAULT 0,
  total        INTEGER,
  speed        INTEGER,                -- bytes a second, lately
  attempts     INTEGER NOT NULL DEFAULT 0,
  next_attempt INTEGER NOT NULL,
  fault        TEXT,                   -- why it failed, or why it waits
  asked_by     TEXT,                   -- the member; none: the program itself
  asked        INTEGER NOT NULL,
  ended        INTEGER
) STRICT;
-- Never two pieces of work on one object.
CREATE UNIQUE INDEX jobs_live ON jobs(subject) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX jobs_due ON jobs(next_attempt, id) WHERE state IN ('queued', 'waiting');
CREATE INDEX jobs_of_source ON jobs(source) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX jobs_by_subject ON jobs(subject, asked DESC);
CREATE INDEX jobs_going_on ON jobs(organization, asked) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX jobs_by_end ON jobs(organization, ended);

-- The activity log: only ever added to.
CREATE TABLE events (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  organization TEXT NOT NULL REFERENCES organizations(id),
  at           INTEGER NOT NULL,
  user         TEXT,
  who          TEXT,                   -- the member's name, then
  door         TEXT NOT NULL,
  act          TEXT NOT NULL,          -- JSON of a view::Act
  subject      TEXT NOT NULL,
  job          TEXT                    -- where there is one, how the act ended is the job's to say
) STRICT;
CREATE INDEX events_by_organization ON events(organization, id DESC);

-- What a pool has and the catalog does not know. Shown to the operator, never deleted by the program: the catalog may
-- have been restored from yesterday.
CREATE TABLE quarantine (
  zone  TEXT NOT NULL REFERENCES zones(id),
  kind  TEXT NOT NULL CHECK (kind IN ('volume', 'checkpoint')),
  id    TEXT NOT NULL,
  found INTEGER NOT NULL,
  PRIMARY KEY (zone, kind, id)
) STRICT, WITHOUT ROWID;
