-- Whether a job is true, by the master's job cache: confirmed, unconfirmed, forged, confirmed_late; none
-- where nobody could tell. Made from entries.
ALTER TABLE job ADD COLUMN standing TEXT;
