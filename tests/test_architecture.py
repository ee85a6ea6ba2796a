"""The shape of the code: which way imports point, where each third party lives, how long things may be."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mcp_memory"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    ("errors", "ids", "common_pairs", "allocator", "logs", "faults", "handshake", "bm25", "transcripts"),
    ("front", "wire"),
    ("policies",),
    (
        "text",
        "speech",
        "scopenames",
        "speech",
        "scopenames",
        "times",
        "projects",
        "tongues",
        "lexicon",
        "figures",
        "sizes",
        "injections",
        "untrusted",
        "permissions",
    ),
    ("languages",),
    ("domain", "foreign_dates", "phrases", "backups"),
    ("eastern", "results", "truth", "merged", "worded_secrets"),
    ("told_codes",),
    ("moments",),
    ("exporters.jsonl",),
    ("exporters.graph",),
    ("importers.jsonl",),
    ("importers.given",),
    ("importers.graph", "importers.memory_service", "importers.mem0", "importers.letta", "importers.markup"),
    ("importers.chatgpt", "importers.claude", "importers.tables", "importers.notes", "importers.texts"),
    ("importers.rules", "importers.memory_folder", "importers.basic_memory"),
    ("exporters", "importers", "unpacking", "markdown", "filenames"),
    ("folders", "importers.sorting"),
    ("mirrored",),
    ("outward",),
    ("statements", "secret_shapes", "undertakings", "chatter", "matters"),
    ("sorts",),
    ("framing", "naming"),
    ("changes",),
    ("successions", "rewordings"),
    ("comparing",),
    ("interaction", "strength", "guarding", "origins", "updating", "kindred"),
    ("ranking", "summarize", "compose", "topics", "toolcalls", "dated"),
    ("recital", "outcomes"),
    ("dedupe", "versions", "intake", "history", "context", "paging"),
    ("opening",),
    ("requests", "topicindex"),
    ("store", "encoders"),
    ("encoders.hashing", "encoders.onnx", "encoders.background"),
    ("sqlite", "sqlite.place", "sqlite.schema"),
    (
        "sqlite.vectors",
        "sqlite.rows",
        "sqlite.cipher",
        "sqlite.leftovers",
        "sqlite.wording",
        "sqlite.quota",
        "sqlite.brought",
    ),
    ("sqlite.database", "sqlite.indexed", "sqlite.topicrows", "sqlite.usage", "sqlite.listing"),
    (
        "sqlite.resident",
        "sqlite.redaction",
        "sqlite.undo",
        "sqlite.together",
        "sqlite.agreement",
        "sqlite.compacting",
        "sqlite.salvage",
        "sqlite.rerooting",
    ),
    ("sqlite.search", "sqlite.clusters", "sqlite.toolhistory", "sqlite.erasing", "sqlite.clashes", "sqlite.heading"),
    ("sqlite.lineage", "sqlite.counting", "sqlite.retold"),
    ("sqlite.steps", "sqlite.glance", "sqlite.records", "sqlite.merging"),
    ("sqlite.upkeep", "sqlite.rebuilding", "sqlite.gaps"),
    ("sqlite.rewriting",),
    ("sqlite.beside",),
    ("sqlite.mending", "sqlite.moving"),
    ("sqlite.restoring", "sqlite.migrating"),
    ("sqlite.store",),
    ("measuring", "understood", "past"),
    ("recalling", "remembering", "catchup", "uses"),
    ("digesting", "auditing", "bringing"),
    ("gathering", "folding"),
    ("mirroring",),
    ("answering", "upkeep"),
    ("memory", "hooks", "reminding"),
    ("arguments", "resources", "prompts", "hosting"),
    ("tools", "callers"),
    ("server",),
    ("config", "demo", "snapshot", "tokens", "http"),
    ("serving",),
    (
        "clients",
        "clients.jsonc",
        "clients.toml",
        "clients.machine",
        "clients.launch",
        "clients.blocks",
        "clients.files",
    ),
    ("clients.documents",),
    ("clients.catalogue", "clients.settings_hooks"),
    ("clients.entries",),
    ("clients.planning",),
    ("cli.wiring", "cli.numbers"),
    ("cli.importing", "cli.serving", "cli.mirroring"),
    ("cli.verbs", "cli.topics", "cli.upkeep", "cli.encryption", "cli.keeping", "cli.moving", "cli.setup", "cli.hook"),
    ("cli",),
    ("start",),
    ("__init__", "__main__"),
)
"""From the lowest up. A module imports from the layers below its own, and from none beside or above it."""

HOMES = {
    "apsw": ("sqlite",),
    "sqlite_vec": ("sqlite",),
    "keyring": ("sqlite.cipher",),
    "onnxruntime": ("encoders.onnx",),
    "tokenizers": ("encoders.onnx",),
    "mcp": ("server", "callers", "http", "wire", "demo", "snapshot"),
    "mcp_types": ("snapshot",),
    "pydantic": ("wire",),
    "anyio": ("server", "callers", "wire", "demo", "snapshot"),
    "starlette": ("http",),
    "uvicorn": ("http",),
    "click": ("cli", "demo"),
    "platformdirs": ("config",),
    "dateparser": ("foreign_dates",),
    "tomlkit": ("clients.toml",),
    "ruamel": ("clients.documents", "importers.markup"),
}
"""Where each third-party package may be imported. numpy is a vector's type, and at home wherever vectors are."""

PROTOCOL = {
    "list_tools",
    "call_tool",
    "list_resources",
    "list_resource_templates",
    "read_resource",
    "list_prompts",
    "get_prompt",
}
"""The server's answers to requests that the protocol names and describes."""

MAX_MODULE = 500
MAX_FUNCTION = 60
MAX_MOST = 40
"""Lines that 95 of 100 functions stay within."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(file): file for file in FILES}
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def imports(file: Path) -> Iterator[str]:
    """The dotted names a module imports, wherever in it the import stands."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner.removeprefix("mcp_memory.") in MODULES else node.module


def own_imports(file: Path) -> set[str]:
    return {name.removeprefix("mcp_memory.") for name in imports(file) if name.startswith("mcp_memory.")}


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_every_module_has_a_layer() -> None:
    assert MODULES.keys() == RANK.keys()


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    upward = {other for other in own_imports(MODULES[name]) if RANK[other] >= RANK[name]}

    assert upward == set()


@pytest.mark.parametrize("name", MODULES)
def test_third_parties_are_imported_at_home(name: str) -> None:
    foreign = {module.partition(".")[0] for module in imports(MODULES[name])}
    foreign -= {*sys.stdlib_module_names, "mcp_memory", "numpy"}

    strays = {
        package
        for package in foreign
        if not any(name == home or name.startswith(f"{home}.") for home in HOMES.get(package, ()))
    }

    assert strays == set()


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_functions_stay_short(name: str) -> None:
    lines = len(MODULES[name].read_text("utf-8").splitlines())
    long = {node.name: length(node) for node in functions(MODULES[name]) if length(node) > MAX_FUNCTION}

    assert lines <= MAX_MODULE
    assert long == {}


def test_nearly_all_functions_are_much_shorter() -> None:
    lengths = sorted(length(node) for file in FILES for node in functions(file))

    assert lengths[len(lengths) * 95 // 100] <= MAX_MOST


@pytest.mark.parametrize("name", MODULES)
def test_a_module_begins_with_one_sentence_on_what_it_knows(name: str) -> None:
    docstring = ast.get_docstring(tree(MODULES[name])) or ""

    assert docstring.splitlines()[:1] != []
    assert docstring.splitlines()[0].endswith(".")


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def promised() -> set[str]:
    """The methods that the Store contract documents."""
    [contract] = [node for node in tree(MODULES["store"]).body if isinstance(node, ast.ClassDef)]
    return {node.name for node in contract.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_says_what_it_gives(name: str) -> None:
    exempt = {"sqlite.store": promised(), "server": PROTOCOL}.get(name, set())

    silent = {node.name for node in public(tree(MODULES[name]).body) if not ast.get_docstring(node)} - exempt

    assert silent == set()


@pytest.mark.parametrize("name", MODULES)
def test_nothing_prints(name: str) -> None:
    prints = [
        node.lineno
        for node in ast.walk(tree(MODULES[name]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert prints == []


def test_the_store_does_all_the_contract_promises() -> None:
    [store] = [
        node
        for node in tree(MODULES["sqlite.store"]).body
        if isinstance(node, ast.ClassDef) and node.name == "SqliteStore"
    ]

    assert promised() <= {node.name for node in store.body if isinstance(node, ast.FunctionDef)}
