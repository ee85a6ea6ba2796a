"""Five kinds of error, which each interface maps to its own form."""

from typing import ClassVar


class MemoryProblem(Exception):
    """A request that could not be carried out; nothing was written.

    The message names the thing and the way out, in words a model or a person can act on.
    """

    code: ClassVar[str] = "internal"


class InvalidInput(MemoryProblem):
    """An argument, an option or a given file's content is not usable as it stands."""

    code = "invalid"


class NotFound(MemoryProblem):
    """Nothing of that id or name is in the store."""

    code = "not_found"


class Conflict(MemoryProblem):
    """The store changed underneath, or another process holds it."""

    code = "conflict"


class ReadOnly(MemoryProblem):
    """The store may be read but not written."""

    code = "read_only"


class Unusable(MemoryProblem):
    """The file or the encoder cannot serve: not a memory file, a newer schema, damaged, out of space."""

    code = "unusable"


class Damaged(Unusable):
    """SQLite found the file damaged."""


class WrongKey(Unusable):
    """The file is encrypted under another key than those that were found."""


class Replaced(Unusable):
    """Another file stands where the store's was: it has to be opened again."""


class Repaired(Conflict):
    """The file's indexes were damaged and have been rebuilt from what is remembered: the request may be repeated."""
