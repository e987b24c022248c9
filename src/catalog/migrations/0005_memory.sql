-- The memory kept in a recovery point: a file of its own beside the zone's pool, named after the point.
ALTER TABLE points ADD COLUMN memory INTEGER;       -- bytes of that file; none: the point holds the disks only
ALTER TABLE points ADD COLUMN accelerator TEXT CHECK (accelerator IN ('kvm', 'tcg')); -- what computed the guest whose memory it is
