-- What a memory's strength is reckoned from beside what is there already.

-- Whether its importance was given; else it was estimated from its words, its kind and what is known beside it.
ALTER TABLE revisions ADD COLUMN importance_given INTEGER NOT NULL DEFAULT 0;
UPDATE revisions SET importance_given = 1 WHERE importance <> 0.5;

-- How often recall handed an item out: no truth, written after the answer and in batches, and never exported.
CREATE TABLE uses (
    item_id INTEGER PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
    count   INTEGER NOT NULL,
    day     INTEGER NOT NULL,        -- of the last time, in days since 1970 as the caller's clock shows it
    earlier INTEGER NOT NULL         -- how often before that day
) STRICT;
