-- Truth: what was said, what was made of it, and who changed what when.
-- Every time is in milliseconds since 1970 UTC; every id is 41 bits of time and 22 random bits, so two files can merge.

CREATE TABLE operations (
    id      INTEGER PRIMARY KEY,
    verb    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    client  TEXT NOT NULL,
    session TEXT NOT NULL,
    summary TEXT NOT NULL            -- what was asked, in numbers and ids; never a memory's text
) STRICT;
CREATE INDEX operations_at ON operations (at);

CREATE TABLE sources (
    id           INTEGER PRIMARY KEY,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    sha256       BLOB NOT NULL CHECK (length(sha256) = 32),   -- of the UTF-8 bytes of text
    kind         TEXT NOT NULL CHECK (kind IN ('words', 'document', 'transcript')),
    origin       TEXT,               -- where it came from, as the caller named it
    text         TEXT NOT NULL,
    recorded_at  INTEGER NOT NULL,
    redacted_at  INTEGER             -- when an erase blanked a part of it
) STRICT;

CREATE UNIQUE INDEX sources_sha256 ON sources (sha256) WHERE redacted_at IS NULL;

CREATE TABLE items (
    id           INTEGER PRIMARY KEY,
    source_id    INTEGER NOT NULL REFERENCES sources (id),
    position     INTEGER NOT NULL,   -- order among the items of its source
    span_start   INTEGER NOT NULL,   -- characters of the source's text
    span_end     INTEGER NOT NULL,
    speaker      TEXT,
    recorded_at  INTEGER NOT NULL,
    seen         INTEGER NOT NULL DEFAULT 1,
    last_seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX items_source ON items (source_id, span_start);

-- Where else an item was said word for word: lineage, and what erasing it must reach.
CREATE TABLE repeats (
    item_id    INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    source_id  INTEGER NOT NULL REFERENCES sources (id),
    span_start INTEGER NOT NULL,
    span_end   INTEGER NOT NULL,
    PRIMARY KEY (item_id, source_id, span_start)
) STRICT, WITHOUT ROWID;
CREATE INDEX repeats_source ON repeats (source_id, span_start);

-- One row per state an item has been in; [from_time, until_time) is its transaction time, open for the present one.
CREATE TABLE revisions (
    id           INTEGER PRIMARY KEY,
    item_id      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    number       INTEGER NOT NULL,
    from_time    INTEGER NOT NULL,
    until_time   INTEGER,
    status       TEXT NOT NULL CHECK (status IN ('live', 'replaced', 'forgotten')),
    text         TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('fact', 'preference', 'decision', 'event', 'procedure', 'note', 'tool')),
    scope        TEXT NOT NULL,
    tags         TEXT NOT NULL,      -- a JSON array, sorted
    importance   REAL NOT NULL,
    confidence   REAL NOT NULL,
    occurred_at  INTEGER,
    valid_until  INTEGER,
    pinned       INTEGER NOT NULL,
    review_after INTEGER,
    normal_hash  BLOB NOT NULL,      -- of the normal form of text: equal for an exact repetition
    UNIQUE (item_id, number)
) STRICT;
CREATE UNIQUE INDEX revisions_present ON revisions (item_id) WHERE until_time IS NULL;
CREATE INDEX revisions_scope ON revisions (scope, status) WHERE until_time IS NULL;
CREATE INDEX revisions_normal ON revisions (normal_hash);
CREATE INDEX revisions_operation ON revisions (operation_id);

CREATE TABLE links (
    from_id      INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    to_id        INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    type         TEXT NOT NULL CHECK (type IN ('replaces', 'contradicts', 'derived-from', 'follows', 'mentions')),
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    at           INTEGER NOT NULL,
    PRIMARY KEY (from_id, to_id, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_to ON links (to_id, type);

CREATE TABLE topics (
    id           INTEGER PRIMARY KEY,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    name         TEXT NOT NULL,
    scope        TEXT NOT NULL,
    digest       TEXT NOT NULL,
    from_time    INTEGER NOT NULL,
    until_time   INTEGER             -- when a newer digest took its place
) STRICT;
CREATE UNIQUE INDEX topics_present ON topics (name, scope) WHERE until_time IS NULL;

CREATE TABLE topic_revisions (       -- lineage: the states of items a digest was made from
    topic_id    INTEGER NOT NULL REFERENCES topics (id) ON DELETE CASCADE,
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    PRIMARY KEY (topic_id, revision_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX topic_revisions_revision ON topic_revisions (revision_id);

-- Indexes: rebuilt by reindex, never exported.

CREATE TABLE encoders (
    id         INTEGER PRIMARY KEY,
    identity   TEXT NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL,
    serving    INTEGER NOT NULL      -- 1 for the one whose vectors answer
) STRICT;
CREATE UNIQUE INDEX encoders_serving ON encoders (serving) WHERE serving = 1;

CREATE TABLE signs (                 -- what a scan reads: one bit a dimension, 1 where positive
    encoder_id  INTEGER NOT NULL REFERENCES encoders (id) ON DELETE CASCADE,
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    signs       BLOB NOT NULL,
    PRIMARY KEY (encoder_id, revision_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX signs_revision ON signs (revision_id);

CREATE TABLE vectors (               -- what a candidate is scored by
    encoder_id  INTEGER NOT NULL REFERENCES encoders (id) ON DELETE CASCADE,
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    codes       BLOB NOT NULL,       -- int8, the vector over its own largest component times 127
    late        BLOB,                -- the same of the text as it reads among its neighbours
    pieces      BLOB NOT NULL,       -- int8 vectors of its content word pieces, one after the other
    PRIMARY KEY (encoder_id, revision_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX vectors_revision ON vectors (revision_id);

-- Contentless: the words are given again to delete a row, and secure-delete takes them out of the file.
CREATE VIRTUAL TABLE text_index USING fts5 (
    words, grams,
    content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO text_index (text_index, rank) VALUES ('secure-delete', 1);
