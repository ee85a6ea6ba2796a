"""Items clustered into topics, and extractive digests of them."""
