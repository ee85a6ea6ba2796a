"""Secrets with a form of their own: vendors' tokens, private keys, addresses with a password, cards, bank accounts."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from mcp_memory.language.tokenization import Span
from mcp_memory.privacy.randomness import entropy, is_prefixed_token, matcher
from mcp_memory.privacy.secrets_in_prose import SecretMatch, find_prose_secrets


class Rule(NamedTuple):
    """The pattern of a sort of secret."""

    sort: str
    keywords: tuple[str, ...]
    """Lower case; one is in every text that has the pattern: looking for them first costs next to nothing."""
    pattern: str
    """Compiled when first used. What its group matches is hidden; without a group, the whole."""
    entropy: float = 0
    """The least bits a character that a secret has."""
    named: bool = False
    """True where only the name of a service before it tells the secret from a word: then it has a digit."""
    allowed: str = ""
    """A pattern of values that are no secrets."""
    whole: bool = False
    """True where a match ends with its token; otherwise the rest of the word is hidden with it."""


def _rule(sort: str, keywords: str, pattern: str) -> Rule:
    return Rule(sort, tuple(keywords.split()), pattern, whole=True)


_WORD, _EDGE = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"

_OWN_RULES = (
    # A block ends with its END line; one that was cut off, where its lines of base64 do.
    _rule("private key", "private", r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}" r"(?:(?:(?!-{4,5} ?(?:BEGIN|END))[\s\S])*?-{4,5} ?END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}" r"|(?:(?:\s|\\[nr])*(?:[A-Za-z0-9+/=]{16,}|[A-Z][A-Za-z-]+: [^\n]*))*(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{1,76}(?=\s|$|\\[nr]|[\"']))?)"),
    _rule("private key", "putty-user", r"PuTTY-User-Key-File-\d: [\s\S]*?(?:Private-MAC: [0-9a-f]+|\Z)"),
    _rule("private key", "prv", rf"{_WORD}[xyzt]prv[1-9A-HJ-NP-Za-km-z]{{100,112}}{_EDGE}"),
    # Bitcoin's Wallet Import Format: 51 characters of base 58, or 52 where it is for compressed points.
    _rule("private key", "5 k l", r"(?<![A-Za-z0-9/+])(?:5[HJK][1-9A-HJ-NP-Za-km-z]{49}|[KL][1-9A-HJ-NP-Za-km-z]{51})(?![A-Za-z0-9/+=])"),
    _rule("AWS access key", "akia asia abia acca", rf"{_WORD}(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{{16}}{_EDGE}"),
    _rule("AWS secret key", "akia asia", r"(?:AKIA|ASIA)[0-9A-Z]{16}\b[\s\S]{0,80}?(?<![A-Za-z0-9/+])((?=[A-Za-z/+]{0,39}\d)(?![0-9a-f]{40})[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
    _rule("cloud access key", "ltai akid aklt", rf"{_WORD}(?:LTAI|AKID|AKLT)(?=[A-Za-z]*\d)[A-Za-z0-9]{{12,}}{_EDGE}"),
    _rule("Anthropic key", "sk-ant-", rf"{_WORD}sk-ant-[A-Za-z0-9_-]{{20,}}"),
    _rule("OpenAI key", "sk-", rf"{_WORD}sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{{20,}}"),
    _rule("Supabase token", "sbp_", rf"{_WORD}sbp_[A-Za-z0-9]{{36,}}"),
    _rule("Google token", "ya29. gocspx- 1//0", rf"{_WORD}(?:ya29\.[0-9A-Za-z_-]{{20,}}|GOCSPX-[0-9A-Za-z_-]{{20,}}|1//0[0-9A-Za-z_-]{{40,}})"),
    _rule("Meta token", "eaa", rf"{_WORD}EAA(?=[A-Za-z]*\d)[0-9A-Za-z]{{60,}}{_EDGE}"),
    _rule("Telegram bot token", ":aa", rf"{_WORD}\d{{8,10}}:AA[A-Za-z0-9_-]{{33}}(?![A-Za-z0-9_-])"),
    _rule("Discord token", ".", rf"{_WORD}[MNO][A-Za-z0-9_-]{{23,27}}\.[A-Za-z0-9_-]{{6}}\.[A-Za-z0-9_-]{{27,40}}(?![A-Za-z0-9_-])"),
    _rule("Mailchimp key", "-us", rf"{_WORD}[0-9a-f]{{32}}-us\d{{1,2}}{_EDGE}"),
    _rule("webhook", "hooks.slack.com api/webhooks/", r"(?:hooks\.slack\.com|discord(?:app)?\.com/api/webhooks)/((?:services|workflows|triggers|\d{17,20})/[A-Za-z0-9/_-]{20,})"),
    _rule("one-time password seed", "otp 2fa mfa authenticator", r"(?i)\b(?:t?otp|2fa|mfa|authenticator)[ -](?:seed|secret|key|setup key)\b(?: (?:for|of)(?: [\w'’-]{1,20}){1,4}?)?\s*(?:is|[:=])?\s*" r"((?-i:(?=[A-Z]{0,63}[2-7])[A-Z2-7]{16,64}|(?=[a-z ]{0,78}[2-7])[a-z2-7]{4}(?: [a-z2-7]{4}){3,15}))(?![A-Za-z0-9])"),
    _rule("license key", "key", r"(?i)\bkeys?\b\D{0,40}?((?-i:(?=[A-Z-]{0,28}\d)[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}))(?![\w-])"),
    _rule("JSON web token", "eyj", rf"{_WORD}eyJ[A-Za-z0-9_-]{{8,}}\.eyJ[A-Za-z0-9_-]{{8,}}(?:\.[A-Za-z0-9_-]*)?"),
    _rule("bearer token", "bearer", r"(?i)\bbearer\s+((?=[^\s\"']*\d)[A-Za-z0-9._~+/-]{16,}=*)"),
    _rule("password", "basic", r"(?i)\bauthorization\W{1,4}basic\s+([A-Za-z0-9+/]{8,}={0,2})"),
    _rule("password", "://", r"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,80}:((?!\d{1,5}[/?#])[^\s/@\"'<>$%{}*][^\s@\"'<>]{2,120}?)@(?=[\w\[$])"),
    _rule("token in an address", "= %3d", r"(?i)[?&;](?:(?:access|auth|id|refresh)_?token|api_?key|(?:client_?)?secret|passw(?:or)?d|pwd|sig|signature|x-amz-signature|x-amz-security-token)=" r"([^\s&#;\"'<>{}$\[]{6,})"),
    _rule("password", "wifi:", r"(?i)\bwifi:[^\n]{0,80}?\bP:((?:\\.|[^;\\\n]){3,63});"),  # a QR code's text
    _rule("card security code", "cv csc", r"(?i)\b(?:cvv2?|cvc2?|csc)\b(?:\s+(?:code|number))?\s*(?:is|[:=])?\s*(\d{3,4})(?!\d)"),
)  # fmt: skip
"""Secrets that gitleaks' rules lack, or match too narrowly for prose."""

_PREFIXED = r"(?a)(?<![\w/.@+-])[A-Za-z][A-Za-z0-9]{0,11}[-_][\w-]{20,}"
_REST = r"(?a)[\w-]*"
_WHITE_RUN = re.compile(r"\s{20,}")
_CARD = r"(?<![\w.+-])(?:\d{4}(?P<gap>[ -]?)\d{4}(?P=gap)\d{4}(?P=gap)\d{2,4}(?:(?P=gap)\d{3})?|\d{4}(?P<amex>[ -]?)\d{6}(?P=amex)\d{4,5})(?![\w-]|\.\d)"
_ISSUED = (
    r"4(?:\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
"""Numbers of the large issuers (ISO/IEC 7812): a telephone, a book, a time in milliseconds begins otherwise."""
_OTHER_NUMBER = (
    r"(?i)(?:\b(?:order|invoice|tracking|shipment|parcel|ticket|case|serial|imei|isbn|ean|upc|gtin|reference|ref|id|sku|phone|tel|account|transaction|booking|confirmation|timestamp|build)"
    r"(?:\s+(?:number|no|nr|id|code))?|订单号?|单号|编号|快递|运单|流水号|序列号|电话|手机|账号|注文|番号)[\s.:#=是为]*(?:is|was|of)?[\s.:#]*$"
)
"""Words before a number that name it as something else than a card."""
_IBAN = r"(?a)\b[A-Z]{2}\d{2}(?:(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?|[A-Z0-9]{11,30})\b"


def find_secrets(text: str) -> list[SecretMatch]:
    """Return the stretches that look like secrets, in the order of the text, none within another.

    They are recognised by form alone, so some are none. A commit, a digest or a UUID is none by itself.

    >>> [match.sort for match in find_secrets("The password is hunter-2, the card 4111 1111 1111 1111.")]
    ['password', 'payment card']
    """
    narrow, gaps = _narrowed(text)
    lowered = narrow.lower()
    rules = dict.fromkeys(rule for keyword, rule in _by_keyword() if keyword in lowered)
    found = [match for rule in rules for match in _matches(rule, narrow)]
    found += [
        SecretMatch("API key", Span(*match.span()))
        for match in matcher(_PREFIXED).finditer(narrow)
        if is_prefixed_token(match[0])
    ]
    found += [SecretMatch("payment card", span) for span in _cards(narrow)]
    found += [SecretMatch("IBAN", span) for span in _ibans(narrow)]
    found += find_prose_secrets(narrow, lowered)
    return [SecretMatch(sort, _widened(span, gaps)) for sort, span in _merged(found)]


@cache
def _by_keyword() -> tuple[tuple[str, Rule], ...]:
    """Return our rules, then gitleaks' as `release/secret_rules.py` converts them, each with a keyword of its own."""
    rules: list[dict[str, Any]] = json.loads(Path(__file__).with_name("gitleaks.json").read_bytes())["rules"]
    published = [Rule(keywords=tuple(rule.pop("keywords")), **rule) for rule in rules]
    return tuple((keyword, rule) for rule in (*_OWN_RULES, *published) for keyword in rule.keywords)


def _matches(rule: Rule, text: str) -> Iterator[SecretMatch]:
    for match in matcher(rule.pattern).finditer(text):
        start, end = match.span(match.lastindex or 0)
        value = text[start:end]
        if rule.whole:
            yield SecretMatch(rule.sort, Span(start, end))
        elif entropy(value) >= max(rule.entropy, 3 * rule.named) and not (
            (rule.named and not any(map(str.isdigit, value)))
            or (rule.allowed and matcher(rule.allowed).fullmatch(value))
        ):
            rest = matcher(_REST).match(text, end)
            yield SecretMatch(rule.sort, Span(start, rest.end() if rest else end))


def _narrowed(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the text with long runs of white space cut to one character, and the offset from each cut on.

    Many patterns allow white space in several places that meet, and would read a run of 20,000 for seconds.
    """
    parts: list[str] = []
    gaps: list[tuple[int, int]] = []
    at = length = 0
    for match in _WHITE_RUN.finditer(text):
        parts += [text[at : match.start()], "\n" if "\n" in match[0] else " "]
        length += match.start() - at + 1
        at = match.end()
        gaps.append((length, at - length))
    return "".join([*parts, text[at:]]), gaps


def _widened(span: Span, gaps: Sequence[tuple[int, int]]) -> Span:
    """Return the span in the text itself of one in the narrowed text."""
    before = (bisect_right(gaps, place, key=itemgetter(0)) for place in span)
    start, end = (place + (gaps[number - 1][1] if number else 0) for place, number in zip(span, before, strict=True))
    return Span(start, end)


def _cards(text: str) -> Iterator[Span]:
    for match in matcher(_CARD).finditer(text):
        number = re.sub(r"\D", "", match[0])
        before = text[max(0, match.start() - 40) : match.start()]
        if matcher(_ISSUED).fullmatch(number) and _luhn(number) and not matcher(_OTHER_NUMBER).search(before):
            yield Span(*match.span())


def _luhn(number: str) -> bool:
    """Return whether the check digit is right (ISO/IEC 7812); numbers of one digit alone are excluded."""
    digits = [int(character) for character in number]
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _ibans(text: str) -> Iterator[Span]:
    """Give the bank accounts whose check digits are right (ISO 13616)."""
    for match in matcher(_IBAN).finditer(text):
        number = match[0].replace(" ", "")
        if int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1:
            yield Span(*match.span())


def _merged(found: Iterable[SecretMatch]) -> list[SecretMatch]:
    """Merge those that overlap, under the sort of the one that begins first, the longest where several do."""
    merged: list[SecretMatch] = []
    for match in sorted(found, key=lambda match: (match.span.start, -match.span.end)):
        if merged and match.span.start < merged[-1].span.end:
            last = merged[-1]
            merged[-1] = SecretMatch(last.sort, Span(last.span.start, max(last.span.end, match.span.end)))
        else:
            merged.append(match)
    return merged
