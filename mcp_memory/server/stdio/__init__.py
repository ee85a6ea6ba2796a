"""The stdio transport, and the early responder that answers before the SDK is imported."""
