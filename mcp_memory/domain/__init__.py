"""What a memory is: sources, items, topics, revisions, operations and the steps that change them."""
