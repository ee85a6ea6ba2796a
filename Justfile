# What a contributor runs. `uvx --from rust-just just` where just is not installed.

# The test suite (`just test -n 2 --dist loadfile` on two cores at once); `just clients` for the proofs with other programs.
test *options:
    uv run pytest {{options}}

# The proofs with other clients, the conformance suite, the bundle, and whole turns of agents; needs the network.
clients *options:
    uv run pytest -m "clients or agents" {{options}}

# Format, lint, types, and the parts of the documentation that are made from the code.
lint:
    uv run ruff format --check
    uv run ruff check
    uv run pyright
    uv run cog --check `grep -rlF '[[[cog' README.md docs`

# Put right what can be put right by itself.
fix:
    uv run ruff format
    uv run ruff check --fix
    uv run cog -r `grep -rlF '[[[cog' README.md docs`

# What the front answers, from what the server answers; to be made anew when a tool, the version or the SDK changes.
snapshot:
    uv run python -m mcp_memory.server.stdio.snapshot

# The wheel, with the encoder in it.
wheel:
    uv build --wheel

# The one-click bundle for Claude Desktop, with the encoder in it.
bundle *options:
    uv run python -m release.bundle {{options}}

# A benchmark of bench/: `just bench locomo --data DIR`.
bench name *options:
    uv run python -m bench.{{name}} {{options}}

# Build the bundled encoder from its published weights.
model:
    uv run python models/all-minilm-l6-v2/build.py

# Remember in one process, recall in another.
demo:
    uv run mcp-memory demo
