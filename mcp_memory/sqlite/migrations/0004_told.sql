-- Index: the stretches of time a state's own words name, relative ones counted from the day it was said.

CREATE TABLE told (
    revision_id INTEGER PRIMARY KEY REFERENCES revisions (id) ON DELETE CASCADE,
    periods     TEXT NOT NULL        -- a JSON array of [start, end] in milliseconds; [] for a text that names none
) STRICT, WITHOUT ROWID;
