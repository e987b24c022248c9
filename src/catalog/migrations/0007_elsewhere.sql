-- What there is in the object store is for the object store to tell: a snapshot or a template may be another server's.

CREATE TABLE snapshots_7 (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  zone         TEXT REFERENCES zones(id), -- the zone whose pool has the checkpoint; none: it was taken by another server
  place        TEXT,                   -- taken by another server: its zone's name, where the object store tells it
  volume       TEXT NOT NULL,          -- no reference: a snapshot outlives its volume
  volume_name  TEXT NOT NULL,          -- as it was when the snapshot was asked for
  kind         TEXT NOT NULL CHECK (kind IN ('root', 'data')),
  size         INTEGER NOT NULL,
  name         TEXT NOT NULL,
  name_key     TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('creating', 'saving', 'saved', 'verified', 'failed', 'deleting')),
  fault        TEXT,
  checkpoint   TEXT NOT NULL UNIQUE,   -- written down before the engine makes it; names nothing where there is no zone
  held         TEXT NOT NULL CHECK (held IN ('not-yet', 'whole', 'base', 'gone')), -- what the pool has of the checkpoint
  taken        INTEGER NOT NULL,       -- when it was asked for, then the moment it holds
  verified     INTEGER,
  data         INTEGER,                -- bytes that hold data
  uploaded     INTEGER,                -- bytes that had to be sent
  base         TEXT,                   -- the snapshot it was built on
  CHECK (zone IS NOT NULL OR held = 'gone')
) STRICT;
INSERT INTO snapshots_7 (id, organization, zone, volume, volume_name, kind, size, name, name_key, state, fault, checkpoint,
                         held, taken, verified, data, uploaded, base)
  SELECT id, organization, zone, volume, volume_name, kind, size, name, name_key, state, fault, checkpoint,
         held, taken, verified, data, uploaded, base FROM snapshots;
DROP TABLE snapshots;
ALTER TABLE snapshots_7 RENAME TO snapshots;
-- Another server knows nothing of the names that are taken here.
CREATE UNIQUE INDEX snapshots_by_name ON snapshots(organization, name_key) WHERE zone IS NOT NULL;
CREATE INDEX snapshots_by_any_name ON snapshots(organization, name_key);
CREATE INDEX snapshots_by_age ON snapshots(organization, taken DESC, id DESC);
CREATE INDEX snapshots_by_volume ON snapshots(volume, taken DESC);
CREATE INDEX snapshots_by_zone ON snapshots(zone);

ALTER TABLE templates ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0; -- 1: another server made it
DROP INDEX templates_by_name;
CREATE UNIQUE INDEX templates_by_name ON templates(organization, name_key) WHERE elsewhere = 0;
CREATE INDEX templates_by_any_name ON templates(organization, name_key);

-- A key of the organization in the object store that its snapshots were seen in. Where that key is not, what is missing
-- is not gone: it is another store, or none.
ALTER TABLE organizations ADD COLUMN store TEXT;
