-- What an entry of the log is about, for the log of one object: until now only its task knew.
ALTER TABLE events ADD COLUMN object TEXT;
UPDATE events SET object = (SELECT subject FROM jobs WHERE jobs.id = events.job) WHERE job IS NOT NULL;
CREATE INDEX events_by_object ON events(object, id DESC) WHERE object IS NOT NULL;
CREATE INDEX jobs_by_source ON jobs(source) WHERE source IS NOT NULL;
CREATE INDEX events_by_job ON events(job) WHERE job IS NOT NULL;
