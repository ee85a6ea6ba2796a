"""Memories in other formats: records, archives, importers and exporters."""
