"""Convert the secret rules of gitleaks (MIT) into `mcp_memory/privacy/gitleaks.json`.

    curl -LO https://raw.githubusercontent.com/gitleaks/gitleaks/v8.30.1/config/gitleaks.toml
    uv run python -m release.secret_rules gitleaks.toml --version v8.30.1

The same input gives the same bytes. Go's RE2 syntax becomes Python's `re`; keywords and
entropy are kept. Three things differ on purpose, because a memory is prose and not a source file:

- A token may be followed by any character that cannot continue it, not only by a space, a quote or a semicolon.
- A name before a value needs an operator of assignment (a comma is none), and the value a digit.
- Of allowlists only patterns for a rule's value are kept: files and lines do not apply, and an example may be masked.
"""

import argparse
import json
import re
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

OUTPUT = Path(__file__).parents[1] / "mcp_memory" / "privacy" / "gitleaks.json"
SOURCE = "https://github.com/gitleaks/gitleaks/blob/{}/config/gitleaks.toml"

OMITTED = {
    "aws-access-token": "own rule, with the secret key beside it",
    "curl-auth-header": "quadratic on hostile text; own rules for headers and for curl -u",
    "curl-auth-user": "as above",
    "generic-api-key": "secrets_in_prose reads names and values",
    "hashicorp-tf-password": "as above",
    "jwt": "own rule: a token that was cut off counts too",
    "kubernetes-secret-yaml": "quadratic on hostile text; secrets_in_prose reads names and values",
    "nuget-config-password": "quadratic on hostile text",
    "private-key": "own rule: a block that was cut off counts too",
    "slack-webhook-url": "own rule: hides the path and leaves the host",
    "sourcegraph-access-token": "takes every commit for a token where Sourcegraph is named",
}
PUBLIC = re.compile(r"-(?:client-id|access-id|api-id|pub(?:lic)?(?:-api)?-key|browser-api-token)$")
"""Rules for identifiers that a service calls public."""

_BEFORE_NAME = r"[\w.-]{0,50}?"
_OPERATOR = r"""(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)"""
_OPERATOR_HERE = r"(?:=|>|:{1,3}=|\|\||:|=>|\?=)"
_AFTER = re.compile(r"""\(\?:\[\\x60'"\\s;\]\|\\\\\[nr\]\|\$(?:\|\\b)?\)""")
_NOT_CONTINUED = r"(?![A-Za-z0-9_+/=-])"
_SHORTEST_VALUE = 20
"""Characters of a value that nothing but the name of its service sets off: a shorter one may be a user's name."""
_SHORTEST_SECRET = 8
_OF_OTHERS = {"paths", "regexTarget"}
"""Keys of an allowlist that looks at something else than the secret."""
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^]\\])*\]|\(\?[a-z-]*[:)]|\(\?P<\w+>|\(\?[!=]|.", re.DOTALL)
"""An escape, a class, the opening of a group, or a character."""
_KINDS = frozenset(
    """access account admin api app application auth bot cicd client cloud config custom deploy deployment encryption
    feed feature fine identity incoming insert installation kubernetes legacy long oauth org organization origin page pat
    personal personnal private ptt reference refresh routable rrt runner runtime scim secret service session short signing
    test token upload user web key password webhook cookie url license global mail batch tkn""".split()
)
"""Words of a rule's id that follow the name of its service."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("rules", type=Path, help="gitleaks.toml")
    options.add_argument("--version", required=True, help="the tag it is from")
    chosen = options.parse_args()
    OUTPUT.write_text(converted(tomllib.loads(chosen.rules.read_text("utf-8")), chosen.version), "utf-8")


def converted(rules: dict[str, Any], version: str) -> str:
    """Return the data file: a head that names source, version and licence, and one rule a line."""
    head = {"source": SOURCE.format(version), "version": version, "licence": "MIT, see gitleaks.LICENSE"}
    rows = [row for rule in rules["rules"] if (row := _row(rule))]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{json.dumps(head, indent=1)[:-2]},\n "rules": [\n{lines}\n]}}\n'


def _row(rule: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the package needs of a rule, or None where it is left out."""
    if rule["id"] in OMITTED or PUBLIC.search(rule["id"]) or "regex" not in rule:
        return None
    regex = _AFTER.sub(_NOT_CONTINUED, rule["regex"].replace("[[:alnum:]]", "[A-Za-z0-9]").replace(r"\z", r"\Z"))
    _, named, value = regex.rpartition(_OPERATOR)
    if named and _shortest(_python(value)) < _SHORTEST_VALUE:
        return None
    regex = regex.replace(_BEFORE_NAME, "").replace(_OPERATOR, _OPERATOR_HERE)
    pattern = f"(?a){_python(regex)}"
    re.compile(pattern)
    row = {"sort": _sort(rule), "keywords": rule["keywords"], "pattern": pattern, "entropy": rule.get("entropy", 0)}
    allowed = [
        _python(one)
        for each in rule.get("allowlists", ())
        if not _OF_OTHERS & each.keys()
        for one in each["regexes"]
        if "[" in one
    ]
    return row | ({"named": True} if named else {}) | ({"allowed": "|".join(allowed)} if allowed else {})


def _python(regex: str) -> str:
    return _scoped(iter(_TOKEN.findall(regex)), within=False)


def _shortest(regex: str) -> int:
    return parser.parse(regex).getwidth()[0]


def _scoped(tokens: Iterator[str], *, within: bool) -> str:
    """Return a group's inside, up to its bracket, as Python reads it.

    Flags in its middle are scoped to its rest. Of groups only those capture that hold a secret: none within another,
    and none of a few characters.
    """
    pieces: list[str] = []
    scopes, middle = 0, False
    for token in tokens:
        if token == ")":
            break
        if flags := re.fullmatch(r"\(\?([a-z]+)\)", token):
            scopes, middle = scopes + 1, middle or (pieces != [] and pieces[-1] != "|")
            pieces.append(f"(?{flags[1]}:")
        elif token == "(" or token.startswith("(?P"):
            inside = _scoped(tokens, within=True)
            captures = not within and _shortest(inside) >= _SHORTEST_SECRET
            pieces.append(f"({inside})" if captures else f"(?:{inside})")
        elif token.startswith("("):
            pieces.append(f"{token}{_scoped(tokens, within=within)})")
        elif token == "|" and middle:
            raise ValueError(f"an alternative after a flag: {''.join(pieces)}")
        else:
            pieces.append(token)
    return "".join(pieces) + ")" * scopes


def _sort(rule: dict[str, Any]) -> str:
    """Return the service as the description spells it, and which kind of secret it is: "GitHub token"."""
    words = rule["id"].split("-")
    service = list(takewhile(lambda word: word not in _KINDS, words)) or words[:1]
    spelt = re.search(r"[\s_.-]*".join("".join(service)), rule["description"], re.IGNORECASE)
    kind = next(
        (word for word in reversed(words) if word in ("key", "secret", "password", "cookie", "webhook")), "token"
    )
    return f"{spelt[0] if spelt else ' '.join(service).title()} {kind}"


if __name__ == "__main__":
    main()
