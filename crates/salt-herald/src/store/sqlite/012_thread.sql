-- What people were told of checkpoints, at each sink.

ALTER TABLE sink ADD COLUMN thread TEXT;                          -- where their thread begins, in the sink's words
ALTER TABLE sink ADD COLUMN checkpoint INTEGER NOT NULL DEFAULT 0;  -- the entry of which the last one is that was said
ALTER TABLE sink ADD COLUMN checkpoint_at INTEGER;                -- when that was signed: microseconds since 1970, UTC
ALTER TABLE sink ADD COLUMN attempt INTEGER;                      -- since when one may have arrived of which nothing was heard
