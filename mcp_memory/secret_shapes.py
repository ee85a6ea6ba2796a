"""What in a text has the shape of a secret: keys, tokens, passwords, private keys, payment cards."""

import re
from typing import NamedTuple

from mcp_memory.text import Span


class Shaped(NamedTuple):
    """A stretch of a text that looks like a secret, and of what sort."""

    sort: str
    span: Span


_SHAPES = (
    ("private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    ("AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})\b")),
    ("API key", re.compile(r"\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj[-_]|ant[-_])?[A-Za-z0-9_-]{20,}\b")),
    ("Google key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("Slack token", re.compile(r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}")),
    ("JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    ("bearer token", re.compile(r"\bbearer\s+[A-Za-z0-9._~+/-]{20,}=*", re.IGNORECASE)),
    (
        "password in an address",
        re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}+://[^\s/:@]+:[^\s/@]{3,}@", re.IGNORECASE),
    ),
    (
        "password",
        re.compile(
            r"(?:\b(?:password|passwd|passphrase|pwd|secret|api[ _-]?key|access[ _-]?token|auth[ _-]?token)\b|密码|密碼|口令)"
            r"(?:\s*[:=：]\s*|\s+(?:is|was)\s+|\s*(?:是|为)\s*)['\"`]?(?=[^\s'\"`]*[\d!@#$%^&*_+=-])[^\s'\"`]{6,}",
            re.IGNORECASE,
        ),
    ),
)
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")


def secrets_in(text: str) -> list[Shaped]:
    """The stretches that look like secrets, in the order of the text; by shape alone, so some are none.

    >>> [shaped.sort for shaped in secrets_in("The password is hunter-2, the card 4111 1111 1111 1111.")]
    ['password', 'payment card']
    """
    found = [Shaped(sort, Span(*match.span())) for sort, shape in _SHAPES for match in shape.finditer(text)]
    found += [Shaped("payment card", Span(*match.span())) for match in _CARD.finditer(text) if _luhn(match[0])]
    return sorted(found, key=lambda shaped: shaped.span)


def _luhn(number: str) -> bool:
    """Whether the digits add up as a card's do (ISO/IEC 7812), all of one digit aside."""
    digits = [int(character) for character in number if character.isdigit()]
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0
