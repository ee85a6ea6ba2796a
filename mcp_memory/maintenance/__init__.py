"""Work in the background and for operators: backfill, audit, retention of tool calls."""
