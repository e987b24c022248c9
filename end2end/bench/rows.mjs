// Lists of many rows, written into the catalog of a server that does not run: making them one by one would take an hour.
// The pool does not have these volumes, so what each holds is not known; everything else of a row is worked out as ever.

import { join } from 'node:path';
import { run } from './tools.mjs';

const id = "lower(hex(randomblob(4))||'-'||hex(randomblob(2))||'-7'||substr(hex(randomblob(2)),2)||'-8'||substr(hex(randomblob(2)),2)||'-'||hex(randomblob(6)))";

export function fill(data, rows) {
  const sql = `
    BEGIN;
    CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows}) SELECT n FROM n;
    CREATE TEMP TABLE us AS SELECT organization AS o, name AS who, id AS user FROM users WHERE email = 'mt@boreale.example';
    INSERT INTO volumes (id, organization, zone, name, name_key, kind, size, state, created)
      SELECT ${id}, us.o, CASE n % 2 WHEN 0 THEN (SELECT min(id) FROM zones) ELSE (SELECT max(id) FROM zones) END, 'disque-'||(n * 7919 % 100003), 'disque-'||(n * 7919 % 100003),
             'data', (1 + n % 400) * 1073741824, CASE n % 9 WHEN 0 THEN 'failed' ELSE 'ready' END, 1700000000000 + n * 1000 FROM n, us;
    INSERT INTO snapshots (id, organization, zone, volume, volume_name, kind, size, name, name_key, state, checkpoint, held, taken, data, uploaded)
      SELECT ${id}, us.o, CASE n % 2 WHEN 0 THEN (SELECT min(id) FROM zones) ELSE (SELECT max(id) FROM zones) END, v.id, v.name, 'data', v.size,
             'copie-'||(n * 104729 % 1000003), 'copie-'||(n * 104729 % 1000003), 'failed', ${id}, 'gone', 1700000000000 + n * 1000, n * 4096, n * 1024
      FROM n, us JOIN volumes v ON v.created = 1700000000000 + n * 1000;
    INSERT INTO events (organization, at, user, who, door, act, subject)
      SELECT us.o, 1700000000000 + n * 1000, us.user, us.who, 'console', '"sign-in"', '' FROM n, us;
    COMMIT;
    ANALYZE;`;
  run('sqlite3', ['-bail', join(data, 'catalog.db')], { input: sql, stdio: ['pipe', 'pipe', 'pipe'] });
}
