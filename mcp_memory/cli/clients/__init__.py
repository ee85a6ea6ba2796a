"""MCP clients: where each keeps its configuration, and how this server is written into it and taken out again."""
