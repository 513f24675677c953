-- What was sent and not answered yet, what was told late, and what was told of sinks in trouble.

ALTER TABLE delivery ADD COLUMN late INTEGER NOT NULL DEFAULT 0;  -- in a digest of old news

ALTER TABLE sink ADD COLUMN doubt TEXT;     -- posts that may have arrived: message:5-7 thread:9
ALTER TABLE sink ADD COLUMN blind INTEGER NOT NULL DEFAULT 0;  -- it did not let us look for them
ALTER TABLE sink ADD COLUMN told_in TEXT;   -- the sink in which its trouble was told
ALTER TABLE sink ADD COLUMN told_at INTEGER;
