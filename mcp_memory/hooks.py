"""Hooks: what Claude Code is told at the start of a session, with a prompt, before it compacts and when it stops."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mcp_memory import compose, context, opening, transcripts
from mcp_memory.domain import USER, Filter, Hit, Turn
from mcp_memory.sqlite.glance import Glance
from mcp_memory.transcripts import Said

SESSION_TOKENS = 1_000
"""Of a session's start: half of what recall gives, since it is paid in every session."""
PROMPT_TOKENS = 300
"""Of what comes with a prompt."""
PROMPT_HITS = 3
PROMPT_CHARACTERS = 1_500
"""Of a prompt that are searched for, from its start: what comes after is most often pasted."""
SHARE = 0.3
"""Share of a prompt's words, by their rarity, from which a memory comes with it (see Glance.found)."""
SHARED_WORDS = 2
"""Words that a memory must share with a prompt at least, unless the prompt has but one."""
TOPICS = 5
LEAD = "From mcp-memory, by the words of this prompt (recall finds by meaning too):"
ORIGIN = "Claude Code session"
REMINDER = (
    "The user asked for something to be remembered, and no memory was written. If it is worth keeping for later "
    "sessions, call the remember tool of mcp-memory now, then stop; if there is nothing to keep, just stop."
)
MEMORY_TOOLS = ("remember", "update", "forget")

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
    r"\b(?:do|did|can|could|if|as|don't|cannot|can't|what|who|i|we|you|to)\s+(?:\w+\s+)?remember\b|remember(?:ed|s)? (?:when|how we|what we|if)\b",
    re.IGNORECASE,
)


def session_start(event: Mapping[str, Any], glance: Glance, *, scopes: Sequence[str], now: datetime) -> str | None:
    """The core context, as recall gives it without a query; nothing for a session that goes on with what it had."""
    if event.get("source") == "resume":
        return None
    where = Filter(scopes=tuple(scopes), zone_offset=compose.zone_offset(now))
    gathered, handed_in = glance.topics(scopes=scopes, limit=TOPICS)
    topics = context.told_topics(gathered, handed_in, scopes=scopes, limit=TOPICS)
    parts = opening.core(glance, where=where, topics=topics, now=now)
    if not any(part.lines for part in parts):
        return None
    packed = context.pack(parts, max_tokens=SESSION_TOKENS, limit=None, total=glance.count(where=where), now=now)
    return _added("SessionStart", packed.text)


def prompt(event: Mapping[str, Any], glance: Glance, *, scopes: Sequence[str], now: datetime) -> str | None:
    """What is remembered about the words of a prompt and was not shown in this conversation; most often nothing."""
    words = str(event.get("prompt", ""))[:PROMPT_CHARACTERS].strip()
    if not words or words[0] in "/!#":
        return None
    where = Filter(scopes=tuple(scopes), zone_offset=compose.zone_offset(now))
    hits = likely(glance.found(words, where=where))
    if hits and (path := _transcript(event)):
        shown = transcripts.shown_ids(transcripts.read_lines(path, tail=transcripts.TAIL_BYTES))
        hits = [hit for hit in hits if hit.item.id not in shown]
    if not hits:
        return None
    packed = compose.pack(hits[:PROMPT_HITS], max_tokens=PROMPT_TOKENS, now=now)
    return _added("UserPromptSubmit", f"{LEAD}\n{packed.text}")


def likely(hits: Sequence[Hit]) -> list[Hit]:
    """Of what shares words with a prompt, what is likely to be about it: a large share, and not by one word alone."""
    return [
        hit
        for hit in hits
        if hit.score >= SHARE and (hit.parts["words"] >= SHARED_WORDS or hit.parts["words"] == hit.parts["asked"])
    ]


def stop(event: Mapping[str, Any]) -> str | None:
    """One reminder where the user asked in so many words for something to be remembered, and it was not; else nothing."""
    path = _transcript(event)
    if event.get("stop_hook_active") or path is None:
        return None
    request, tools = transcripts.last_request(
        transcripts.said(transcripts.read_lines(path, tail=transcripts.TAIL_BYTES))
    )
    if not asks_to_remember(request) or any(tool.endswith(MEMORY_TOOLS) for tool in tools):
        return None
    return json.dumps({"decision": "block", "reason": REMINDER})


def asks_to_remember(text: str) -> bool:
    """Whether somebody says that something is to be remembered, and not that they or another do remember.

    >>> asks_to_remember("Remember that we deploy on Fridays."), asks_to_remember("Do you remember the port?")
    (True, False)
    """
    return bool(_ASKED.search(_RECALLING.sub(" ", text[:PROMPT_CHARACTERS])))


def unkept(event: Mapping[str, Any], glance: Glance) -> tuple[list[Said], str]:
    """The exchanges of a session that are not kept yet, and under which name to keep them; none where there are none.

    The name ends with the id of the last message, so that the next time begins after it.
    """
    path = _transcript(event)
    if path is None:
        return [], ""
    messages = transcripts.exchanges(transcripts.said(transcripts.read_lines(path)))
    name = f"{ORIGIN} {event.get('session_id', '')}"
    first = 0
    for place in reversed(range(len(messages))):
        if glance.has_source(f"{name}, to {messages[place].id}"):
            first = place + 1
            break
    new = messages[first:]
    return (new, f"{name}, to {new[-1].id}") if any(message.role == "user" for message in new) else ([], "")


def turns(messages: Sequence[Said]) -> list[Turn]:
    """Messages as a conversation to remember."""
    return [Turn(message.text, message.role, message.at) for message in messages]


def scopes_of(project: str | None) -> tuple[str, ...]:
    """Where a session looks: what is about the person, and its project."""
    return (USER, project) if project else (USER,)


def _added(event: str, text: str) -> str:
    """What Claude Code puts into the conversation as context."""
    return json.dumps({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}, ensure_ascii=False)


def _transcript(event: Mapping[str, Any]) -> Path | None:
    path = Path(str(event.get("transcript_path") or "."))
    return path if path.is_file() else None
