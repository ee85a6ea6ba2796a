"""`python -m mcp_memory` does what `mcp-memory` does."""

from mcp_memory.start import main

main()
