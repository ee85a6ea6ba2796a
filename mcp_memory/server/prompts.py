"""The prompts that clients may offer: begin a session with what is known, reflect on what is worth keeping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcp_memory.domain.model import Caller
from mcp_memory.errors import InvalidInput
from mcp_memory.memory import Memory
from mcp_memory.privacy.sanitizing import line


@dataclass(frozen=True, slots=True)
class Prompt:
    name: str
    title: str
    description: str
    arguments: Mapping[str, str]


PROMPTS = (
    Prompt("begin", "Begin with what is known", "Load the core context.", {"subject": "what the session is about"}),
    Prompt("reflect", "Reflect", "Decide what of this conversation is worth keeping, and remember it.", {}),
)

REFLECT = """\
Look back over this conversation and decide what is worth keeping for later sessions.
Keep what will still matter: preferences, facts about me or the project, decisions with their reasons, dates, \
procedures that worked, open questions.
Leave out small talk, what is already remembered, what anyone can look up, and secrets.
Call recall first to see what is known about these subjects.
Then call remember once with items: one self-contained sentence each, with names and absolute dates, and a fitting kind.
Where a memory is out of date, use update or replaces with its id.
At the end tell me in a few lines what you kept.
"""


def compose_prompt(name: str, arguments: Mapping[str, str], memory: Callable[[], Memory], *, caller: Caller) -> str:
    """Return the text of a prompt with its context filled in. Raises InvalidInput for an unknown prompt."""
    if name == "reflect":
        return REFLECT
    if name != "begin":
        raise InvalidInput(f"There is no prompt {name!r}. The prompts are {', '.join(p.name for p in PROMPTS)}.")
    known = memory().recall(by=caller).text
    parts = ["This is what you remember from earlier sessions. Use it where it helps.", known]
    if subject := arguments.get("subject", "").strip():
        parts += [f"On the subject of this session, {line(subject)}:", memory().recall(subject, by=caller).text]
    return "\n\n".join(parts)
