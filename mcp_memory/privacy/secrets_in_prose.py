"""Secrets in words: a name ("the password", `DB_PASSWORD`, 密码), a link ("is", "=", 是) and a value with enough entropy."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mcp_memory.language.tokenization import Span
from mcp_memory.privacy.randomness import looks_made_up, looks_random, matcher, stands_in

_PASSWORD_WORDS = (
    "password passwd passphrase passcode pass-phrase pwd passwort kennwort contraseña contrasena senha пароль пароля "
    "密码 密碼 口令 パスワード 暗証番号 비밀번호 암호"
).split()
_PASSWORD = (
    rf"(?P<name>{'|'.join(map(re.escape, _PASSWORD_WORDS))}|pass[ ]phrase|mot de passe|parola d'ordine"
    r"|(?-i:\b(?:PIN|PUK)\b)(?: number| code(?! (?:of|for|in|at) (?-i:[A-Z])[\w ,]{1,40} is \d{6}\b))?|PIN码"
    r"|(?<![a-z])(?:pass|pw|psw|pswd)(?=[\"'`]?\s*[:=])|(?<![a-z.])pw(?=\s)|(?<=with )pass(?=\s))"
)
"""Names of a password. A "PIN code of Pune" with six digits is an Indian postal code."""
_KEY = (
    r"(?P<name>api[ _-]?(?:key|token|secret)|access[ _-]?(?:key|token)|auth(?:entication)?[ _-]?(?:key|token)|refresh[ _-]?token"
    r"|secret[ _-]?(?:access[ _-]?)?key|client[ _-]?secret|private[ _-]?key|signing[ _-]?(?:key|secret)|encryption[ _-]?key"
    r"|license[ _-]?key|account[ _-]?key|deploy[ _-]?(?:key|token)|webhook[ _-]?secret|session[ _-]?(?:key|secret)|secret|token|credentials?"
    r"|密钥|秘钥|私钥|令牌|授权码|アクセスキー|トークン)s?"
)
_ONE_WORD = r"(?i)(?:secret|token|credentials?|令牌|トークン)s?(?![ _-]?[a-z])"
"""Names that are used of much that is no key: a value after one must be longer."""
_IDENTIFIER = (
    r"(?<![:/])(?:[Ss]ecret|SECRET|[Pp]assw(?:or)?d|PASSW(?:OR)?D|[Pp]assphrase|PASSPHRASE|[Pp]wd|PWD|[Tt]oken|TOKEN"
    r"|(?<=[A-Za-z0-9][_.-])(?:key|KEY)|(?<=[a-z0-9])Key)(?!(?-i:[_-]?I[Dd]|[_-]id)\b)(?:[_-]\w{1,16}|[A-Z]\w{1,16})?"
)
_LOCKED = (
    r"(?:(?:front|back|garage|burglar|house|office|bike|luggage|gun|key|wall|hotel)[ -]?)?(?:alarm|door|gate|garage|safe|sim(?: card)?"
    r"|(?:bank |debit |credit |key )?card|lock(?:box|er)?|padlock|keypad|wi-?fi|entry|entrance|intercom|voicemail|phone unlock|screen lock)"
    r"(?:[ -](?:system|lock|keypad|panel|box))?"
)
_CODE = r"(?:(?:pin|pass|access|unlock|entry|security)[ -]?)?(?:code|pin|combination|combo)"
_LOCK = (
    rf"\b(?:{_LOCKED}(?:'s)?[ -]{_CODE}(?:\s+(?:for|of|to|at|in|on)(?:\s+[\w'’-]{{1,20}}){{1,4}}?)?"
    rf"|{_CODE}\s+(?:for|of|to|on)\s+(?:(?:the|my|our|his|her|their)\s+)?(?:[\w'’-]{{1,20}}\s+){{0,2}}?{_LOCKED}(?:\s+(?:at|in|of)(?:\s+[\w'’-]{{1,20}}){{1,3}}?)?"
    rf"|{_LOCKED} opens with(?: the code)?)"
)
_HAN_LOCK = (
    r"(?:门禁|大门|房门|家门|车库门?|门锁|防盗门|报警器?|警报器?|保险[柜箱]|储物柜|银行卡|信用卡|SIM ?卡|手机卡)"
)
_BACKUP = (
    r"(?:\b(?:(?:2fa|mfa|two[ -]factor|totp|google|github|apple|account)\s+)?(?:backup|recovery|scratch|emergency)[ -]?(?:login )?codes?\b"
    r"|(?:备用|备份|恢复|应急)(?:验证|登录|代)?码)"
)
_DIAL = (
    rf"(?:{_LOCKED}(?:'s)? (?:combination|combo)|(?:combination|combo) (?:for|of|to|on) (?:(?:the|my|our|his|her|their) )?(?:[\w'’-]{{1,20}} ){{0,2}}?{_LOCKED})"
    r"(?:\s+(?:at|in|of)(?:\s+[\w'’-]{1,20}){1,3}?)?"
)
_ACCOUNT = (
    r"(?:\b(?:credentials?|log ?in|account|user(?:name)?)\b(?:\s+(?:is|are)|\s+(?:for|of|to|on)(?:\s+[\w'’-]{1,20}){1,4}?\s+(?:is|are)|\s*[:：=])\s*"
    r"|\blog ?in (?:with|as)\s+)[\w.@+-]{2,40}"
)
_MAIL = r"[\w.+-]{1,60}@[\w-]{1,60}(?:\.[\w-]{1,30}){1,4}"
_OPTION = (
    r"(?:--pass(?:word|wd)?[ =]|sshpass -p ?|(?:docker|podman|az|helm) (?:registry )?login\b[^\n]{0,80}? -p ?|\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n]{0,80}? -p(?!\d+\b)"
    r"|redis-cli\b[^\n]{0,80}? -a |\bbasic auth\w*[ :]{1,3}[\w.@-]{1,40}:|(?:curl|wget|http)\b[^\n]{0,120}?(?:-u|--user)[ =]['\"]?[\w.@-]{1,40}:)"
)
_PHRASE = r"(?:(?:(?:seed|recovery|mnemonic|backup)[ -]?(?:phrase|words)|mnemonic)\b[^:：\n]{0,40}?|\bseed\s?|助记词[^:：\n]{0,40}?)"
_PRIVATE = r"(?:priv(?:ate|\.)?[ -]?key|(?:wallet|signing|seed|secret)[ -]key|私钥)"
_DIGEST = r"(?:not|hash|sha-?\d*|digest|checksum|fingerprint|public|commit|file)\b"

_LINK = (
    r"(?P<link>[\"'`]?\s*(?::=|=>|={1,3}|[:：＝])\s*|'s\s+|\s+(?:is|was|are|used to be|ist|lautet|est|es|é|è|это)(?:\s+(?:now|set to|changed to|still|just|simply|always|currently))?\s*:?\s+"
    r"|\?\s*(?:it'?s|it is)\s+|\s+as\s+|\s+[-–—]+\s+(?:use |it'?s )?|>(?=[^<>\s]{3,80}</)"
    r"|\s*(?:→|->)\s*|\s+(?:enter|type|use)\s+|\s+(?:(?:has |have |was |is |got |gets |been |now |just ){0,4}(?:changed|set|reset|rotated|updated|switched) )?to\s+"
    r"|\s*(?:是|为|為|叫|设为|设成|设置为|设置成|改为|改成|换成|变成|就是|现在是)了?\s*[:：]?\s*|\s*(?:は|는|은)\s*)"
)
_CODE_LINK = (
    r"(?:\s*[:=→]\s*|\s+(?:is|was)\s+(?:now\s+|still\s+|set to\s+|changed to\s+)?"
    r"|\s+(?:(?:was|is|has been|got)\s+)?(?:changed|reset|set|updated) to\s+|(?=\s\d{4,8}(?:[#*]|[.!?]?\s*\Z)))\s*"
)
_HAN_LINK = r"\s*(?:是|为|[:：]|改成了?|换成了?|改为了?|变成了?)\s*"
_FOREIGN = r"(?i)\s*(?:ist|lautet|est|es|é|è|это)\b.*"
"""Links after which a plain word is not taken for a password: predicates of these languages are not listed here."""
_ABOUT = (
    r"(?:\s+(?:for|of|to|on|at|in|für|vom|von|zum|de|du|del|do|da|para|pour|per|для|от)(?:\s+(?:the|my|our|his|her|their|a|this|that))?"
    r"(?:\s+[\w.@'’/-]{1,24}){1,4}?|,\s[a-z ]{2,30},|\s*[（(][^()（）\n]{1,30}[)）]|[\u4e00-\u9fff]{1,6}?)?"
)
"""The purpose of a password, between its name and the link: "the password for the guest network is"."""
_TO = (
    r"(?:(?P<changed>(?:(?:and|but|now|so|then)\s+)?(?:(?:it|that|which)\s+)?(?:(?:was|is|has been|had been|got)\s+)?(?:just\s+|now\s+|since\s+|later\s+)?(?:changed|reset|updated|rotated|switched|set)?\s*\bto\s+"
    r"|(?:(?:and|but|while)\s+)?(?:the\s+|my\s+|our\s+)?(?:new|old|former|previous|current|other|second|last)(?:\s+(?:one|password|pw))?\s*(?:is|was|:)\s+(?:now\s+)?"
    r"|(?:→|->|=>)\s*|(?:，|,|。|；|\s)*(?:现在|后来|以前|之前|原来)?(?:新的|旧的|新密码|旧密码)?(?:改成|改为|换成|变成|到|是)了?[:：]?\s*)"
    r"|(?:(?:and|but|now|then)\s+){0,2}(?:it|that)(?:'s|\s+(?:is|was|used to be))\s+(?:now\s+|before\s+)?|(?:previously|formerly|before(?: that)?|instead of|no longer|not|(?:(?:and|but)\s+)?(?:is|was)(?:\s+now)?|or|and)\s*:?\s+)"
)
"""How a second password is linked to the first: "was changed to …", "and the new one is …", "it was …"."""

_QUOTED = r"[\"“「『`'‘](?P<quoted>[^\"”」』`'’\n]{3,80})[\"”」』`'’]"
_BARE = r"(?P<bare>[!-~]{3,200})"
_VALUE = rf"(?:{_QUOTED}|{_BARE})"
_STRING = r"[bru]{0,2}(?:\"(?P<quoted>[^\"\n]{8,200})\"|'(?P<single>[^'\n]{8,200})')"
_AGAIN = rf"(?i)[\"”」』`'’)\]]?[\s,;.，。；(—–-]{{0,4}}{_TO}{_VALUE}"
_LOCK_DIGITS = r"(?P<bare>[#*]?\d{4,8}[#*]?)(?![\d-])(?:(?<=[#*])|(?=[.!?]*\s*$|[.!?]\s|[,;。，；！)\]\"”]|\s+(?:and|but|for|on|as|now|since|from)\b|[\u3000-\u9fff]))"
_ONE_CODE = r"(?=[a-z-]{0,12}\d)(?:[a-z0-9]{3,6}(?:-[a-z0-9]{3,6}){1,4}|[a-z0-9]{6,12}|\d{4} \d{4})(?![a-z0-9]|-[a-z0-9]|[./:]\w)"
_HEX = r"(?<![\w-])(?P<bare>(?:0x)?[0-9a-fA-F]{64})(?![\w-])"
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
"""Plain words that describe a password and are none."""
_PREDICATES = ("ed", "ing", "able", "ible", "ly", "ful", "less", "ous", "ive", "ic", "al", "ary", "ent", "ant")
"""Endings of adjectives, participles and adverbs."""
_END = r"[\"'”’)\]]*(?:[.!?](?=\s|$)|\s*了|[,;。，；！!]|\s*$|\s*\n|\s+(?:and|but|for|on|as)\b|(?=[\u3000-\u9fff]))"
_IDENTIFIES = r"(?i)[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class SecretMatch(NamedTuple):
    """A stretch of a text that looks like a secret, and its sort."""

    sort: str
    span: Span


class _Value(NamedTuple):
    """A candidate: the text in the place of a secret."""

    text: str
    match: re.Match[str]
    span: Span
    quoted: bool


class _Form(NamedTuple):
    """A way to state a secret. The value of a match is one if `accepts` returns True."""

    sort: str
    hints: str
    """Words in lower case, "_" for a space, one of which is in every text that has the form: they are looked for first."""
    pattern: str
    accepts: Callable[[_Value], bool]


def _is_linked(value: _Value) -> bool:
    """After a link a plain word that ends the clause counts too, unless it describes passwords."""
    text, groups = value.text, value.match.groupdict()
    ends = bool(matcher(_END).match(value.match.string, value.span.end))
    if stands_in(text):
        return False
    if value.quoted:
        return text.casefold() not in _ORDINARY or looks_made_up(text)
    if text.isdigit():  # a verb, as in "Tests pass: 4821", has a word right before it
        before = value.match.string[max(0, value.match.start() - 2) : value.match.start()]
        verb = (groups.get("name") or "").lower() == "pass" and matcher(r"[A-Za-z] ").match(before)
        return len(text) >= (8 if verb else 4) and ends
    if looks_made_up(text):
        return True
    plain = ends and text.isalpha() and not matcher(_FOREIGN).match(groups.get("link") or "")
    return plain and len(text) >= 4 and text.casefold() not in _ORDINARY and not text.casefold().endswith(_PREDICATES)


def _is_adjacent(value: _Value) -> bool:
    """Without a link only what looks like no word counts."""
    made_up = looks_made_up(value.text)
    return made_up and (value.quoted or (len(value.text) >= 6 and any(map(str.isdigit, value.text))))


def _is_odd(value: _Value) -> bool:
    return looks_made_up(value.text) and not value.text.isalpha()


def _is_key(value: _Value) -> bool:
    short = not matcher(_ONE_WORD).match(value.match[0])
    return len(value.text) >= (10 if short else 16) and looks_random(value.text, 2.5)


def _is_assigned(value: _Value) -> bool:
    """A short key or token has capitals within or signs; a digest or UUID assigned to a key in small letters is an id."""
    if not looks_random(value.text, 2.7, quoted=value.quoted):
        return False
    if matcher(_IDENTIFIES).fullmatch(value.text) and value.match[0].startswith(("key", "Key")):
        return False
    inner = value.text[1:]
    mixed = inner not in (inner.lower(), inner.upper()) or any(not c.isalnum() and c not in "-_.:/" for c in inner)
    return mixed or len(value.text) >= 16 or not matcher(r"(?i)key|token").match(value.match[0])


def _is_made_up(value: _Value) -> bool:
    return looks_made_up(value.text)


def _is_phrase(value: _Value) -> bool:
    """A wallet's phrase has 12, 15, 18, 21 or 24 words, and no articles or conjunctions (BIP 39)."""
    words = value.text.lower().replace(",", " ").split()
    return len(words) in (12, 15, 18, 21, 24) and not {"the", "and", "for", "was", "are", "with"} & set(words)


def _is_given(value: _Value) -> bool:
    return not stands_in(value.text)


def _is_any(value: _Value) -> bool:
    return True


_PASSWORDS = f"{' '.join(_PASSWORD_WORDS)} pass pin puk mot_de parola pw"
_KEYS = "key token secret credential 密钥 秘钥 私钥 令牌 授权码 キー トークン"
_FORMS = (
    _Form("password", _PASSWORDS, rf"(?i){_PASSWORD}{_ABOUT}{_LINK}{_VALUE}", _is_linked),
    _Form("password", _PASSWORDS, rf"(?i){_PASSWORD}\s+{_VALUE}", _is_adjacent),
    _Form("password", _PASSWORDS, rf"(?i)(?<![!-~]){_BARE}\s+(?:is|was)\s+(?:now\s+)?(?:my|our|the|his|her|their)\s+(?:(?:old|new)\s+)?(?:[\w-]{{1,20}}\s+){{0,2}}?{_PASSWORD}(?!\s*[\w-]|\s+(?:manager|hash|field|policy))", _is_odd),
    _Form("password", _PASSWORDS, rf"(?i){_PASSWORD}{_ABOUT}\s+(?:(?:was|is|has been|got)\s+)?(?:changed\s+|reset\s+|updated\s+|switched\s+)?from\s+{_VALUE}(?=\s+to\s)", _is_odd),
    _Form("password", "密码 密碼 口令", r"(?:密码|密碼|口令)(?:从|由)\s*(?P<bare>[!-~]{4,80})", _is_odd),
    _Form("password", "密码 密碼 口令", r"(?:密码|密碼|口令)\s*(?P<bare>(?:\d{6,16}|\d{4,5}(?=[#*。，,;；]|\s*$))[#*]?)(?![A-Za-z0-9_.-])(?!\s*[位个年月元])", _is_any),
    _Form("password", "passcode pin puk", r"\b(?:[Pp]asscode|PIN|PUK)\s+(?P<bare>\d{4,10})(?=[.!?,;)]?(?:\s*$|\s*\n|\s+(?:and|but|for|on|as)\b))", _is_any),
    _Form("password", "--pass sshpass login mysql mariadb redis-cli basic_auth curl wget http --user", rf"{_OPTION}['\"]?(?P<bare>[^\s'\"$]{{3,80}})", _is_given),
    _Form("password", "credential login log_in account user", rf"(?i){_ACCOUNT}\s*(?:/|,?\s+and\s+(?:(?:(?:the|my)\s+)?pass(?:word)?\s+(?:is\s+)?)?|\s+:\s+)\s*(?P<bare>[!-~]{{6,80}})", _is_made_up),
    _Form("password", "credential", r"(?i)\bcredentials?\s+(?:is|are)\s+[\w.@+-]{2,40}:(?!//)(?P<bare>[!-~]{6,80})", _is_made_up),
    _Form("password", "@", rf"{_MAIL}\s{{1,3}}[/|]\s{{1,3}}(?P<bare>(?=[!-~]{{0,60}}[A-Za-z])(?=[!-~]{{0,60}}\d)(?=[!-~]{{0,60}}[!#$%^&*?~])[^\s/@:.]{{6,60}})(?=[.,;)]?(?:\s|$))", _is_made_up),
    _Form("code", "code pin comb opens_with", rf"(?i){_LOCK}{_CODE_LINK}{_LOCK_DIGITS}", _is_any),
    _Form("code", "comb", rf"(?i)\b{_DIAL}(?:\s+(?:is|was)(?:\s+now)?|\s*[:=])?\s*(?P<bare>\d{{1,2}}(?P<gap>[ -])\d{{1,2}}(?P=gap)\d{{1,2}})(?![\w-])", _is_any),
    _Form("code", "码 门 报警 警报 保险 储物 卡", rf"{_HAN_LOCK}(?:的?(?:PIN ?)?(?:代码|码){_HAN_LINK}(?P<bare>[#*]?\d{{4,8}}[#*]?)|\s*(?P<quoted>\d{{3,8}}[#*]))(?!\d)", _is_any),
    _Form("backup codes", "code 码", rf"(?i){_BACKUP}(?:\s+(?:for|of)(?:\s+[\w'’-]{{1,20}}){{1,3}}?)?\s*(?:[:：=]|\bare\b:?|\bis\b:?|是|为)\s*(?P<bare>{_ONE_CODE}(?:(?:\s*[,;，、；]\s*(?:and\s+)?|\s+and\s+|\s+){_ONE_CODE})*)", _is_any),
    _Form("key or token", _KEYS, rf"(?i){_KEY}(?:[_-][a-z]{{2,12}}){{0,2}}(?:\s+(?:header|value|env(?:ironment)? var(?:iable)?|variable)){{0,2}}{_ABOUT}{_LINK}{_VALUE}", _is_key),
    _Form("key or token", _KEYS, rf"(?i){_KEY}\s+[\"'`]?(?P<bare>(?=[!-~]{{0,80}}\d)[A-Za-z0-9+/=_.~-]{{20,200}})", _is_key),
    _Form("key or token", "key token secret passw passphrase pwd", rf"{_IDENTIFIER}[\"'`]?\s*(?::=|=>|=(?!=)|:)\s*(?:{_STRING}|(?P<bare>[^\s\"'`,;<>]{{8,200}}))", _is_assigned),
    _Form("recovery phrase", "phrase mnemonic recovery seed 助记词", rf"(?i){_PHRASE}(?::|：|\bis\b|是)\s*[\"“]?(?P<bare>(?:[a-z]{{3,8}}[ ,]+){{11,23}}[a-z]{{3,8}})\b", _is_phrase),
    _Form("private key", "key 私钥", rf"(?i){_HEX}[\"'`]?\s*(?:,|=|:|[-–—]|is|was|是)?\s*(?:(?!{_DIGEST})[\w'’]+\s+){{0,4}}?{_PRIVATE}", _is_any),
    _Form("private key", "key 私钥", rf"(?i)(?<!hash of the )(?<!digest of the )(?<!checksum of the )(?<!fingerprint of the ){_PRIVATE}(?:(?!\b{_DIGEST})[^\n.;,]){{0,40}}?{_HEX}", _is_any),
)  # fmt: skip
"""One row a form, its pattern a name, a link and a value in the order in which they are written."""
_BY_HINT = tuple((hint.replace("_", " "), form) for form in _FORMS for hint in form.hints.split())


def find_prose_secrets(text: str, lowered: str) -> Iterator[SecretMatch]:
    """Yield the secrets in no order, former and newer ones beside a password included; `lowered` is the text in lower case."""
    read: set[int] = set()
    for form in dict.fromkeys(form for hint, form in _BY_HINT if hint in lowered):
        pattern, at = matcher(form.pattern), 0
        while match := pattern.search(text, at):
            value, at = _value(match), match.start() + 4
            if len(value.text) >= 3 and form.accepts(value):
                at = max(at, value.span.end)
                yield SecretMatch(form.sort, value.span)
                if form.sort in ("password", "code"):
                    yield from (SecretMatch(form.sort, span) for span in following_secrets(text, value.span.end, read))


def following_secrets(text: str, at: int, read: set[int]) -> Iterator[Span]:
    """Yield the passwords after one that ends at `at`: its former value, or the newer one.

    `read` is updated: it holds the ends after which was searched already.
    """
    while at not in read and (match := matcher(_AGAIN).match(text, at)):
        read.add(at)
        value = _value(match)
        odd = looks_made_up(value.text) or (value.text.isdigit() and len(value.text) >= 4)
        if not (odd or match["changed"]) or not _is_linked(value):
            return
        yield value.span
        at = value.span.end


def _value(match: re.Match[str]) -> _Value:
    """Return the value without the punctuation around it."""
    for group in ("quoted", "single"):
        if group in match.re.groupindex and match[group] is not None:
            return _Value(match[group], match, Span(*match.span(group)), quoted=True)
    start, value = match.start("bare"), match["bare"]
    if opened := value[0] if value[0] in "\"'`" else "":
        start, value = start + 1, value[1:].partition(opened)[0]
    for stop in ("</", '",', '"}', "',", "';", '";'):
        value = value.partition(stop)[0]
    stripped = value.rstrip(".,;:!?'\")]}>”’。，；")
    # An exclamation mark behind letters and digits is as likely the password's last character.
    if value[len(stripped) :].startswith("!") and any(map(str.isdigit, stripped)) and looks_made_up(stripped + "!"):
        stripped += "!"
    return _Value(stripped, match, Span(start, start + len(stripped)), quoted=False)
