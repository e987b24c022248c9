-- The region's name, as it was at the first start; one row. The settings may rename it.
CREATE TABLE region (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  name TEXT NOT NULL
) STRICT;
