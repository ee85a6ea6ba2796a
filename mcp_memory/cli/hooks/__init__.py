"""Hooks of agent CLIs: what a session starts with, and what is captured from it."""
