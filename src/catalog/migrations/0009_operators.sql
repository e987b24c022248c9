-- Who looks after the installation: its zones, its room, its object store. A right beside the role, not above it: an operator
-- sees nothing of another organization's.
ALTER TABLE users ADD COLUMN operator INTEGER NOT NULL DEFAULT 0;
-- Until now nobody was told apart. The oldest Owner is the one whose one-time password the first start printed on the
-- machine's own terminal: who started Reprise. `reprise operator` appoints others, and takes the right back.
UPDATE users SET operator = 1
  WHERE id = (SELECT id FROM users WHERE role = 'owner' ORDER BY created, id LIMIT 1);
-- Work that failed lately, whoever asked for it.
CREATE INDEX jobs_failed ON jobs(ended) WHERE state = 'failed';
