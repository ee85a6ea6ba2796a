"""Claude Code's hooks: the context of a session and of a prompt, and what is stored before compaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mcp_memory.cli.hooks import transcripts
from mcp_memory.cli.hooks.transcripts import Said
from mcp_memory.domain.model import USER, Filter, Hit, Turn
from mcp_memory.language.dates.periods import zone_offset
from mcp_memory.render import packing, session_context
from mcp_memory.render import session_start as render_session_start
from mcp_memory.sqlite.quick_reader import QuickReader

SESSION_TOKENS = 1_000
"""Of a session's start: half of what recall gives, since it is paid in every session."""
PROMPT_TOKENS = 300
PROMPT_HITS = 3
PROMPT_CHARACTERS = 1_500
"""Of a prompt that are searched for, from its start: what comes after is most often pasted."""
SHARE = 0.3
SHARED_WORDS = 2
"""Share of a prompt's words, by their rarity (see QuickReader.found), and number of its words, unless it has fewer, from which
a memory comes with it. Of 600 questions that have nothing to do with a conversation of LoCoMo .008 get anything then, of
197 about it .47 get the very turn that answers; with a share of .2 it is .033 and .52, with three words .002 and .34
(python -m bench.hooks --data DIR, 2026-11-21). What comes unasked must rather be missing than be noise."""
TOPICS = 5
LEAD = "From mcp-memory, by the words of this prompt (recall finds by meaning too):"
ORIGIN = "Claude Code session"


def session_start(event: Mapping[str, Any], reader: QuickReader, *, scopes: Sequence[str], now: datetime) -> str | None:
    """Return the core context, as recall gives it without a query; None for a resumed session."""
    if event.get("source") == "resume":
        return None
    where = Filter(scopes=tuple(scopes), zone_offset=zone_offset(now))
    gathered, handed_in = reader.topics(scopes=scopes, limit=TOPICS)
    topics = session_context.with_kept_digests(gathered, handed_in, scopes=scopes, limit=TOPICS)
    parts = render_session_start.core(reader, where=where, topics=topics, now=now)
    if not any(part.lines for part in parts):
        return None
    packed = session_context.pack(
        parts, max_tokens=SESSION_TOKENS, limit=None, total=reader.count(where=where), now=now
    )
    return _added("SessionStart", packed.text)


def prompt(event: Mapping[str, Any], reader: QuickReader, *, scopes: Sequence[str], now: datetime) -> str | None:
    """Return memories about a prompt's words that this conversation was not shown yet; most often None."""
    words = str(event.get("prompt", ""))[:PROMPT_CHARACTERS].strip()
    if not words or words[0] in "/!#":
        return None
    where = Filter(scopes=tuple(scopes), zone_offset=zone_offset(now))
    hits = likely(reader.found(words, where=where))
    if hits and (path := transcripts.file_of(event)):
        shown = transcripts.shown_ids(transcripts.read_lines(path, tail=transcripts.TAIL_BYTES))
        hits = [hit for hit in hits if hit.item.id not in shown]
    if not hits:
        return None
    packed = packing.pack(hits[:PROMPT_HITS], max_tokens=PROMPT_TOKENS, now=now)
    return _added("UserPromptSubmit", f"{LEAD}\n{packed.text}")


def likely(hits: Sequence[Hit]) -> list[Hit]:
    """Return the hits that are likely about a prompt: those that share much of it, and more than one word."""
    return [hit for hit in hits if hit.score >= SHARE and hit.parts["words"] >= min(SHARED_WORDS, hit.parts["asked"])]


def unkept(event: Mapping[str, Any], reader: QuickReader) -> tuple[list[Said], str]:
    """Return the exchanges of a session that are not stored yet, and the source name to store them under.

    The name ends with the id of the last message, so that the next call begins after it.
    """
    path = transcripts.file_of(event)
    if path is None:
        return [], ""
    messages = transcripts.exchanges(transcripts.said(transcripts.read_lines(path)))
    name = f"{ORIGIN} {event.get('session_id', '')}"
    first = 0
    for place in reversed(range(len(messages))):
        if reader.has_source(f"{name}, to {messages[place].id}"):
            first = place + 1
            break
    new = messages[first:]
    return (new, f"{name}, to {new[-1].id}") if any(message.role == "user" for message in new) else ([], "")


def turns(messages: Sequence[Said]) -> list[Turn]:
    return [Turn(message.text, message.role, message.at) for message in messages]


def scopes_of(project: str | None) -> tuple[str, ...]:
    return (USER, project) if project else (USER,)


def _added(event: str, text: str) -> str:
    return json.dumps({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}, ensure_ascii=False)
