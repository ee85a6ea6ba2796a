-- What each operation changed can be told exactly, taken back, and brought back.

-- The operation that was taken back, or by the next of the same brought back: an odd number of them means taken back.
ALTER TABLE operations ADD COLUMN undoes INTEGER REFERENCES operations (id);
-- How many memories it took out of the file for good.
ALTER TABLE operations ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
UPDATE operations SET erased = 1 WHERE verb = 'forget' AND summary LIKE 'erase %';
CREATE INDEX operations_undoes ON operations (undoes, at) WHERE undoes IS NOT NULL;
CREATE INDEX operations_client ON operations (client, at);

-- The first state that was just like this one, where an undo brought it back.
ALTER TABLE revisions ADD COLUMN restores INTEGER REFERENCES revisions (id);
CREATE INDEX revisions_restores ON revisions (restores) WHERE restores IS NOT NULL;

-- Each time an item was said again. What earlier versions counted stays in items.seen and items.last_seen_at.
CREATE TABLE confirmations (
    item_id      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    times        INTEGER NOT NULL,   -- in this operation
    said_at      INTEGER NOT NULL,
    from_time    INTEGER NOT NULL,   -- transaction time, as of a revision
    until_time   INTEGER,
    PRIMARY KEY (item_id, operation_id, from_time)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmations_operation ON confirmations (operation_id);

-- Links and repeats have a transaction time as well, and each operation that says one has a row: taking one back leaves
-- the others'.
CREATE TABLE timed_links (
    from_id      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    to_id        INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    type         TEXT NOT NULL CHECK (type IN ('replaces', 'contradicts', 'derived-from', 'follows', 'mentions')),
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    from_time    INTEGER NOT NULL,
    until_time   INTEGER,
    PRIMARY KEY (from_id, to_id, type, operation_id, from_time)
) STRICT, WITHOUT ROWID;
INSERT INTO timed_links SELECT from_id, to_id, type, operation_id, at, NULL FROM links;
DROP TABLE links;
ALTER TABLE timed_links RENAME TO links;
CREATE UNIQUE INDEX links_present ON links (from_id, to_id, type, operation_id) WHERE until_time IS NULL;
CREATE INDEX links_to ON links (to_id, type);
CREATE INDEX links_operation ON links (operation_id);

CREATE TABLE timed_repeats (
    item_id      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    source_id    INTEGER NOT NULL REFERENCES sources (id),
    span_start   INTEGER NOT NULL,
    span_end     INTEGER NOT NULL,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    from_time    INTEGER NOT NULL,
    until_time   INTEGER,
    PRIMARY KEY (item_id, source_id, span_start, operation_id, from_time)
) STRICT, WITHOUT ROWID;
INSERT INTO timed_repeats
    SELECT r.item_id, r.source_id, r.span_start, r.span_end, s.operation_id, s.recorded_at, NULL
    FROM repeats AS r JOIN sources AS s ON s.id = r.source_id;
DROP TABLE repeats;
ALTER TABLE timed_repeats RENAME TO repeats;
CREATE UNIQUE INDEX repeats_present ON repeats (item_id, source_id, span_start, operation_id) WHERE until_time IS NULL;
CREATE INDEX repeats_source ON repeats (source_id, span_start);
CREATE INDEX repeats_operation ON repeats (operation_id);

-- The first of the digests that an undo brought back in this one.
ALTER TABLE topics ADD COLUMN restores INTEGER REFERENCES topics (id) ON DELETE SET NULL;
CREATE INDEX topics_operation ON topics (operation_id);
CREATE INDEX topics_restores ON topics (restores) WHERE restores IS NOT NULL;
