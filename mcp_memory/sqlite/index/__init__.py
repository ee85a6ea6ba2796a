"""Search over items: words, vectors, dates and topics."""
