-- What a volume was made from that is in the object store. Its content is fetched when it is read, and by work of its own.
-- Outlives the volume for as long as the object store holds the content for it.
CREATE TABLE origins (
  volume       TEXT PRIMARY KEY,       -- its id names the hold in the object store, too
  organization TEXT NOT NULL REFERENCES organizations(id),
  zone         TEXT NOT NULL REFERENCES zones(id),
  content      TEXT NOT NULL,          -- what it was made from: the object store's id of a snapshot or of a template's content
  base         TEXT NOT NULL UNIQUE,   -- the engine's checkpoint that stands for that content
  held         INTEGER NOT NULL        -- 1: the object store may have a hold
) STRICT;
CREATE INDEX origins_held ON origins(zone) WHERE held = 1;
