-- What an encoder made, in tables that are quick to read by state: with a row id, 2 KB stay in one page.

CREATE TABLE new_vectors (           -- what a candidate is scored by
    encoder_id  INTEGER NOT NULL REFERENCES encoders (id) ON DELETE CASCADE,
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    codes       BLOB NOT NULL,       -- int8, the vector over its own largest component times 127
    late        BLOB,                -- the same of the text as it reads among its neighbours
    pieces      BLOB NOT NULL,       -- int8 vectors of its content word pieces, one after the other
    UNIQUE (revision_id, encoder_id)
) STRICT;
INSERT INTO new_vectors SELECT encoder_id, revision_id, codes, late, pieces FROM vectors;
DROP TABLE vectors;
ALTER TABLE new_vectors RENAME TO vectors;

CREATE TABLE new_signs (             -- what a scan reads: one bit a dimension, 1 where positive
    revision_id INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
    encoder_id  INTEGER NOT NULL REFERENCES encoders (id) ON DELETE CASCADE,
    signs       BLOB NOT NULL,
    PRIMARY KEY (revision_id, encoder_id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_signs SELECT revision_id, encoder_id, signs FROM signs;
DROP TABLE signs;
ALTER TABLE new_signs RENAME TO signs;

-- Which states came, changed or went lately, so that a process can bring up to date what it holds of them in memory.
-- An index: a process that finds the beginning of what it missed gone reads everything again.
CREATE TABLE changes (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    revision_id INTEGER NOT NULL
) STRICT;

CREATE TRIGGER revisions_came AFTER INSERT ON revisions WHEN new.status = 'live' BEGIN
    INSERT INTO changes (revision_id) VALUES (new.id);
END;
CREATE TRIGGER revisions_changed AFTER UPDATE ON revisions BEGIN
    INSERT INTO changes (revision_id) VALUES (new.id);
END;
CREATE TRIGGER revisions_went AFTER DELETE ON revisions BEGIN
    INSERT INTO changes (revision_id) VALUES (old.id);
END;
CREATE TRIGGER signs_came AFTER INSERT ON signs BEGIN
    INSERT INTO changes (revision_id) VALUES (new.revision_id);
END;

CREATE TRIGGER changes_kept AFTER INSERT ON changes WHEN new.number % 1000 = 0 BEGIN
    DELETE FROM changes WHERE number <= new.number - 20000;
END;

-- The turns around a turn, by their places.
DROP INDEX items_source;
CREATE INDEX items_source ON items (source_id, position);
CREATE INDEX items_span ON items (source_id, span_start);
