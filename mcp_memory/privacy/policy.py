"""Policies: what may become of a secret in what is to be remembered."""

from typing import Literal, TypeAlias

from mcp_memory.errors import InvalidInput

Policy: TypeAlias = Literal["mask", "keep", "refuse"]
"""A mask takes its place; it is kept as it is; or nothing of the call is."""
POLICIES: tuple[Policy, ...] = ("mask", "keep", "refuse")


def read_policy(text: str) -> Policy:
    """Raises InvalidInput naming the policies there are."""
    word = text.strip().lower()
    if word not in POLICIES:
        raise InvalidInput(f"--secrets {text} is none of {', '.join(POLICIES)}.")
    return word
