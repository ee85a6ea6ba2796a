"""Secrets that are told as codes: of doors, alarms and cards, backup codes, and keys of wallets that are named as such."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain

from mcp_memory.language.tokenization import Span
from mcp_memory.privacy.secrets_in_prose import following_secrets

_compiled = cache(re.compile)

_LOCKED = (
    r"(?:(?:front|back|garage|burglar|house|office|bike|luggage|gun|key|wall|hotel)[ -]?)?(?:alarm|door|gate|garage|safe|sim(?: card)?"
    r"|(?:bank |debit |credit |key )?card|lock(?:box|er)?|padlock|keypad|wi-?fi|entry|entrance|intercom|voicemail|phone unlock|screen lock)"
    r"(?:[ -](?:system|lock|keypad|panel|box))?"
)
_CODE = r"(?:(?:pin|pass|access|unlock|entry|security)[ -]?)?(?:code|pin|combination|combo)"
_FOLLOWS = r"(?=[.!?]*\s*$|[.!?]\s|[,;。，；！)\]\"”]|\s+(?:and|but|for|on|as|now|since|from)\b|[\u3000-\u9fff])"
_LOCK_CODE = (
    rf"(?i)\b(?:{_LOCKED}(?:'s)?[ -]{_CODE}(?:\s+(?:for|of|to|at|in|on)(?:\s+[\w'’-]{{1,20}}){{1,4}}?)?"
    rf"|{_CODE}\s+(?:for|of|to)\s+(?:(?:the|my|our|his|her|their)\s+)?(?:[\w'’-]{{1,20}}\s+){{0,2}}?{_LOCKED}(?:\s+(?:at|in|of)(?:\s+[\w'’-]{{1,20}}){{1,3}}?)?"
    rf"|{_LOCKED} opens with(?: the code)?)"
    rf"(?:\s*[:=→]\s*|\s+(?:is|was)\s+(?:now\s+|still\s+|set to\s+|changed to\s+)?|\s+(?:(?:was|is|has been|got)\s+)?(?:changed|reset|set|updated) to\s+|(?=\s\d{{4,8}}[#*]))\s*"
    rf"(?P<secret>[#*]?\d{{4,8}}[#*]?)(?![\d-])(?:(?<=[#*])|{_FOLLOWS})"
)
_DIAL = (
    rf"(?i)\b(?:{_LOCKED}(?:'s)? (?:combination|combo)|(?:combination|combo) (?:for|of|to|on) (?:(?:the|my|our|his|her|their) )?(?:[\w'’-]{{1,20}} ){{0,2}}?{_LOCKED})"
    r"(?:\s+(?:at|in|of)(?:\s+[\w'’-]{1,20}){1,3}?)?(?:\s+(?:is|was)(?:\s+now)?|\s*[:=])?\s*(?P<secret>\d{1,2}(?P<gap>[ -])\d{1,2}(?P=gap)\d{1,2})(?![\w-])"
)
"""A dial's: left, right, left."""
_HAN_LOCK_CODE = (
    r"(?:门禁|大门|房门|家门|车库门?|门锁|防盗门|报警器?|警报器?|保险[柜箱]|储物柜|银行卡|信用卡|SIM ?卡|手机卡)的?(?:PIN ?)?(?:代码|码)"
    r"\s*(?:是|为|[:：]|改成了?|换成了?|改为了?|变成了?)\s*(?P<secret>[#*]?\d{4,8}[#*]?)(?!\d)"
)
_ONE_CODE = r"(?=[a-z-]{0,12}\d)(?:[a-z0-9]{3,6}(?:-[a-z0-9]{3,6}){1,4}|[a-z0-9]{6,12}|\d{4} \d{4})(?![a-z0-9]|-[a-z0-9]|[./:]\w)"
_BACKUP_CODES = (
    r"(?i)(?:\b(?:(?:2fa|mfa|two[ -]factor|totp|google|github|apple|account)\s+)?(?:backup|recovery|scratch|emergency)[ -]?(?:login )?codes?\b"
    r"|(?:备用|备份|恢复|应急)(?:验证|登录|代)?码)"
    r"(?:\s+(?:for|of)(?:\s+[\w'’-]{1,20}){1,3}?)?\s*(?:[:：=]|\bare\b:?|\bis\b:?|是|为)\s*"
    rf"(?P<secret>{_ONE_CODE}(?:(?:\s*[,;，、；]\s*(?:and\s+)?|\s+and\s+|\s+){_ONE_CODE})*)"
)
_KEY = r"(?:priv(?:ate|\.)?[ -]?key|(?:wallet|signing|seed|secret)[ -]key|私钥)"
_HEX = r"(?<![\w-])(?P<secret>(?:0x)?[0-9a-fA-F]{64})(?![\w-])"
_NAMED_HEX = rf"(?i){_HEX}[\"'`]?\s*(?:,|=|:|[-–—]|is|was|是)?\s*(?:(?!(?:not|hash|sha\d*|digest|checksum|fingerprint|public|commit|file)\b)[\w'’]+\s+){{0,4}}?{_KEY}"
_HEX_NAMED = rf"(?i)(?<!hash of the )(?<!digest of the )(?<!checksum of the )(?<!fingerprint of the ){_KEY}(?:(?!\b(?:not|hash|sha-?\d*|digest|checksum|fingerprint|public|commit|file)\b)[^\n.;,]){{0,40}}?{_HEX}"
_WIF = r"(?<![A-Za-z0-9/+])(?P<secret>5[HJK][1-9A-HJ-NP-Za-km-z]{49}|[KL][1-9A-HJ-NP-Za-km-z]{51})(?![A-Za-z0-9/+=])"
"""A key of Bitcoin in the Wallet Import Format: 51 characters of base 58, or 52 where it is for compressed points."""


def told_codes(text: str, lowered: str) -> Iterator[tuple[str, Span]]:
    """The sort and the place of each, in no order; `lowered` is the text in lower case."""
    if any(word in lowered for word in ("code", "pin", "comb", "opens with")):
        yield from _codes_of_locks(_LOCK_CODE, text)
        yield from _codes_of_locks(_DIAL, text)
    if "码" in text:
        yield from _codes_of_locks(_HAN_LOCK_CODE, text)
    if "code" in lowered or "码" in text:
        yield from (("backup codes", _place(match)) for match in _compiled(_BACKUP_CODES).finditer(text))
    if len(text) > 50 and ("key" in lowered or "私钥" in text):
        found = chain(_compiled(_NAMED_HEX).finditer(text), _compiled(_HEX_NAMED).finditer(text))
        yield from (("private key", _place(match)) for match in found)
    if len(text) > 50:
        yield from (("private key", _place(match)) for match in _compiled(_WIF).finditer(text))


def _codes_of_locks(form: str, text: str) -> Iterator[tuple[str, Span]]:
    read: set[int] = set()
    for match in _compiled(form).finditer(text):
        yield "code", _place(match)
        yield from (("code", other) for other in following_secrets(text, match.end("secret"), read))


def _place(match: re.Match[str]) -> Span:
    return Span(*match.span("secret"))
