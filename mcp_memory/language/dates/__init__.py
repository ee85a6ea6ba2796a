"""Time expressions in text, resolved to periods."""
