"""Damaged files: checks, repair and salvage."""
