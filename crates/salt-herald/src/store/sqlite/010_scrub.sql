-- What was taken out of contents afterwards, as it was secret. Made from entries.

CREATE TABLE scrub (
    entry  INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,          -- when it was done: microseconds since 1970, UTC
    first  INTEGER,                   -- the entry that said so first, where this one repeats it
    reason TEXT NOT NULL,
    by     TEXT NOT NULL,
    sudo   TEXT NOT NULL,             -- who became that user; empty: nobody, or not known
    marks  TEXT NOT NULL,             -- JSON list
    places INTEGER NOT NULL
) STRICT;

-- Contents that are not what their name says any more: the last row of each tells what they are.
CREATE TABLE scrubbed (
    entry  INTEGER NOT NULL,
    place  INTEGER NOT NULL,          -- which of those that the entry tells of
    digest BLOB NOT NULL,
    became BLOB NOT NULL,             -- SHA-256 of what stands there now
    places INTEGER NOT NULL,
    PRIMARY KEY (entry, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX scrubbed_digest ON scrubbed (digest);

-- Messages that are to be compared with what would be said now, though nothing happened to their runs.
CREATE INDEX delivery_to_compare ON delivery (sink) WHERE version = 0;
