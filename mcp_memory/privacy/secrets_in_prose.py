"""Secrets that are told in words or beside a name: "the password is …", `DB_PASSWORD=…`, 密码是…, a recovery phrase."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain

from mcp_memory.language.tokenization import Span

_compiled = cache(re.compile)
"""Each form is compiled when it is first looked for: together they take longer than a server's other imports of ours."""

_NAMES = (
    "password passwd passphrase passcode pass-phrase pwd passwort kennwort contraseña contrasena senha пароль пароля "
    "密码 密碼 口令 パスワード 暗証番号 비밀번호 암호"
).split()
"""What a password is called; what stands behind one and links is taken for it more readily than behind KEYS."""
_PASSWORD = (
    "(?:"
    + "|".join(
        [
            *map(re.escape, _NAMES),
            r"pass[ ]phrase",
            r"mot de passe",
            r"parola d'ordine",
            r"(?-i:\bPIN\b)(?: code| number)?|pin code|PIN码",
            r"(?<![a-z])(?:pass|pw|psw|pswd)(?=[\"'`]?\s*[:=])",
            r"(?<![a-z.])pw(?=\s+(?:for|of|on|is|was)\s)",
            r"(?<=with )(?:pw|pass)(?=\s)",
        ]
    )
    + ")"
)
_KEY = (
    r"(?:api[ _-]?(?:key|token|secret)|access[ _-]?(?:key|token)|auth(?:entication)?[ _-]?(?:key|token)|refresh[ _-]?token"
    r"|secret[ _-]?(?:access[ _-]?)?key|client[ _-]?secret|private[ _-]?key|signing[ _-]?(?:key|secret)|encryption[ _-]?key"
    r"|license[ _-]?key|account[ _-]?key|deploy[ _-]?(?:key|token)|webhook[ _-]?secret|session[ _-]?(?:key|secret)|secret|token|credentials?"
    r"|密钥|秘钥|私钥|令牌|授权码|アクセスキー|トークン)"
)
_LINK = (
    r"(?P<link>[\"'`]?\s*(?::=|=>|={1,3}|[:：＝])\s*|'s\s+|\s+(?:is|was|are|used to be|ist|lautet|est|es|é|è|это)(?:\s+(?:now|set to|changed to|still|just|simply|always|currently))?\s*:?\s+"
    r"|\?\s*(?:it'?s|it is)\s+|\s+as\s+|\s+[-–—]+\s+(?:use |it'?s )?|>(?=[^<>\s]{3,80}</)"
    r"|\s*(?:→|->)\s*|\s+(?:enter|type|use)\s+|\s+(?:(?:has |have |was |is |got |gets |been |now |just ){0,4}(?:changed|set|reset|rotated|updated|switched) )?to\s+"
    r"|\s*(?:是|为|為|叫|设为|设成|设置为|设置成|改为|改成|换成|变成|就是|现在是)了?\s*[:：]?\s*|\s*(?:は|는|은)\s*)"
)
_FOREIGN = (
    "(?i)"
    r"\b(?:ist|lautet|est|es|é|è|это)\b"
)
"""Links behind which a plain word is not taken for a password: its predicates are not known here."""
_ABOUT = (
    r"(?:\s+(?:for|of|to|on|at|in|für|vom|von|zum|de|du|del|do|da|para|pour|per|для|от)(?:\s+(?:the|my|our|his|her|their|a|this|that))?"
    r"(?:\s+[\w.@'’/-]{1,24}){1,4}?|,\s[a-z ]{2,30},|\s*[（(][^()（）\n]{1,30}[)）]"
    r"|[\u4e00-\u9fff]{1,6}?)?"
)
"""What a password is for, between its name and the link: "the password for the guest network is"."""
_QUOTED = r"[\"“「『`'‘](?P<quoted>[^\"”」』`'’\n]{3,80})[\"”」』`'’]"
_BARE = r"(?P<bare>[!-~]{3,200})"

_PASSWORD_TOLD = (
    "(?i)"
    rf"{_PASSWORD}{_ABOUT}{_LINK}(?:{_QUOTED}|{_BARE})"
)
_PASSWORD_BESIDE = (
    "(?i)"
    rf"{_PASSWORD}\s+(?:{_QUOTED}|{_BARE})"
)
_PASSWORD_BEFORE = (
    "(?i)"
    rf"(?<![!-~]){_BARE}\s+(?:is|was)\s+(?:now\s+)?(?:my|our|the|his|her|their)\s+(?:(?:old|new)\s+)?(?:[\w-]{{1,20}}\s+){{0,2}}?{_PASSWORD}(?!\s*[\w-]|\s+(?:manager|hash|field|policy))"
)
_PASSWORD_FROM = (
    "(?i)"
    rf"{_PASSWORD}{_ABOUT}\s+(?:(?:was|is|has been|got)\s+)?(?:changed\s+|reset\s+|updated\s+|switched\s+)?from\s+(?:{_QUOTED}|{_BARE})(?=\s+to\s)"
)
_HAN_FROM = r"(?:密码|密碼|口令)(?:从|由)\s*(?P<bare>[!-~]{4,80})"
_DIGITS_BESIDE = (
    r"(?:(?:密码|密碼|口令)\s*(?P<bare>\d{6,16})(?![\w.-])(?!\s*[位个年月元])"
    r"|\b(?:[Pp]asscode|PIN)\s+(?P<quoted>\d{4,10})(?=[.!?,;)]?(?:\s*$|\s*\n|\s+(?:and|but|for|on|as)\b)))"
)
_AGAIN = (
    "(?i)"
    r"[\"”」』`'’)\]]?[\s,;.，。；(—–-]{0,4}"
    r"(?:(?P<told>(?:(?:and|but|now|so|then)\s+)?(?:(?:it|that|which)\s+)?(?:(?:was|is|has been|had been|got)\s+)?(?:just\s+|now\s+|since\s+|later\s+)?(?:changed|reset|updated|rotated|switched|set)?\s*\bto\s+"
    r"|(?:(?:and|but|while)\s+)?(?:the\s+|my\s+|our\s+)?(?:new|old|former|previous|current|other|second|last)(?:\s+(?:one|password|pw))?\s*(?:is|was|:)\s+(?:now\s+)?"
    r"|(?:→|->|=>)\s*|(?:，|,|。|；|\s)*(?:现在|后来|以前|之前|原来)?(?:新的|旧的|新密码|旧密码)?(?:改成|改为|换成|变成|到|是)了?[:：]?\s*)"
    r"|(?:(?:and|but|now|then)\s+){0,2}(?:it|that)(?:'s|\s+(?:is|was|used to be))\s+(?:now\s+|before\s+)?|(?:previously|formerly|before(?: that)?|instead of|no longer|not|(?:(?:and|but)\s+)?(?:is|was)(?:\s+now)?|or|and)\s*:?\s+)"
    rf"(?:{_QUOTED}|{_BARE})"
)
"""How a second password comes after one: "was changed to …", "and the new one is …", "it was …"."""

_KEY_TOLD = (
    "(?i)"
    rf"{_KEY}s?(?:[_-][a-z]{{2,12}}){{0,2}}(?:\s+(?:header|value|env(?:ironment)? var(?:iable)?|variable)){{0,2}}{_ABOUT}{_LINK}(?:{_QUOTED}|{_BARE})"
)
_BARE_NAME = r"(?i)(?:secret|token|credentials?|令牌|トークン)s?(?![ _-]?[a-z])"
"""Names of one word: they are said of much that is no key."""
_KEY_BESIDE = (
    "(?i)"
    rf"{_KEY}\s+[\"'`]?(?P<bare>(?=[!-~]{{0,80}}\d)[A-Za-z0-9+/=_.~-]{{20,200}})"
)
_OPTION = r"(?:--pass(?:word|wd)?[ =]|sshpass -p ?|(?:docker|podman|az|helm) (?:registry )?login\b[^\n]{0,80}? -p ?|\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n]{0,80}? -p(?!\d+\b)|redis-cli\b[^\n]{0,80}? -a |\bbasic auth\w*[ :]{1,3}[\w.@-]{1,40}:|(?:curl|wget|http)\b[^\n]{0,120}?(?:-u|--user)[ =]['\"]?[\w.@-]{1,40}:)['\"]?(?P<bare>[^\s'\"$]{3,80})"
_PAIR = (
    "(?i)"
    r"(?:\b(?:credentials?|log ?in|account|user(?:name)?)\b(?:\s+(?:is|are)|\s*[:：=])\s*|\blog ?in (?:with|as)\s+)[\w.@+-]{2,40}"
    r"\s*(?:/|,?\s+and\s+(?:(?:(?:the|my)\s+)?pass(?:word)?\s+(?:is\s+)?)?|\s+:\s+)\s*(?P<bare>[!-~]{6,80})"
)
_CREDENTIALS = r"(?i)\bcredentials?\s+(?:is|are)\s+[\w.@+-]{2,40}:(?!//)(?P<bare>[!-~]{6,80})"
_MAIL_PAIR = (
    r"[\w.+-]{1,60}@[\w-]{1,60}(?:\.[\w-]{1,30}){1,4}\s{1,3}[/|]\s{1,3}"
    r"(?P<bare>(?=[!-~]{0,60}[A-Za-z])(?=[!-~]{0,60}\d)(?=[!-~]{0,60}[!#$%^&*?~])[^\s/@:.]{6,60})(?=[.,;)]?(?:\s|$))"
)
_PHRASE = (
    "(?i)"
    r"(?:(?:seed|recovery|mnemonic|backup)[ -]?(?:phrase|words)|mnemonic|助记词)[^:：\n]{0,40}?(?::|：|\bis\b|是)\s*[\"“]?(?P<bare>(?:[a-z]{3,8}[ ,]+){11,23}[a-z]{3,8})\b"
)

_HINTS = (
    *_NAMES,
    "pass",
    "pin code",
    "pin码",
    "mot de",
    "parola",
    "curl",
    "wget",
    "--user",
    "mysql",
    "mariadb",
    "pw:",
    "pw=",
    "pw =",
    "pw ",
    "login",
    "basic auth",
    "redis-cli",
)
_KEY_HINTS = "key token secret credential 密钥 秘钥 私钥 令牌 授权码 キー トークン".split()
_PAIR_HINTS = "credential login log in account user".split()

_PLACEHOLDER = (
    "(?i)"
    r"[*•x.…_-]{3,}|.*(?:\*{3,}|•{2,}|…).*|[<\[{(].*|.*[>}]|\$.*|%.*%|%[sd]|\{\{.*|(?:your|my|the|some|example|placeholder|redacted|hidden|masked|removed)[-_ ].*"
    r"|(?:null|none|nil|undefined|true|false|string|str|text|varchar|required|optional|secret|password|pass|redacted|hidden|masked|n/a|tbd|todo|empty|blank|unset|unknown)"
    r"|.*\(.*|(?:process|os|env|config|settings|self|this|request|req|vault|secrets|var|data)\b[.\[:].*|env:.*|(?:https?|file)://.*|/[\w.-]+(?:/.*)?|~/.*|\[secret:.*"
)
"""What stands where a secret would, and is none."""
_TECHNICAL = (
    "(?i)"
    r"(?:sha|md|aes|des|rsa|argon|bcrypt|scrypt|pbkdf|hmac|base|utf|oauth|saml|totp|hotp|ed|hs|rs|es|ecdsa|x|ipv|http|tls|ssl|wpa|k8s|s3|ec2|win|python|v|web|ntlm|p)-?[\d.]+(?:[-_/]?\w{0,8}){0,3}"
    r"|1password(?:'s)?|keepass\w*|2fa|mfa|\d+[- ]?(?:bits?|bytes?|chars?|characters?|digits?|letters?|symbols?|words?|days?|weeks?|months?|hours?|minutes?|hrs?|mins?|s|ms|h|d|th|st|nd|rd|x)(?:-.*)?"
    r"|.*-(?:encoded|hashed|based|protected|encrypted|sensitive|only|free|less|like|generated|specific|style)|\d{1,2}[:.]\d\d(?:am|pm)?|\d{4}-\d\d(?:-\d\d)?|v?\d+(?:\.\d+)+"
)
"""Words with a digit in them that are said of passwords and are none."""
_ORDINARY = frozenset(
    """a an the not no now in on at by to for from with that this it its and or but if when where what which who how why as
    also always never still already just only so too very same different wrong right correct incorrect valid invalid
    required optional needed necessary missing empty blank unknown known safe secure insecure secret private public shared
    strong weak short long simple complex easy hard new old fresh stale expired active inactive disabled enabled locked
    stored saved kept hidden shown visible written printed logged hashed salted encrypted protected rotated changed reset
    updated generated random unique default temporary permanent mine yours ours theirs his hers fine ok okay good bad
    important sensitive compromised leaked breached lost forgotten stolen exposed available unavailable managed handled
    stronger weaker longer shorter better worse me you him her them us there here everywhere nowhere something nothing
    anything everything someone nobody work access use used login auth authentication manager managers field fields policy
    policies based bcrypt plaintext plain cleartext text numeric alphanumeric case sensitive set unset""".split()
)
"""Plain words that are said of a password and are none."""
_END = r"[\"'”’)\]]*(?:[.!?](?=\s|$)|\s*了|[,;。，；！!]|\s*$|\s*\n|\s+(?:and|but|for|on|as)\b|(?=[\u3000-\u9fff]))"
_TRAILING = ".,;:!?'\")]}>”’。，；"
_PART = r"[A-Za-z]+|\d+"


def find_prose_secrets(text: str, lowered: str) -> Iterator[tuple[str, Span]]:
    """The sort and the place of each, in no order; `lowered` is the text in lower case."""
    if "PIN" in text or any(name in lowered for name in _HINTS):
        yield from _passwords(text)
    if any(name in lowered for name in _KEY_HINTS):
        for match in chain(_compiled(_KEY_TOLD).finditer(text), _compiled(_KEY_BESIDE).finditer(text)):
            span = _place(match)
            value = text[span.start : span.end]
            if _is_key(value, loose=not _compiled(_BARE_NAME).match(match[0])):
                yield "key or token", span
    if "/" in text or " and " in lowered or "credential" in lowered or "@" in text:
        yield from _pairs(text, lowered)
    if any(word in lowered for word in ("phrase", "mnemonic", "recovery", "助记词")):
        yield from (("recovery phrase", Span(*match.span("bare"))) for match in _compiled(_PHRASE).finditer(text))


def _passwords(text: str) -> Iterator[tuple[str, Span]]:
    """Each password, and those that the same sentence tells beside it."""
    read: set[int] = set()
    for sort, span in _first_passwords(text):
        yield sort, span
        yield from ((sort, other) for other in following_secrets(text, span.end, read))


def following_secrets(text: str, at: int, read: set[int]) -> Iterator[Span]:
    """The passwords after one that ends there, told as what it was before or is since.

    `read` holds the ends behind which was looked already, and gets those that are looked behind now.
    """
    while at not in read and (match := _compiled(_AGAIN).match(text, at)):
        read.add(at)
        span = _place(match)
        value = text[span.start : span.end]
        quoted, ends = match["quoted"] is not None, bool(_compiled(_END).match(text, span.end))
        odd = _looks_made_up(value) or (value.isdigit() and len(value) >= 4)
        if not (odd or match["told"]) or not _is_password(value, told=True, quoted=quoted, ends=ends):
            return
        yield span
        at = span.end


def _first_passwords(text: str) -> Iterator[tuple[str, Span]]:
    for form, told in ((_PASSWORD_TOLD, True), (_PASSWORD_BESIDE, False)):
        pattern = _compiled(form)
        at = 0
        while match := pattern.search(text, at):
            at = match.start() + 4
            span = _place(match)
            value = text[span.start : span.end]
            quoted = match["quoted"] is not None
            ends = bool(_compiled(_END).match(text, span.end))
            if value.isalpha() and told and _compiled(_FOREIGN).search(match["link"]):
                ends = False
            if _is_password(value, told=told, quoted=quoted, ends=ends):
                yield "password", span
                at = span.end
    for form in (_PASSWORD_BEFORE, _PASSWORD_FROM, _HAN_FROM):
        for match in _compiled(form).finditer(text):
            span = _place(match)
            value = text[span.start : span.end]
            if _looks_made_up(value) and not value.isalpha():
                yield "password", span
    yield from (("password", _place(match)) for match in _compiled(_DIGITS_BESIDE).finditer(text))
    for match in _compiled(_OPTION).finditer(text):
        if not _compiled(_PLACEHOLDER).fullmatch(match["bare"]):
            yield "password", _place(match)


def _pairs(text: str, lowered: str) -> Iterator[tuple[str, Span]]:
    """A name and its password, as in `login: ada / hunter2`."""
    forms = [_PAIR, _CREDENTIALS] if any(word in lowered for word in _PAIR_HINTS) else []
    for form in [*forms, _MAIL_PAIR] if "@" in text else forms:
        for match in _compiled(form).finditer(text):
            span = _place(match)
            if _looks_made_up(text[span.start : span.end]):
                yield "password", span


def _place(match: re.Match[str]) -> Span:
    """Where the value stands, without the marks around and behind it."""
    groups = match.groupdict()
    if groups.get("quoted") is not None:
        return Span(*match.span("quoted"))
    start, value = match.start("bare"), match["bare"]
    if opened := value[0] if value[0] in "\"'`" else "":
        start, value = start + 1, value[1:]
        if opened in value:
            value = value[: value.index(opened)]
    for stop in ("</", '",', '"}', "',", "';", '";'):
        value = value.partition(stop)[0]
    kept = value.rstrip(_TRAILING)
    # An exclamation mark behind letters and digits is as likely the password's last character.
    if (
        value[len(kept) : len(kept) + 1] == "!"
        and _looks_made_up(kept + "!")
        and kept
        and any(c.isdigit() for c in kept)
    ):
        kept += "!"
    return Span(start, start + len(kept))


def _is_password(value: str, *, told: bool, quoted: bool, ends: bool) -> bool:
    """Whether what stands behind the name of a password is one.

    Behind a link ("is", ":", 是) one plain word that ends the clause is taken for one unless it is said of passwords;
    without a link only what no word looks like.
    """
    if len(value) < 3 or _compiled(_PLACEHOLDER).fullmatch(value) or _compiled(_TECHNICAL).fullmatch(value):
        return False
    if quoted:
        return (told and value.casefold() not in _ORDINARY) or _looks_made_up(value)
    if not told:
        return len(value) >= 6 and _looks_made_up(value) and any(c.isdigit() for c in value)
    if value.isdigit():
        return len(value) >= 4 and ends
    if _looks_made_up(value):
        return True
    return (
        ends and value.isalpha() and len(value) >= 4 and value.casefold() not in _ORDINARY and not _is_predicate(value)
    )


def _is_predicate(word: str) -> bool:
    """Whether a word looks like something said of a thing: an adjective, a participle, an adverb."""
    return word.casefold().endswith(
        ("ed", "ing", "able", "ible", "ly", "ful", "less", "ous", "ive", "ic", "al", "ary", "ent", "ant")
    )


def _looks_made_up(value: str) -> bool:
    """Whether it is no word, name, number or compound of them: digits among letters, odd signs, odd capitals."""
    if _compiled(_PLACEHOLDER).fullmatch(value) or _compiled(_TECHNICAL).fullmatch(value):
        return False
    letters, digits = any(c.isalpha() for c in value), any(c.isdigit() for c in value)
    if digits and letters:
        return len(value) >= 5
    if any(not c.isalnum() and c not in "-_.'’/,:" for c in value):
        return len(value) >= 5 and (letters or digits) and "://" not in value
    parts = _compiled(_PART).findall(value)
    if len(parts) >= 4 and letters and not value.isalpha() and "." not in value and "/" not in value:
        return True  # correct-horse-battery-staple
    inner = value[1:]
    return value.isalpha() and inner != inner.lower() and inner != inner.upper() and len(value) >= 8


def _is_key(value: str, *, loose: bool) -> bool:
    """Whether what stands behind the name of a key is one: long, with digits, and no compound of words.

    `loose` is for names of two words, such as "api key", behind which shorter ones count.
    """
    if (
        len(value) < (10 if loose else 16)
        or _compiled(_PLACEHOLDER).fullmatch(value)
        or _compiled(_TECHNICAL).fullmatch(value)
    ):
        return False
    if not re.fullmatch(r"[A-Za-z0-9+/=_.~!@#$^&*-]+", value) or not re.search(r"[A-Za-z]", value):
        return False
    words = re.split(r"[-_./]", value)
    plain = sum(len(word) for word in words if re.fullmatch(r"[A-Za-z]{2,14}|[vV]?\d{1,4}", word) and not _mixed(word))
    return bool(re.search(r"\d", value)) and plain < len(value) / 2


def _mixed(word: str) -> bool:
    return word[1:] != word[1:].lower() and word[1:] != word[1:].upper()
