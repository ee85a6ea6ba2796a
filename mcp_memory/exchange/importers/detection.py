"""Format detection: which format reads which file of a folder or an archive, where several tools are mixed."""

from collections.abc import Iterator, Sequence
from importlib import import_module

from mcp_memory.errors import InvalidInput
from mcp_memory.exchange import importers
from mcp_memory.exchange.importers.generic import holds_memories
from mcp_memory.exchange.importers.markdown import MARKDOWN
from mcp_memory.exchange.importers.parsed import File, Malformed, Package, ReadProblem, ReadResult, Skipped

EXPORTS = ("mem0", "chatgpt", "claude")
"""Formats of a whole: what lies beside or below the file that tells them belongs to the export."""
NAMED = 5


def packages_by_format(package: Package) -> dict[str, list[Package]]:
    """Return the packages by the format that reads them. Raises InvalidInput where nothing is recognised."""
    if not package.whole:
        return {importers.recognise(package): [package]}
    found: dict[str, list[Package]] = {}
    rest = list(package.files)
    for name, export in _exports(package):
        found.setdefault(name, []).append(export)
        rest = [file for file in rest if file not in export.files]
    alone = [(file, _format(package.name, file)) for file in rest]
    if notes := [file for file, name in alone if name == "markdown"]:
        whole = Package(package.name, notes, whole=True)
        found.setdefault(importers.recognise(whole), []).append(whole)
    for file, name in alone:
        if name not in ("", "markdown"):
            found.setdefault(name, []).append(Package(package.name, [file], whole=False))
    return found or {importers.recognise(package): [package]}


def read(name: str, packages: Sequence[Package]) -> Iterator[ReadResult]:
    """Yield the records of packages of one format; a package that fails as a whole becomes one problem."""
    for package in packages:
        try:
            yield from importers.reader(name)(package)
        except Malformed as problem:
            where = package.name if package.whole or not package.files else package.files[0].name
            yield ReadProblem(where, str(problem))


def unread_files(package: Package, sorted_: dict[str, list[Package]]) -> list[Skipped]:
    """List the files that no format reads, except those known to lie in an export beside its data."""
    if not package.whole:
        return []
    read_ = [part for parts_ in sorted_.values() for part in parts_]
    known = {file.name for part in read_ for file in part.files}
    names = [file.name for file in package.files if file.name not in known]
    if not any(part.whole for name in EXPORTS for part in sorted_.get(name, ())):
        names += package.others
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return [Skipped(f"no format reads {', '.join(names[:NAMED])}{more}") for _ in names]


def _exports(package: Package) -> Iterator[tuple[str, Package]]:
    """Yield the exports inside, each with everything in its folder."""
    telling = [file for file in package.files if file.suffix == ".json" and _tells(file.base.lower())]
    folders = sorted({file.name.rpartition("/")[0] for file in telling}, key=lambda name: (len(name), name))
    claimed: list[str] = []
    for folder in folders:
        if any(folder == above or folder.startswith(f"{above}/") or not above for above in claimed):
            continue
        inside = [file for file in package.files if not folder or file.name.startswith(f"{folder}/")]
        export = Package(package.name, inside, whole=True)
        for name in EXPORTS:
            if import_module(importers.FOREIGN[name]).recognises(export):
                claimed.append(folder)
                yield name, export
                break


def _tells(base: str) -> bool:
    return base == "memories.json" or base.startswith("conversations")


def _format(name: str, file: File) -> str:
    """Name the format of one file of a folder; empty where none reads it."""
    alone = Package(name, [file], whole=False)
    if import_module(importers.FOREIGN["rules"]).recognises(alone):
        return "rules"
    if file.suffix in MARKDOWN:
        return "markdown"
    try:
        if importers.ours(file.data[: importers.HEAD]):
            return ""
        found = importers.recognise(alone)
    except InvalidInput:
        return ""
    except Malformed:  # which its reader tells
        return "text"
    return found if found != "records" or holds_memories(file) else ""
