"""The nouns of a memory: sources, items, topics, revisions, operations and the steps that change them."""
