-- What is needed to keep the file within a size, and what is not said because of it.

ALTER TABLE sink ADD COLUMN failing_since INTEGER;            -- since when nothing could be said, over restarts
ALTER TABLE sink ADD COLUMN unsaid INTEGER NOT NULL DEFAULT 0;  -- up to this entry it was told what it will not hear

-- Runs that went before a sink was told of them. Made from entries.
CREATE TABLE unsaid (
    entry   INTEGER NOT NULL,
    sink    TEXT NOT NULL,
    at      INTEGER NOT NULL,         -- microseconds since 1970, UTC
    runs    INTEGER NOT NULL,         -- at the most
    from_at INTEGER NOT NULL,         -- when the first of them began
    to_at   INTEGER NOT NULL,         -- when the last of them began
    PRIMARY KEY (entry, sink)
) STRICT, WITHOUT ROWID;
