"""A reminder where the user asked for something to be remembered and the model did not call remember."""

import json
import re
from collections.abc import Mapping
from typing import Any

from mcp_memory.cli.hooks import transcripts

REMINDER = (
    "The user asked for something to be remembered, and no memory was written. If it is worth keeping for later "
    "sessions, call the remember tool of mcp-memory now, then stop; if there is nothing to keep, just stop."
)
MEMORY_TOOLS = ("remember", "update", "forget")

LOOKED_AT = 1_500
"""Characters of a message that are looked at, from its start: what comes after is most often pasted."""

_ASKED = re.compile(
    r"\b(?:remember|memori[sz]e|keep in mind|don'?t forget|make a note|note (?:down|that|for))\b"
    r"|\bfrom now on\b|\b(?:merk(?:e)? dir|denk daran|vergiss nicht|ab jetzt)\b"
    r"|\b(?:souviens-toi|rappelle-toi|retiens|n'oublie pas|désormais)\b"
    r"|\b(?:recuerda|no olvides|ten en cuenta|a partir de ahora)\b"
    r"|\b(?:ricorda(?:ti)?|non dimenticare|lembre-se|não (?:se )?esqueça)\b"
    r"|记住|記住|别忘|覚えて|忘れないで|기억해|잊지 마",
    re.IGNORECASE,
)
_RECALLING = re.compile(
    r"\b(?:do|did|does|don't|didn't|can't|cannot|couldn't|i|we|if|as|still)\s+(?:you\s+|i\s+|we\s+)?(?:still\s+)?remember\b"
    r"|\bremember(?:ed|s)? (?:when|how|what|which|where|who|if|whether|why)\b",
    re.IGNORECASE,
)


def stop(event: Mapping[str, Any]) -> str | None:
    """Return one reminder where the user asked explicitly for something to be remembered and it was not; else None."""
    path = transcripts.file_of(event)
    if event.get("stop_hook_active") or path is None:
        return None
    request, tools = transcripts.last_request(
        transcripts.said(transcripts.read_lines(path, tail=transcripts.TAIL_BYTES))
    )
    if not asks_to_remember(request) or any(tool.endswith(MEMORY_TOOLS) for tool in tools):
        return None
    return json.dumps({"decision": "block", "reason": REMINDER})


def asks_to_remember(text: str) -> bool:
    """Return whether a text asks for something to be remembered, rather than mentions remembering.

    >>> asks_to_remember("Remember that we deploy on Fridays."), asks_to_remember("Do you remember the port?")
    (True, False)
    """
    return bool(_ASKED.search(_RECALLING.sub(" ", text[:LOOKED_AT])))
