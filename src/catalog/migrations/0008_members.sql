-- What a member has chosen; none: as the browser asks, as the system has it, as the organization has it.
ALTER TABLE users ADD COLUMN locale TEXT;    -- a language's code
ALTER TABLE users ADD COLUMN theme TEXT;     -- 'light' or 'dark'
ALTER TABLE users ADD COLUMN time_zone TEXT; -- a name of the tz database
-- When the member last came. Sessions tell it no more once they have ended.
ALTER TABLE users ADD COLUMN seen INTEGER;
UPDATE users SET seen = (SELECT MAX(seen) FROM sessions WHERE sessions.user = users.id);
CREATE INDEX users_by_organization ON users(organization);

-- A row is an invitation that can still be used: it goes when somebody joins by it, when it is withdrawn or replaced, and
-- with the Owner who asked.
CREATE TABLE invitations (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL REFERENCES organizations(id),
  email        TEXT NOT NULL,         -- lower-cased
  role         TEXT NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  token        BLOB NOT NULL UNIQUE,  -- BLAKE3 of the link's token: who reads the table cannot join with it
  asked_by     TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  asked        INTEGER NOT NULL,
  expires      INTEGER NOT NULL,
  UNIQUE (organization, email)
) STRICT;
CREATE INDEX invitations_by_asker ON invitations(asked_by);
CREATE INDEX invitations_by_expiry ON invitations(expires);
