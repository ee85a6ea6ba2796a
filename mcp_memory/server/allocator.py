"""Returning freed memory to the operating system."""

import ctypes
import sys
from contextlib import suppress

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
ARENAS = 1
"""Heaps of glibc's malloc, of which else each thread gets one of its own, up to eight a core.

After 500 mixed calls at 100,000 items the server holds 247 MB with glibc's own settings, 222 with two heaps, 207 with one
and KEPT at 1,000,000 (python -m bench.soak, 2026-11-21); Python's lock lets one thread at a time allocate anyway.
"""
KEPT = 131_072
"""Free bytes at the top of the heap from which on they are given back, and size from which on a block is mapped by itself.

This is glibc's own beginning, from which it would drift to 32 MB with the sizes it sees: then the arrays of searches lie
between small blocks, and what they leave free is never whole enough to be given back. 1,800 mixed calls at 100,000 items
end with 238 MB and 19 of them free in heaps where it is 1,000,000, with 221 MB and 9 where it is this, as fast.
"""


def keep_little() -> None:
    """Tell glibc to give freed memory back. Call before there are threads; does nothing elsewhere."""
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):  # musl has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((M_ARENA_MAX, ARENAS), (M_TRIM_THRESHOLD, KEPT), (M_MMAP_THRESHOLD, KEPT)):
            mallopt(parameter, value)
