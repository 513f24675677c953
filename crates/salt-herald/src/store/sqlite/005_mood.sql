-- What a webhook said can't be edited, so that it matters whether it told the end already.

-- How the run stood by what was said; NULL where that is not known.
ALTER TABLE delivery ADD COLUMN mood TEXT;
