"""The policies for a secret in what is to be remembered."""

from typing import Literal, TypeAlias

from mcp_memory.errors import InvalidInput

Policy: TypeAlias = Literal["mask", "keep", "refuse"]
"""A mask takes its place; it is stored as it is; or the call is refused as a whole."""
POLICIES: tuple[Policy, ...] = ("mask", "keep", "refuse")


def read_policy(text: str) -> Policy:
    word = text.strip().lower()
    if word not in POLICIES:
        raise InvalidInput(f"--secrets {text} is none of {', '.join(POLICIES)}.")
    return word
