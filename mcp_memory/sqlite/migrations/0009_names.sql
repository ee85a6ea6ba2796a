-- Tables, columns and triggers under the names that the field has for them, and the time of the last merge in a table.

ALTER TABLE told RENAME TO text_dates;
-- Dates are read by another grammar: those of texts are read again, in the background.
DELETE FROM text_dates;

DROP TRIGGER signs_came;
ALTER TABLE signs RENAME TO binary_vectors;
ALTER TABLE binary_vectors RENAME COLUMN signs TO bits;

DROP TRIGGER revisions_came;
DROP TRIGGER revisions_changed;
DROP TRIGGER revisions_went;
DROP TRIGGER changes_kept;
ALTER TABLE changes RENAME TO revision_log;
CREATE TRIGGER revisions_log_insert AFTER INSERT ON revisions WHEN new.status = 'live' BEGIN
    INSERT INTO revision_log (revision_id) VALUES (new.id);
END;
CREATE TRIGGER revisions_log_update AFTER UPDATE ON revisions BEGIN
    INSERT INTO revision_log (revision_id) VALUES (new.id);
END;
CREATE TRIGGER revisions_log_delete AFTER DELETE ON revisions BEGIN
    INSERT INTO revision_log (revision_id) VALUES (old.id);
END;
CREATE TRIGGER binary_vectors_log_insert AFTER INSERT ON binary_vectors BEGIN
    INSERT INTO revision_log (revision_id) VALUES (new.revision_id);
END;
CREATE TRIGGER revision_log_trim AFTER INSERT ON revision_log WHEN new.number % 1000 = 0 BEGIN
    DELETE FROM revision_log WHERE number <= new.number - 20000;
END;

DROP TRIGGER revisions_gather_new;
DROP TRIGGER revisions_gather_changed;
DROP TRIGGER revisions_gather_gone;
DROP TRIGGER vectors_gather;
DROP TRIGGER items_gather_erased;
ALTER TABLE ungathered RENAME TO cluster_queue;
ALTER TABLE gathering RENAME TO cluster_state;
DROP INDEX clusters_touched;
ALTER TABLE clusters RENAME COLUMN touched TO dirty;
ALTER TABLE clusters RENAME COLUMN measured TO vector_count;
CREATE INDEX clusters_dirty ON clusters (dirty) WHERE dirty > 0;
-- DELETE and INSERT, not OR REPLACE: a trigger takes over how the statement that set it off resolves conflicts.
CREATE TRIGGER revisions_queue_insert AFTER INSERT ON revisions BEGIN
    DELETE FROM cluster_queue WHERE item_id = new.item_id;
    INSERT INTO cluster_queue (item_id) VALUES (new.item_id);
END;
CREATE TRIGGER revisions_queue_update AFTER UPDATE OF until_time, status, text, tags, scope ON revisions BEGIN
    DELETE FROM cluster_queue WHERE item_id = new.item_id;
    INSERT INTO cluster_queue (item_id) VALUES (new.item_id);
END;
CREATE TRIGGER revisions_queue_delete AFTER DELETE ON revisions BEGIN
    DELETE FROM cluster_queue WHERE item_id = old.item_id;
    INSERT INTO cluster_queue (item_id) SELECT id FROM items WHERE id = old.item_id;
END;
CREATE TRIGGER vectors_queue_insert AFTER INSERT ON vectors
WHEN (SELECT serving FROM encoders WHERE id = new.encoder_id) = 1 BEGIN
    DELETE FROM cluster_queue WHERE item_id = (SELECT item_id FROM revisions WHERE id = new.revision_id);
    INSERT INTO cluster_queue (item_id)
    SELECT item_id FROM revisions WHERE id = new.revision_id AND until_time IS NULL AND status = 'live';
END;
-- What is erased leaves no word in what was made of it: in its topics, and in those it may have left since they were described.
CREATE TRIGGER items_erase_clusters BEFORE DELETE ON items BEGIN
    UPDATE clusters SET dirty = 2 WHERE id IN (SELECT cluster_id FROM cluster_items WHERE item_id = old.id);
    DELETE FROM clusters WHERE dirty > 0
        AND NOT EXISTS (SELECT 1 FROM cluster_items WHERE cluster_id = clusters.id AND item_id <> old.id);
    DELETE FROM cluster_terms WHERE cluster_id IN (SELECT id FROM clusters WHERE dirty > 0);
    DELETE FROM cluster_sentences WHERE cluster_id IN (SELECT cluster_id FROM cluster_items WHERE item_id = old.id);
    UPDATE clusters SET digest_at = NULL WHERE id IN (SELECT cluster_id FROM cluster_items WHERE item_id = old.id);
    UPDATE clusters SET name = coalesce(tag, ''), keywords = '[]' WHERE dirty > 0;
    UPDATE cluster_state SET generation = generation + 1;
END;

-- When another file was last merged into this one. Of this file alone, so no truth: a merge gives the same truth
-- whichever file went into which.
CREATE TABLE last_merge (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL              -- what was done before may have been done elsewhere
) STRICT;
INSERT INTO last_merge (id, at) SELECT 1, max(seq) FROM sqlite_sequence WHERE name = 'brought in' HAVING max(seq) > 0;
DELETE FROM sqlite_sequence WHERE name = 'brought in';
