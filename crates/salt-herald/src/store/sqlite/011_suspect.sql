-- What minions made up, or may have. Made from entries.
CREATE TABLE suspect (
    entry  INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,          -- microseconds since 1970, UTC
    why    TEXT NOT NULL,
    job    INTEGER,                   -- none where it is of no job that is known
    jid    TEXT NOT NULL,
    minion TEXT NOT NULL,             -- in whose name; empty: the master's
    sender TEXT NOT NULL,             -- who truly sent it; empty: unknown
    tag    TEXT NOT NULL,
    said   BLOB NOT NULL,             -- SHA-256 of what was returned; zeros where nothing was
    count  INTEGER NOT NULL           -- for how many it stands
) STRICT;
CREATE INDEX suspect_at ON suspect (at);

-- Up to this entry people were told what is suspect, and what happened to keys. What is older than this is no news.
ALTER TABLE sink ADD COLUMN alarmed INTEGER NOT NULL DEFAULT 0;
UPDATE sink SET alarmed = (SELECT coalesce(max(number), 0) FROM entry);
