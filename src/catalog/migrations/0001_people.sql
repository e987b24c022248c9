-- Times are milliseconds since 1970-01-01T00:00:00Z; ids are text, as Display writes them.
CREATE TABLE organizations (
  id        TEXT PRIMARY KEY,
  name      TEXT NOT NULL,
  time_zone TEXT NOT NULL,            -- a name of the tz database, such as America/Montreal
  created   INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  email        TEXT NOT NULL UNIQUE,  -- lower-cased
  name         TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  password     TEXT NOT NULL,         -- argon2id in the PHC string format
  one_time     INTEGER NOT NULL,      -- 1: the password was printed by the program and must be replaced before anything else
  created      INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
  token   BLOB PRIMARY KEY,           -- BLAKE3 of the cookie's token: who reads the table cannot sign in with it
  user    TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  created INTEGER NOT NULL,
  seen    INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions(user);
CREATE INDEX sessions_by_expiry ON sessions(expires);
