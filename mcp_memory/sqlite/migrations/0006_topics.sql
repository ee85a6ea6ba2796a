-- How items gather into topics: an index, made from items and vectors and rebuilt by reindex, never exported.
-- The table topics has what is truth: the digests that were handed in.

CREATE TABLE clusters (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    scope      TEXT NOT NULL,
    tag        TEXT,                 -- what its first members carry; NULL where they resemble each other only
    name       TEXT NOT NULL DEFAULT '',
    keywords   TEXT NOT NULL DEFAULT '[]',
    importance REAL NOT NULL DEFAULT 0,
    size       INTEGER NOT NULL,
    measured   INTEGER NOT NULL,     -- members whose vectors the mean is of
    mean       BLOB NOT NULL,        -- float16
    changed_at INTEGER NOT NULL DEFAULT 0,
    touched    INTEGER NOT NULL,     -- 1 until it is described anew, 2 where it lost members that its mean still holds
    digest_at  INTEGER               -- when its digest was made
) STRICT;
CREATE UNIQUE INDEX clusters_tag ON clusters (scope, tag) WHERE tag IS NOT NULL;
CREATE INDEX clusters_name ON clusters (name, scope);
CREATE INDEX clusters_touched ON clusters (touched) WHERE touched > 0;

CREATE TABLE cluster_items (
    cluster_id  INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    item_id     INTEGER NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    PRIMARY KEY (cluster_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_items_item ON cluster_items (item_id);
CREATE INDEX cluster_items_revision ON cluster_items (revision_id);

CREATE TABLE cluster_terms (         -- what is compared, and the keywords recall looks up
    term       TEXT NOT NULL,
    cluster_id INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    weight     REAL NOT NULL,        -- summed over the members
    PRIMARY KEY (term, cluster_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_terms_cluster ON cluster_terms (cluster_id);

CREATE TABLE cluster_sentences (     -- the digest: places in states, the one that carries the most first
    cluster_id  INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    rank        INTEGER NOT NULL,
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    span_start  INTEGER NOT NULL,
    span_end    INTEGER NOT NULL,
    PRIMARY KEY (cluster_id, rank)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_sentences_revision ON cluster_sentences (revision_id);

CREATE TABLE cluster_revisions (     -- the states the digest was made from
    cluster_id  INTEGER NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    PRIMARY KEY (cluster_id, revision_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_revisions_revision ON cluster_revisions (revision_id);

CREATE TABLE ungathered (            -- items whose topics are to be looked for; the id grows with each change
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    item_id INTEGER NOT NULL UNIQUE REFERENCES items (id) ON DELETE CASCADE
) STRICT;

CREATE TABLE gathering (             -- one row: a patch that was planned on an older generation is not applied
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL,
    encoder    TEXT                  -- whose vectors the means are of
) STRICT;
INSERT INTO gathering (id, generation) VALUES (1, 0);

-- DELETE and INSERT, not OR REPLACE: a trigger takes over how the statement that set it off resolves conflicts.
CREATE TRIGGER revisions_gather_new AFTER INSERT ON revisions BEGIN
    DELETE FROM ungathered WHERE item_id = NEW.item_id;
    INSERT INTO ungathered (item_id) VALUES (NEW.item_id);
END;
CREATE TRIGGER revisions_gather_changed AFTER UPDATE OF until_time, status, text, tags, scope ON revisions BEGIN
    DELETE FROM ungathered WHERE item_id = NEW.item_id;
    INSERT INTO ungathered (item_id) VALUES (NEW.item_id);
END;
CREATE TRIGGER revisions_gather_gone AFTER DELETE ON revisions BEGIN
    DELETE FROM ungathered WHERE item_id = OLD.item_id;
    INSERT INTO ungathered (item_id) SELECT id FROM items WHERE id = OLD.item_id;
END;
CREATE TRIGGER vectors_gather AFTER INSERT ON vectors
WHEN (SELECT serving FROM encoders WHERE id = NEW.encoder_id) = 1 BEGIN
    DELETE FROM ungathered WHERE item_id = (SELECT item_id FROM revisions WHERE id = NEW.revision_id);
    INSERT INTO ungathered (item_id)
    SELECT item_id FROM revisions WHERE id = NEW.revision_id AND until_time IS NULL AND status = 'live';
END;

-- What is erased leaves no word in what was made of it: in its topics, and in those it may have left since they were described.
CREATE TRIGGER items_gather_erased BEFORE DELETE ON items BEGIN
    UPDATE clusters SET touched = 2 WHERE id IN (SELECT cluster_id FROM cluster_items WHERE item_id = OLD.id);
    DELETE FROM clusters WHERE touched > 0
        AND NOT EXISTS (SELECT 1 FROM cluster_items WHERE cluster_id = clusters.id AND item_id <> OLD.id);
    DELETE FROM cluster_terms WHERE cluster_id IN (SELECT id FROM clusters WHERE touched > 0);
    DELETE FROM cluster_sentences WHERE cluster_id IN (SELECT cluster_id FROM cluster_items WHERE item_id = OLD.id);
    UPDATE clusters SET digest_at = NULL WHERE id IN (SELECT cluster_id FROM cluster_items WHERE item_id = OLD.id);
    UPDATE clusters SET name = coalesce(tag, ''), keywords = '[]' WHERE touched > 0;
    UPDATE gathering SET generation = generation + 1;
END;

INSERT INTO ungathered (item_id) SELECT item_id FROM revisions WHERE until_time IS NULL AND status = 'live' ORDER BY item_id;
