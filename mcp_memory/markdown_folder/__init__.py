"""A folder of Markdown pages in step with the store."""
