"""Text as words, sentences, tokens, languages and dates."""
