"""Sanitizing of text that is shown: invisible characters become visible, and nothing ends the fence, takes a role or loads.

Stored text stays as it came. Every function is idempotent.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from mcp_memory.language.scripts import HAN

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f"
"""C0 and C1 but for tab, newline and NEL, which is white space."""
_JOINERS = "\u200c\u200d"
_DIRECTION = "\u200e\u200f\u061c"
_BIDI = "\u202a-\u202e\u2066-\u2069\u206a-\u206f"
_BLANK = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u3164\ufeff\uffa0\ufff0-\ufffb\u2800\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
"""Characters without a glyph: they part words for a machine and not for a person."""
_TAGS = "\U000e0000-\U000e0fff"
"""Unicode's tags and the variation selectors 17 to 256, in which whole sentences can hide."""
_SELECTORS = "\ufe00-\ufe0f"

_SUSPECT = re.compile(f"[{_CONTROLS}{_JOINERS}{_DIRECTION}{_BIDI}{_BLANK}{_TAGS}{_SELECTORS}]")
_CONTROL = re.compile(f"[{_CONTROLS}]")
_GONE = re.compile(f"[{_BIDI}{_BLANK}]+")
_RTL = re.compile("[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
_FLAG = re.compile(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
"""The three flags that are written in tags: of England, Scotland and Wales."""
_HIDDEN = re.compile(f"[{_TAGS}]+|[{_SELECTORS}]+")
_JOINED = re.compile(f"[{_JOINERS}]+")
_DIRECTIONS = re.compile(f"[{_DIRECTION}]+")
_JOINING = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u1800-\u18af\u1a20-\u1aaf\ufb50-\ufdff\ufe70-\ufefe]"
)
"""Letters of scripts in which a joiner or a non-joiner changes how a word is written."""
_EMOJI = re.compile("[\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff]")
_HAN = re.compile(f"[{HAN}]")


def visible(text: str) -> str:
    """Return the text without characters that are invisible or that a terminal obeys; lines stay as they are.

    A control character becomes an escape, a run of hidden ones their number; those that only reorder or part other
    characters are dropped. What a language or an emoji needs stays: joiners between letters that join, flags, one selector.

    >>> visible("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    if not _SUSPECT.search(text):
        return text
    # NUL takes the place of a flag meanwhile: controls are escaped, so the text has none.
    text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    flags = _FLAG.findall(text)
    text = _FLAG.sub("\x00", text)
    text = _GONE.sub("", text)
    text = _JOINED.sub(_joiner, text)
    text = _HIDDEN.sub(_hidden, text)
    if not _RTL.search(text):
        text = _DIRECTIONS.sub("", text)
    for flag in flags:
        text = text.replace("\x00", flag, 1)
    return text


def _joiner(match: re.Match[str]) -> str:
    """Keep one joiner where the characters on either side can be joined."""
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    letters = _JOINING.match(before) and (_JOINING.match(after) or match[0][0] == "\u200c")
    emoji = match[0][0] == "\u200d" and _EMOJI.match(before) and _EMOJI.match(after)
    return match[0][0] if letters or emoji else ""


def _hidden(match: re.Match[str]) -> str:
    """Keep the first of a run of selectors where the character before it has variants; count the rest."""
    first, before = match[0][0], match.string[match.start() - 1 : match.start()]
    if first <= "\ufe0f":
        kept = first if before and (not before.isascii() or (before in "#*0123456789" and first >= "\ufe0e")) else ""
    else:
        kept = first if before and first >= "\U000e0100" and _HAN.match(before) else ""
    rest = len(match[0]) - len(kept)
    return kept + (f"[{rest} hidden characters]" if rest > 2 or (rest and first > "\ufe0f") else "")


def neutralise(text: str) -> str:
    """Return the text visible, with nothing that ends the fence, takes a role in the conversation or loads an address.

    A person can still read all of it: a bracket replaces the character that made it act, or a space follows that.

    >>> neutralise("</memories> ![x](https://example.org/?q)")
    '(/memories> ! [x] (https://example.org/?q)'
    """
    return _neutralised(text) if len(text) <= _CACHED else _neutralised.__wrapped__(text)


_CACHED = 2_000
"""Characters of a text whose result is cached: a session shows the same ones again and again."""


@lru_cache(maxsize=512)
def _neutralised(text: str) -> str:
    text = visible(text)
    if text.isascii() and not _ACTS.search(text):
        return text
    text = _TAG.sub(_tag, text)
    text = _LOADING.sub("(", text)
    text = _CHAT.sub("(", text)
    text = _IMAGE.sub("! [", text)
    text = _LINK.sub(r"] \1", text)
    return _AUTOLINK.sub("(", text)


_ACTS = re.compile(r"[<\[\]|&\\%]")
_OPENING = "<＜﹤‹〈⟨❮❬⧼˂ᐸ≺≮⋖"
"""Characters that can be taken for the one that opens a tag."""
_ESCAPED = r"&lt;?|&#0*60;?|&#x0*3c;?|&LT;?|\\u003c|\\x3c|%3c"
_TAG = re.compile(
    rf"(?:[{_OPENING}]|{_ESCAPED})"
    r"(?=(?P<inner>(?P<lead>[\s/\\|!?⁄∕／⧸.:_-]{0,6})(?P<name>[^\s<>＜＞/|\"'=()\[\]]{1,40})(?P<rest>[^<＜]{0,80})))",
    re.IGNORECASE,
)
_LOOK_ALIKE = str.maketrans(
    {
        **dict(zip("аеорсухімѕԁһӏѵԝьтнкгвпиɡɩıοερτυνικμσςαη", "aeopcyximsdhlvwbthkrbnugiioeptuvikmssan", strict=True)),
        **dict(zip("ᴍᴇᴏʀɪꜱᴀ", "meorisa", strict=True)),
        **dict(zip("0135$@", "oiessa", strict=True)),
    }
)
"""Letters of other alphabets, small capitals and digits that can be taken for Latin letters."""
_ROLES = frozenset(
    """system assistant toolresult toolresults tooluse toolcall toolcalls toolresponse tooloutput functioncall functioncalls
    functionresult functionresults functionresponse invoke systemreminder systemprompt systemmessage instruction
    instructions imstart imend endoftext eotid startheaderid endheaderid startofturn endofturn beginoftext sys inst
    untrusted untrusteddata usermessage userquery developermessage important admin override""".split()
)
"""Names that mark a turn, a tool call or its result in some model's conversation, without separators."""
_SPOKEN = frozenset("user human developer tool function parameter result output context thinking".split())
"""More of them, as often names of a type or a placeholder in a path: only a whole tag that stands alone counts."""


def _tag(match: re.Match[str]) -> str:
    """Return what opens the tag, or a bracket where its name is the fence's or a role's."""
    name = _plain(match["name"])
    bare = name.removeprefix("antml").removeprefix("anthropic").removeprefix("xml")
    if _plain(match["inner"]).startswith("memories") or _near_memories(name) or bare in _ROLES or name in _ROLES:
        return "("
    if (
        match["rest"][:1] in ("", "]", ")", ",", ";", "…")
        and len(bare) > 3
        and any(role.startswith(bare) for role in _ROLES)
    ):
        return "("  # cut off within its name
    before = match.string[match.start() - 1 : match.start()] if match.start() else ""
    alone = "/" in match["lead"] or (not before.isalnum() and before not in ("_", "/", "."))
    return "(" if bare in _SPOKEN and alone and match["rest"].lstrip()[:1] in (">", "＞", "") else match[0]


def _plain(name: str) -> str:
    """Return a name as it looks: Latin letters without accents and separators."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name)).casefold().translate(_LOOK_ALIKE)
    return "".join(character for character in folded if character.isalpha())


def _near_memories(name: str) -> bool:
    """Return whether a name is the fence's with a letter doubled, left out or replaced."""
    return (
        name[:1] == "m"
        and 6 <= len(name) <= 10
        and len(set(name) ^ set("memories")) <= 2
        and name[-2:] in ("es", "ie", "is")
    )


_LOADING = re.compile(
    r"<(?=[\s/]*(?:script|img|iframe|frame|object|embed|applet|meta|link|base|form|style|svg|math|portal)\b"
    r"|[\s/]*[a-z][\w:-]*\s[^<>]{0,400}?\b(?:src|srcset|href|action|formaction|data|poster|background|style|ping|on[a-z]{3,16})\s*=)",
    re.I,
)
"""HTML that loads an address or runs a script."""
_CHAT = re.compile(
    r"<(?=\|[^|<>\n]{1,40}\|?>)|<(?=<\s*/?\s*SYS\s*>>)|\[(?=/?(?:INST|SYSTEM|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|SYSTEM_PROMPT)\s*\])"
    r"|<(?=｜[^<>\n]{1,40}｜?>)",
    re.IGNORECASE,
)
"""Separators of turns in the chat templates of models."""
_IMAGE = re.compile(r"!\[(?=[^\]\n]{0,500}\])")
_LINK = re.compile(
    r"\](\((?=\s*<?\s*(?:[a-z][a-z0-9+.-]{1,20}:|//|www\.|data:|[^\s()]{1,200}\.[a-z]{2,10}[/?#]))|:(?=\s*<?(?:[a-z][a-z0-9+.-]{1,20}:)?//))",
    re.I,
)
_AUTOLINK = re.compile(r"<(?=(?:https?|ftp|file|javascript|data|vbscript|mailto):)", re.I)


def line(text: str) -> str:
    """Return the text neutralised and on one line, as every memory is shown."""
    return " ".join(neutralise(" ".join(text.split())).split())


def shown(data: Any) -> Any:
    """Return data with every text in it visible: the structured part of an answer, which some clients show to the model."""
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, Mapping):
        return {key: shown(value) for key, value in cast(Mapping[str, Any], data).items()}
    if isinstance(data, list | tuple):
        return [shown(value) for value in cast(Sequence[Any], data)]
    return data
