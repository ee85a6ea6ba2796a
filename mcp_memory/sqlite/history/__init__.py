"""Revisions and operations: undo, erasing, lineage."""
