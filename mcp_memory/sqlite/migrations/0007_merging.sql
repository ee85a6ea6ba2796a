-- What two files need to become one: which way each undo went, and which items were erased.

-- Of an undo: 1 where it took the operation back, 0 where it brought it back. The latest of an operation's undos counts,
-- also where two machines took back the same.
ALTER TABLE operations ADD COLUMN takes_back INTEGER;
UPDATE operations SET takes_back = (
    SELECT count(*) % 2 FROM operations AS o WHERE o.undoes = operations.undoes AND o.at <= operations.at
) WHERE undoes IS NOT NULL;

-- Ids of what was taken out of the file for good, so that no other file brings it back. Holds no word of it.
CREATE TABLE erased (
    item_id      INTEGER PRIMARY KEY,
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    at           INTEGER NOT NULL
) STRICT;
CREATE INDEX erased_operation ON erased (operation_id);
