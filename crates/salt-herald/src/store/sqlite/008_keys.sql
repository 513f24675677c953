-- What happened to minions' keys, and by them. Made from entries.
CREATE TABLE key_event (
    entry  INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,          -- microseconds since 1970, UTC
    act    TEXT NOT NULL,             -- accepted, rejected, deleted, waiting, denied, failed, changed, seen
    minion TEXT NOT NULL,
    key    BLOB NOT NULL              -- SHA-256 of the key's text; zeros where the bus did not say
) STRICT;
CREATE INDEX key_event_at ON key_event (at);
