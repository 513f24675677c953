-- Signed checkpoints. Made from entries.

CREATE TABLE seal (
    entry     INTEGER PRIMARY KEY,
    number    INTEGER NOT NULL,       -- up to this entry the chain is signed for
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,       -- microseconds since 1970, UTC
    occasion  TEXT NOT NULL,
    key       BLOB NOT NULL,          -- Ed25519
    signature BLOB NOT NULL
) STRICT;
