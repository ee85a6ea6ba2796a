"""Compare a new statement with a stored one: what it replaces, denies or probably changes."""
