"""`python -m mcp_memory` does what `mcp-memory` does."""

from mcp_memory.cli import main

main(prog_name="mcp-memory")
