"""Measurements of quality and speed; not part of the package, not part of the tests."""
