"""What in a text has the shape of a secret: keys, tokens, passwords, private keys, payment cards."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from typing import NamedTuple

from mcp_memory.language.tokenization import Span
from mcp_memory.privacy.secrets_in_prose import find_prose_secrets
from mcp_memory.privacy.told_codes import told_codes

_compiled = cache(re.compile)


class SecretMatch(NamedTuple):
    """A stretch of a text that looks like a secret, and of what sort."""

    sort: str
    span: Span


class Shape(NamedTuple):
    """How secrets of a sort look; the group `secret` is what is to be hidden, where it is not the whole."""

    sort: str
    hints: Sequence[str]
    """One of these stands in every text that has the shape, in lower case where the pattern ignores case: looking for them
    first costs next to nothing."""
    pattern: str
    """Compiled when a text has one of the hints."""
    flags: re.RegexFlag = re.NOFLAG


def _shape(sort: str, hints: str, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> Shape:
    return Shape(sort, hints.split(), pattern, flags)


_WORD, _EDGE = r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])"

_SHAPES = (
    # A block ends with its END line; one that was cut off, where its lines of base64 do.
    _shape(
        "private key",
        "PRIVATE",
        r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
        r"(?:(?:(?!-{4,5} ?(?:BEGIN|END))[\s\S])*?-{4,5} ?END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
        r"|(?:(?:\s|\\[nr])*(?:[A-Za-z0-9+/=]{16,}|[A-Z][A-Za-z-]+: [^\n]*))*(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{1,76}(?=\s|$|\\[nr]|[\"']))?)",
    ),
    _shape("private key", "PuTTY-User-Key-File", r"PuTTY-User-Key-File-\d: [\s\S]*?(?:Private-MAC: [0-9a-f]+|\Z)"),
    _shape("private key", "AGE-SECRET-KEY-1", r"\bAGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{40,}"),
    _shape("private key", "prv", rf"{_WORD}[xyzt]prv[1-9A-HJ-NP-Za-km-z]{{100,112}}{_EDGE}"),
    _shape("AWS access key", "AKIA ASIA ABIA ACCA", rf"{_WORD}(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{{16}}{_EDGE}"),
    _shape(
        "AWS secret key",
        "AKIA ASIA",
        r"(?:AKIA|ASIA)[0-9A-Z]{16}\b[\s\S]{0,80}?(?<![A-Za-z0-9/+])"
        r"(?P<secret>(?=[A-Za-z/+]{0,39}\d)(?![0-9a-f]{40})[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    _shape("Alibaba Cloud key", "LTAI", rf"{_WORD}LTAI(?=[A-Za-z]*\d)[A-Za-z0-9]{{12,26}}{_EDGE}"),
    _shape("Tencent Cloud key", "AKID", rf"{_WORD}AKID(?=[A-Za-z]*\d)[A-Za-z0-9]{{28,36}}{_EDGE}"),
    _shape(
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        rf"{_WORD}(?:gh[pousr]_[A-Za-z0-9]{{30,}}|github_pat_[A-Za-z0-9_]{{22,}}){_EDGE}",
    ),
    _shape(
        "GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat- glagent- glimt- gloas-",
        rf"{_WORD}gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt|oas)-[A-Za-z0-9_.=-]{{16,}}",
    ),
    _shape("Slack token", "xox xapp-", rf"{_WORD}(?:xox[abeoprs](?:\.xox[bp])?-|xapp-)[0-9A-Za-z-]{{10,}}"),
    _shape(
        "Slack webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?P<secret>(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,})",
    ),
    _shape(
        "Discord webhook", "webhooks/", r"discord(?:app)?\.com/api/webhooks/(?P<secret>\d{17,20}/[A-Za-z0-9_-]{50,})"
    ),
    _shape("Anthropic key", "sk-ant-", rf"{_WORD}sk-ant-[A-Za-z0-9_-]{{20,}}"),
    _shape("OpenAI key", "sk-", rf"{_WORD}sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{{20,}}"),
    _shape(
        "API key",
        "sk- pk- rk-",
        rf"{_WORD}(?:sk|pk|rk)-(?=[A-Za-z_-]{{0,80}}\d)(?:[a-z]{{2,8}}-(?:v\d-)?)?[A-Za-z0-9_]{{20,}}{_EDGE}",
    ),
    _shape("Stripe key", "_live_ _test_", rf"{_WORD}(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{{10,}}"),
    _shape("webhook secret", "whsec_", rf"{_WORD}whsec_[A-Za-z0-9+/=]{{20,}}"),
    _shape("Google key", "AIza", rf"{_WORD}AIza[0-9A-Za-z_-]{{35}}(?![0-9A-Za-z_-])"),
    _shape(
        "Google token",
        "ya29. GOCSPX- 1//0",
        rf"{_WORD}(?:ya29\.[0-9A-Za-z_-]{{20,}}|GOCSPX-[0-9A-Za-z_-]{{20,}}|1//0[0-9A-Za-z_-]{{40,}})",
    ),
    _shape("npm token", "npm_", rf"{_WORD}npm_[A-Za-z0-9]{{30,}}"),
    _shape("PyPI token", "pypi-", rf"{_WORD}pypi-Ag[A-Za-z0-9_-]{{30,}}"),
    _shape("Hugging Face token", "hf_ api_org_", rf"{_WORD}(?:hf|api_org)_[A-Za-z0-9]{{30,}}{_EDGE}"),
    _shape("Telegram bot token", ":AA", rf"{_WORD}\d{{8,10}}:AA[A-Za-z0-9_-]{{33}}(?![A-Za-z0-9_-])"),
    _shape(
        "Discord token",
        ".",
        rf"{_WORD}[MNO][A-Za-z0-9_-]{{23,27}}\.[A-Za-z0-9_-]{{6}}\.[A-Za-z0-9_-]{{27,40}}(?![A-Za-z0-9_-])",
    ),
    _shape("SendGrid key", "SG.", rf"{_WORD}SG\.[A-Za-z0-9_-]{{16,32}}\.[A-Za-z0-9_-]{{16,64}}"),
    _shape("Mailgun key", "key-", rf"{_WORD}key-[0-9a-f]{{32}}{_EDGE}"),
    _shape("Mailchimp key", "-us", rf"{_WORD}[0-9a-f]{{32}}-us\d{{1,2}}{_EDGE}"),
    _shape("Twilio key", "SK", rf"{_WORD}SK[0-9a-f]{{32}}{_EDGE}"),
    _shape("Shopify token", "shp", rf"{_WORD}shp(?:at|ca|pa|ss|ua)_[0-9a-fA-F]{{32}}"),
    _shape("Square token", "sq0 EAAA", rf"{_WORD}(?:sq0(?:atp|csp|idp)-[0-9A-Za-z_-]{{22,}}|EAAA[0-9A-Za-z_-]{{56,}})"),
    _shape("Meta token", "EAA", rf"{_WORD}EAA(?=[A-Za-z]*\d)[0-9A-Za-z]{{60,}}{_EDGE}"),
    _shape("Databricks token", "dapi", rf"{_WORD}dapi[0-9a-f]{{32}}(?:-\d)?{_EDGE}"),
    _shape("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", rf"{_WORD}do[opr]_v1_[0-9a-f]{{64}}"),
    _shape("Vault token", "hvs. hvb. hvr.", rf"{_WORD}hv[sbr]\.[A-Za-z0-9_-]{{20,}}"),
    _shape("Terraform token", ".atlasv1.", rf"{_WORD}[A-Za-z0-9]{{14}}\.atlasv1\.[A-Za-z0-9_=-]{{40,}}"),
    _shape(
        "Atlassian token", "ATATT3 ATCTT3 ATBB", rf"{_WORD}(?:AT[AC]TT3[A-Za-z0-9_=-]{{40,}}|ATBB[A-Za-z0-9]{{28,}})"
    ),
    _shape(
        "Azure key",
        "accountkey= sharedaccesskey=",
        r"(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,}={0,2})",
        re.I,
    ),
    _shape("Azure secret", "Q~", rf"{_WORD}[A-Za-z0-9_~.-]{{3}}\dQ~[A-Za-z0-9_~.-]{{31,34}}"),
    _shape("Artifactory token", "AKC cmVmd", rf"{_WORD}(?:AKCp?[A-Za-z0-9]{{60,}}|cmVmd[A-Za-z0-9]{{59}}){_EDGE}"),
    # Services whose tokens begin with a word of their own: the word, then what it is the token of.
    *(
        _shape(
            f"{service} token", prefix, rf"{_WORD}{re.escape(prefix)}(?=[A-Za-z_-]{{0,80}}\d)[A-Za-z0-9_-]{{{least},}}"
        )
        for service, prefix, least in (
            ("Groq", "gsk_", 40),
            ("xAI", "xai-", 40),
            ("Perplexity", "pplx-", 40),
            ("Replicate", "r8_", 30),
            ("Notion", "ntn_", 40),
            ("Linear", "lin_api_", 32),
            ("Figma", "figd_", 30),
            ("Postman", "PMAK-", 30),
            ("Sentry", "sntrys_", 40),
            ("Sentry", "sntryu_", 40),
            ("Grafana", "glsa_", 30),
            ("Grafana", "glc_", 30),
            ("New Relic", "NRAK-", 20),
            ("Docker", "dckr_pat_", 20),
            ("RubyGems", "rubygems_", 40),
            ("Supabase", "sbp_", 36),
            ("PlanetScale", "pscale_tkn_", 30),
            ("Doppler", "dp.pt.", 36),
            ("Heroku", "HRKU-", 30),
            ("Pulumi", "pul-", 36),
            ("Fly.io", "fo1_", 40),
            ("Airtable", "pat", 80),
            ("1Password", "ops_eyJ", 80),
            ("Tailscale", "tskey-", 20),
            ("Volcengine", "AKLT", 30),
        )
    ),
    _shape(
        "one-time password seed",
        "otp 2fa mfa authenticator",
        r"\b(?:t?otp|2fa|mfa|authenticator)[ -](?:seed|secret|key|setup key)\b\s*(?:is|[:=])?\s*"
        r"(?P<secret>(?-i:(?=[A-Z]{0,63}[2-7])[A-Z2-7]{16,64}|(?=[a-z ]{0,78}[2-7])[a-z2-7]{4}(?: [a-z2-7]{4}){3,15}))(?![A-Za-z0-9])",
        re.I,
    ),
    _shape(
        "license key",
        "key",
        r"\bkeys?\b\D{0,40}?(?P<secret>(?-i:(?=[A-Z-]{0,28}\d)[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}))(?![\w-])",
        re.I,
    ),
    _shape("JSON web token", "eyJ", rf"{_WORD}eyJ[A-Za-z0-9_-]{{8,}}\.eyJ[A-Za-z0-9_-]{{8,}}(?:\.[A-Za-z0-9_-]*)?"),
    _shape("bearer token", "bearer", r"\bbearer\s+(?P<secret>(?=[^\s\"']*\d)[A-Za-z0-9._~+/-]{16,}=*)", re.I),
    _shape("password", "basic", r"\bauthorization\W{1,4}basic\s+(?P<secret>[A-Za-z0-9+/]{8,}={0,2})", re.I),
    _shape(
        "password",
        "://",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,80}:(?P<secret>(?!\d{1,5}[/?#])[^\s/@\"'<>$%{}*][^\s@\"'<>]{2,120}?)@(?=[\w\[$])",
        re.I,
    ),
    _shape(
        "token in an address",
        "= %3d",
        r"[?&;](?:access_?token|auth_?token|id_?token|refresh_?token|api_?key|apikey|client_?secret|secret|password|passwd|pwd|sig|signature|x-amz-signature|x-amz-security-token)="
        r"(?P<secret>[^\s&#;\"'<>{}$\[]{6,})",
        re.I,
    ),
    _shape(
        "card security code",
        "cv",
        r"\b(?:cvv2?|cvc2?|csc)\b(?:\s+(?:code|number))?\s*(?:is|[:=])?\s*(?P<secret>\d{3,4})(?!\d)",
        re.I,
    ),
)

_WHITE_RUN = re.compile(r"\s{20,}")
_CARD = re.compile(
    r"(?<![\w.+-])(?:\d{4}(?P<gap>[ -]?)\d{4}(?P=gap)\d{4}(?P=gap)\d{2,4}(?:(?P=gap)\d{3})?|\d{4}(?P<amex>[ -]?)\d{6}(?P=amex)\d{4,5})(?![\w-]|\.\d)"
)
_ISSUED = re.compile(
    r"4(?:\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
"""Numbers that the large issuers give (ISO/IEC 7812): a telephone, a book, a moment in milliseconds begins otherwise."""
_OTHER_NUMBER = re.compile(
    r"(?:\b(?:order|invoice|tracking|shipment|parcel|ticket|case|serial|imei|isbn|ean|upc|gtin|reference|ref|id|sku|phone|tel|account|transaction|booking|confirmation|timestamp|build)"
    r"(?:\s+(?:number|no|nr|id|code))?|订单号?|单号|编号|快递|运单|流水号|序列号|电话|手机|账号|注文|番号)[\s.:#=是为]*(?:is|was|of)?[\s.:#]*$",
    re.I,
)
"""What stands before a number that says itself what it is, and is no card."""


def find_secrets(text: str) -> list[SecretMatch]:
    """The stretches that look like secrets, in the order of the text, none within another; by shape alone, so some are none.

    A commit, a digest or a UUID is none by itself.

    >>> [shaped.sort for shaped in find_secrets("The password is hunter-2, the card 4111 1111 1111 1111.")]
    ['password', 'payment card']
    """
    narrow, gaps = _narrowed(text)
    lowered = narrow.lower()
    found = list(_vendor_secrets(narrow, lowered))
    found += [SecretMatch("payment card", span) for span in _cards(narrow)]
    found += [SecretMatch(sort, span) for sort, span in find_prose_secrets(narrow, lowered)]
    found += [SecretMatch(sort, span) for sort, span in told_codes(narrow, lowered)]
    return [SecretMatch(sort, _widened(span, gaps)) for sort, span in _apart(found)]


def _narrowed(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text with a long run of white space as one sign; and from which places on how many signs are left out before.

    Many forms let white space stand in several places that meet, and would read a run of 20,000 for seconds.
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
    """Where a stretch of the narrowed text stands in the text itself."""
    before = (bisect_right(gaps, place, key=itemgetter(0)) for place in span)
    start, end = (place + (gaps[number - 1][1] if number else 0) for place, number in zip(span, before, strict=True))
    return Span(start, end)


def _vendor_secrets(text: str, lowered: str) -> Iterator[SecretMatch]:
    for sort, hints, form, flags in _SHAPES:
        among = lowered if flags & re.I else text
        if not any(hint in among for hint in hints):
            continue
        pattern = _compiled(form, flags)
        group = "secret" if "secret" in pattern.groupindex else 0
        yield from (SecretMatch(sort, Span(*match.span(group))) for match in pattern.finditer(text))


def _cards(text: str) -> Iterator[Span]:
    for match in _CARD.finditer(text):
        number = re.sub(r"\D", "", match[0])
        before = text[max(0, match.start() - 40) : match.start()]
        if _ISSUED.fullmatch(number) and _luhn(number) and not _OTHER_NUMBER.search(before):
            yield Span(*match.span())


def _luhn(number: str) -> bool:
    """Whether the digits add up as a card's do (ISO/IEC 7812), all of one digit aside."""
    digits = [int(character) for character in number]
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _apart(found: Iterable[SecretMatch]) -> list[SecretMatch]:
    """Those that overlap put together under the sort of the one that begins first, the longest where several do."""
    apart: list[SecretMatch] = []
    for shaped in sorted(found, key=lambda shaped: (shaped.span.start, -shaped.span.end)):
        if apart and shaped.span.start < apart[-1].span.end:
            last = apart[-1]
            apart[-1] = SecretMatch(last.sort, Span(last.span.start, max(last.span.end, shaped.span.end)))
        else:
            apart.append(shaped)
    return apart
