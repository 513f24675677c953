-- What is needed to take out what is old, and what was taken.

-- Since which entry a day's entries stand, by the writer's clock: days since 1970, UTC.
CREATE TABLE day (
    day   INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL
) STRICT;
INSERT INTO day VALUES (unixepoch() / 86400, 1);

-- What still names a payload.
CREATE TABLE used (
    payload INTEGER PRIMARY KEY,
    entry   INTEGER NOT NULL,         -- the last entry that needs it to be folded; 0: none
    loud    INTEGER NOT NULL,         -- the last day on which a return of a run that is said named it; 0: none
    quiet   INTEGER NOT NULL,         -- likewise of a quiet run
    bytes   INTEGER NOT NULL          -- how long it is
) STRICT;
INSERT INTO used
    SELECT id,
           iif(kind IN (1, 2, 3), (SELECT coalesce(max(number), 0) FROM entry), 0),
           iif(kind IN (1, 2, 3), 0, unixepoch() / 86400),
           0,
           length(bytes)
    FROM payload;

-- Where the chain was cut: entries up to `last` went, and runs up to `run`. Made from entries.
CREATE TABLE cut (
    entry INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,           -- microseconds since 1970, UTC
    last  INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    run   INTEGER NOT NULL,
    job   INTEGER NOT NULL
) STRICT;

-- What went when, and why.
CREATE TABLE taken (
    at      INTEGER PRIMARY KEY,      -- microseconds since 1970, UTC
    why     TEXT NOT NULL,            -- age
    entries INTEGER NOT NULL,
    runs    INTEGER NOT NULL,
    results INTEGER NOT NULL,         -- contents of returns, with their times
    bytes   INTEGER NOT NULL          -- of those contents
) STRICT;
