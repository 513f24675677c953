-- What was found in the master's job cache of the times in which we were blind. Made from entries.

CREATE TABLE backfill (
    entry     INTEGER PRIMARY KEY,
    gap       INTEGER,                -- the gap's entry; none where a person asked for it
    from_at   INTEGER NOT NULL,       -- microseconds since 1970, UTC
    to_at     INTEGER NOT NULL,
    cache     TEXT NOT NULL,          -- how the job cache was found
    runs      INTEGER NOT NULL,
    returns   INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    unread    INTEGER NOT NULL
) STRICT;
CREATE INDEX backfill_gap ON backfill (gap) WHERE gap IS NOT NULL;

-- Runs of which the job cache told, by the entry that says so first: the next back-fill that ended
-- is the one that found them.
CREATE TABLE backfilled (
    run   INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL
) STRICT;

ALTER TABLE sink ADD COLUMN missed INTEGER NOT NULL DEFAULT 0;  -- up to this entry it was told what is not known
