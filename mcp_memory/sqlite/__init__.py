"""The store kept in one SQLite file, through apsw, FTS5 and sqlite-vec."""
