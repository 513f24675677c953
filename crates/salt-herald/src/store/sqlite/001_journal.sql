-- The journal. `entry`, `payload` and `volatile` are what was recorded; all other tables but
-- `delivery`, `sink` and `meta` are made from them and can be made again.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- The permanent part, chained: hash = SHA-256(hash before || bytes).
CREATE TABLE entry (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,          -- microseconds since 1970, UTC
    kind   INTEGER NOT NULL,
    bytes  BLOB NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

-- Contents that entries name by digest. `id` is for this file only.
CREATE TABLE payload (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    kind   INTEGER NOT NULL,
    bytes  BLOB NOT NULL
) STRICT;

-- Finds payloads by the first eight bytes of their digest. It is made behind the writing: payloads
-- after the id that `meta` holds as `payloads_indexed` are not in it yet.
CREATE TABLE payload_key (
    key     INTEGER NOT NULL,
    payload INTEGER NOT NULL,
    PRIMARY KEY (key, payload)
) STRICT, WITHOUT ROWID;

-- Times, durations and order of the states of one return, by its entry.
CREATE TABLE volatile (
    entry INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE minion (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE run (
    id            INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL,
    user          TEXT,
    command       TEXT NOT NULL,
    funs          TEXT NOT NULL,      -- JSON list
    tgt           TEXT NOT NULL,
    tgt_type      TEXT NOT NULL,
    test          INTEGER NOT NULL,
    schedule      TEXT,
    saltenv       TEXT,
    started_at    INTEGER NOT NULL,   -- microseconds since 1970, UTC
    finished_at   INTEGER,
    status        TEXT NOT NULL,
    said          INTEGER NOT NULL,
    told_with     INTEGER,
    own_failure   INTEGER NOT NULL,
    flags         TEXT NOT NULL,      -- JSON list
    collides_with TEXT NOT NULL,      -- JSON list of jids
    expected      BLOB NOT NULL,      -- Roaring bitmaps of minion numbers, from here on
    returned      BLOB NOT NULL,
    failed        BLOB NOT NULL,
    changed       BLOB NOT NULL,
    would_change  BLOB NOT NULL,
    missing       BLOB NOT NULL,
    silent        BLOB NOT NULL,
    version       INTEGER NOT NULL,   -- number of the entry that changed it last
    metadata      BLOB                -- MessagePack
) STRICT;
CREATE INDEX run_started ON run (started_at);
CREATE INDEX run_version ON run (version);
CREATE INDEX run_open ON run (id) WHERE status = 'running';
CREATE INDEX run_told_with ON run (told_with) WHERE told_with IS NOT NULL;

CREATE TABLE job (
    id             INTEGER PRIMARY KEY,
    run            INTEGER NOT NULL,
    jid            TEXT NOT NULL,
    funs           TEXT NOT NULL,     -- JSON list
    started_at     INTEGER NOT NULL,
    ended          INTEGER NOT NULL,
    returns_itself INTEGER NOT NULL,
    expected       BLOB NOT NULL,
    returned       BLOB NOT NULL,
    failed         BLOB NOT NULL,
    changed        BLOB NOT NULL,
    would_change   BLOB NOT NULL,
    missing        BLOB NOT NULL,
    silent         BLOB NOT NULL
) STRICT;
CREATE INDEX job_jid ON job (jid);
CREATE INDEX job_run ON job (run);

CREATE TABLE return (
    job      INTEGER NOT NULL,
    minion   INTEGER NOT NULL,        -- -1: a runner or a wheel function itself
    at       INTEGER NOT NULL,
    entry    INTEGER NOT NULL,
    failed   INTEGER NOT NULL,
    changed  INTEGER NOT NULL,
    retcode  INTEGER,
    duration INTEGER NOT NULL,        -- microseconds
    shape    INTEGER NOT NULL,        -- payload.id
    PRIMARY KEY (job, minion)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure (
    job        INTEGER NOT NULL,
    minion     INTEGER NOT NULL,
    definition INTEGER,               -- payload.id; none where a whole function failed
    body       INTEGER NOT NULL,      -- payload.id
    follows    INTEGER NOT NULL
) STRICT;
CREATE INDEX failure_job ON failure (job);

CREATE TABLE gap (
    entry   INTEGER PRIMARY KEY,
    from_at INTEGER NOT NULL,
    to_at   INTEGER NOT NULL,
    reason  TEXT NOT NULL
) STRICT;

-- What was last said where.
CREATE TABLE delivery (
    run     INTEGER NOT NULL,
    sink    TEXT NOT NULL,
    part    TEXT NOT NULL,            -- message, thread, ending
    lead    INTEGER,                  -- told together with others: the first of them
    message TEXT,                     -- where it stands, in the sink's words
    said    BLOB,                     -- SHA-256 of what was said
    version INTEGER NOT NULL,         -- the run's version that was looked at
    state   TEXT NOT NULL,            -- said, given_up
    error   TEXT,
    at      INTEGER NOT NULL,
    PRIMARY KEY (run, sink, part)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_lead ON delivery (lead, sink) WHERE lead IS NOT NULL;

-- How far each sink is.
CREATE TABLE sink (
    name    TEXT PRIMARY KEY,
    since   INTEGER NOT NULL,         -- what nobody was told of before this entry is old news here
    settled INTEGER NOT NULL,         -- up to this entry nothing is owed
    trouble TEXT                      -- why nothing can be said at the moment
) STRICT, WITHOUT ROWID;

-- Events that are only counted, by the family of their tag.
CREATE TABLE seen (
    family TEXT PRIMARY KEY,
    count  INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
