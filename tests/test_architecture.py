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
    *("errors", "language", "domain", "store", "encoders", "privacy", "exchange", "remember", "recall", "render"),
    *("topics", "maintenance", "sqlite", "markdown_folder", "bulk_import", "recall_answer", "undo", "memory"),
    *("server", "cli", "start", "__init__", "__main__"),
)
"""Folders, and the modules beside them, from the ground up: each imports from those before it, and its own."""

HOMES = {
    "apsw": "sqlite",
    "sqlite_vec": "sqlite",
    "keyring": "sqlite.files.cipher",
    "onnxruntime": "encoders.onnx",
    "tokenizers": "encoders.onnx",
    "mcp": "server cli.demo",
    "mcp_types": "server.stdio.snapshot",
    "pydantic": "server.stdio",
    "anyio": "server cli.demo",
    "starlette": "server.http",
    "uvicorn": "server.http",
    "click": "cli",
    "platformdirs": "server.config",
    "dateparser": "language.dates.fallback",
    "Stemmer": "language.stemming",
    "tomlkit": "cli.clients.toml",
    "ruamel": "cli.clients.editing exchange.importers.markdown",
}
"""Where each third-party package may be imported. numpy is a vector's type, and at home wherever vectors are."""

MAX_ROOT = 11
"""Modules beside the folders."""
MAX_CHAIN = 15
"""Modules in the longest chain of imports."""
MAX_LAZY = 40
"""Imports inside functions. Each buys a measured part of the start, and a comment says which."""
MAX_MODULE = 500
MAX_FUNCTION = 60
MAX_MOST = 40
"""Lines that 95 of 100 functions stay within."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(file): file for file in FILES}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, wherever in it the import stands."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner.removeprefix("mcp_memory.") in MODULES else node.module


@cache
def own_imports(name: str) -> frozenset[str]:
    own = {other.removeprefix("mcp_memory.") for other in imports(MODULES[name]) if other.startswith("mcp_memory.")}
    return frozenset(own - {name})


def functions(file: Path) -> list[Function]:
    return [node for node in ast.walk(tree(file)) if isinstance(node, Function)]


def length(node: Function) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def layer(name: str) -> int:
    return LAYERS.index(name.partition(".")[0])


def chain(name: str, above: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the longest chain of imports that begins with a module. Fails on a cycle."""
    assert name not in above, f"a cycle of imports: {[*above[above.index(name) :], name]}"
    if name not in _chains:
        longest = max((chain(other, (*above, name)) for other in own_imports(name)), key=len, default=())
        _chains[name] = (name, *longest)
    return _chains[name]


_chains: dict[str, tuple[str, ...]] = {}


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    assert {other for other in own_imports(name) if layer(other) > layer(name)} == set()


def test_few_modules_stand_beside_the_folders() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_ROOT


def test_no_chain_of_imports_is_long_and_none_is_a_cycle() -> None:
    longest = max((chain(name) for name in MODULES), key=len)

    assert len(longest) <= MAX_CHAIN, longest


def test_few_imports_stand_inside_functions() -> None:
    lazy = {
        (name, node.lineno)
        for name, file in MODULES.items()
        for function in functions(file)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert len(lazy) <= MAX_LAZY


@pytest.mark.parametrize("name", MODULES)
def test_third_parties_are_imported_at_home(name: str) -> None:
    foreign = {module.partition(".")[0] for module in imports(MODULES[name])}
    foreign -= {*sys.stdlib_module_names, "mcp_memory", "numpy"}

    strays = {
        package
        for package in foreign
        if not any(name == home or name.startswith(f"{home}.") for home in HOMES.get(package, "").split())
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


@pytest.mark.parametrize("name", MODULES)
def test_nothing_prints(name: str) -> None:
    prints = [
        node.lineno
        for node in ast.walk(tree(MODULES[name]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert prints == []
