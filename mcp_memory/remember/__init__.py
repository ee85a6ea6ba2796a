"""From what was said to a plan: create, confirm or revise."""
