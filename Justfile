# Commands for contributors; `uvx --from rust-just just` runs them where just is not installed.

# Run the test suite (`just test -n 2 --dist loadfile` on two cores); `just clients` runs the tests with other programs.
test *options:
    uv run pytest {{options}}

# Run the suite with 2.5 times as many examples of each property.
test-deep *options:
    uv run pytest --hypothesis-profile=deep {{options}}

# Run the tests with other clients and agents, the conformance suite and the bundle; needs the network.
clients *options:
    uv run pytest -m "clients or agents" {{options}}

# Format, lint, types, the generated parts of the documentation, and the schemas of .github.
lint:
    uv run ruff format --check
    uv run ruff check
    uv run pyright
    uv run cog --check `grep -rlF '[[[cog' README.md docs`
    uv run check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
    uv run check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
    uv run check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml

# Fix what can be fixed automatically.
fix:
    uv run ruff format
    uv run ruff check --fix
    uv run cog -r `grep -rlF '[[[cog' README.md docs`

# Regenerate the snapshot of early responses after a change of tools, prompts, resources, version or SDK.
snapshot:
    uv run python -m mcp_memory.server.stdio.snapshot

# Build the wheel, including the encoder.
wheel:
    uv build --wheel

# Build the one-click bundle for Claude Desktop, including the encoder.
bundle *options:
    uv run python -m release.bundle {{options}}

# Convert the vendor secret patterns of a gitleaks.toml: `just secret-rules gitleaks.toml --version v8.30.1`.
secret-rules *options:
    uv run python -m release.secret_rules {{options}}

# Run a benchmark from bench/: `just bench locomo --data DIR`.
bench name *options:
    uv run python -m bench.{{name}} {{options}}

# Install the versions of requirements-dev.txt, as CI does; `UV_NO_SYNC=1 just test` runs the suite with them.
sync:
    uv venv --allow-existing
    uv pip sync requirements-dev.txt
    uv pip install --no-deps --editable .
    uv pip check

# Renew the versions of requirements-dev.txt.
versions:
    uv pip compile --quiet --upgrade --universal --all-extras --group dev --no-annotate --custom-compile-command "just versions" pyproject.toml -o requirements-dev.txt

# Build the bundled encoder from its published weights.
model:
    uv run python models/all-minilm-l6-v2/build.py

# Remember in one process, recall in another.
demo:
    uv run mcp-memory demo
