"""Answers as text for a model, within a token budget."""
