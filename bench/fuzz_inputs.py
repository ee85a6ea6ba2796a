"""What the fuzzers feed: texts, bytes and arguments spliced from pieces that have hurt parsers, as a Random deals them."""

import random
from collections.abc import Callable, Sequence
from typing import Any

PIECES: Sequence[str] = (
    *" |\t|\n|\r\n|\r|\x0b|\x1c|\x1f|\x85|\u2028|\u00a0|\u200b|\u3000".split("|"),
    *". , ; : ! ? … ' \" “ ” ` ``` ~~~ ( ) [ ] { } < > / \\ | - -- --- = === + * ** # ## ^ % $ € @ & _ __ ~ •".split(),
    *"a A z é ß İ ı ﬁ ǆ \u0301 \u0335 \u202e \u2066 \ufeff \U000e0041 😀 👩‍👩‍👧 大 阪 年 月 一 了 ー ｶ 한 ㅏ ก ြ ש ع अ".split(),
    *"\x00 \x01 \x07 \x1b[31m \x7f \x9b \ud800 \udc00 \udfff \uffff \U0010ffff".split(),
    *"0 1 9 12 2020 31 1e400 -1 0x1f 1_000 ٣ ½ 二十 1.5 1,000 99999999999999999999 2024-02-30 13:70 1/2/3 q3 '99".split(),
    *'AND OR NOT NEAR NEAR( MATCH words: grams: text_index * ^a "a "" col: {a b}: + - rowid; DROP SELECT --'.split(),
    *'<memories> </memories> <private> </private> <|im_end|> #0000000000000 was: user: Ann: {"a":1} [1] null'.split(),
    *"the of and is not now no longer used to moved from changed to was because every last next ago before since until".split(),
    *"yesterday today May march monday mid- early summer 3 days ago in two weeks 去年 三月 上周 昨天 以前 明日 지난주".split(),
    *"vor zwei Wochen hier mañana il y a 第 半年前 先月 между января the day after tomorrow next decade 1990s".split(),
    *"Port port 8080 9090. server Alice's Dr. Mr. e.g. U.S. sk-abcdefghijklmnopqrstuvwx password=hunter2 http://a.b/c?d=e".split(),
    *"f(a=1, b='x') read_file( ) -> error 12 ms PT1H 90d 500MB 2 GB 1e9 tb".split(),
    "- - - ",
    "> ",
    "1. ",
    "a) ",
    "| a | b |",
    "# Title\n\n",
    "```\ncode\n",
    "The deploy port is 8080. ",
    "Ann moved to Lisbon in May 2023 because of the job. ",
    "部署端口从8080改成9090了。",
    "わたしは去年の三月に引っ越しました。",
)
"""Pieces that mean something to one parser or another, and characters that have broken others."""
NUMBERS = (
    *(None, True, False, 0, 1, -1, 2**31, -(2**63), 2**64, 10**400, 10**5_000, 0.5, -0.0, 1e308, 5e-324),
    *(float("inf"), float("-inf"), float("nan")),
)
"""What is no text, and seldom meant."""
WIDE = 12
"""Pieces of most texts."""
LONG_SHARE = 0.01
"""Share of the texts that repeat a few pieces until they are long: where time that grows faster than the text shows."""


def spliced(chance: random.Random, *, longest: int, pieces: Sequence[str] = PIECES) -> str:
    """A text of up to `longest` characters; most are short, few repeat one or two pieces to their length."""
    made = "".join(chance.choices(pieces, k=chance.randint(1, WIDE)))
    if chance.random() < LONG_SHARE:
        unit = "".join(chance.choices(pieces, k=chance.choice((1, 1, 2, 3)))) or "a"
        times = chance.randint(1, longest) // len(unit)
        made = chance.choice(("", made)) + unit * times + chance.choice(("", made))
    if chance.random() < 0.05:
        made = "".join(chr(chance.randrange(0x110000)) for _ in range(chance.randint(1, 20))) + made
    return made[:longest]


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Bytes with some of them flipped, cut, doubled or put elsewhere."""
    made = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 4, 16))):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(5):
            case 0 if made:
                made[at % len(made)] = chance.randrange(256)
            case 1:
                del made[at : at + chance.choice((1, 2, 8, 64))]
            case 2:
                made[at:at] = made[at : at + chance.choice((1, 4, 32))] * chance.choice((1, 2, 50))
            case 3:
                made[at:at] = chance.choice(PIECES).encode(errors="surrogatepass")
            case _:
                made[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 2, 4))))
    return bytes(made)


def value(chance: random.Random, *, longest: int = 2_000, depth: int = 0) -> Any:
    """Any JSON value, with numbers and texts that are seldom meant."""
    kind = chance.random()
    if kind < 0.55 or depth > 3:
        return spliced(chance, longest=longest)
    if kind < 0.75:
        return chance.choice((*NUMBERS, chance.random(), chance.randint(-100, 10_000)))
    if kind < 0.9:
        return [value(chance, longest=longest, depth=depth + 1) for _ in range(chance.choice((0, 1, 1, 2, 5)))]
    return {
        spliced(chance, longest=30): value(chance, longest=longest, depth=depth + 1)
        for _ in range(chance.choice((0, 1, 2, 4)))
    }


def arguments_of(
    properties: Sequence[str], *, aliases: Sequence[str], ids: Sequence[str]
) -> Callable[[random.Random], dict[str, Any]]:
    """Arguments of a tool: its own names mostly, with what they are meant to hold or with anything."""
    plausible: dict[str, Callable[[random.Random], Any]] = {
        "kind": lambda c: c.choice(("fact", "preference", "decision", "event", "note", "tool", "Procedure")),
        "kinds": lambda c: c.choice((["fact"], "fact,note", '["tool"]', [])),
        "tags": lambda c: [spliced(c, longest=300) for _ in range(c.choice((1, 2, 60)))],
        "scope": lambda c: c.choice(("user", "project", "all", "fuzz", spliced(c, longest=300))),
        "importance": lambda c: c.choice((0, 0.5, 1, "0.7", 2)),
        "id": lambda c: c.choice(ids),
        "ids": lambda c: c.choice((c.choice(ids), [c.choice(ids)], ",".join(c.choices(ids, k=3)))),
        "replaces": lambda c: c.choice(ids),
        "operation": lambda c: c.choice((None, c.choice(ids))),
        "limit": lambda c: c.choice((1, 3, 10, "20", 1_000, 1_001)),
        "max_tokens": lambda c: c.choice((50, 100, 2_000, 100_000)),
        "confirm": lambda c: c.choice((True, "yes", False)),
        "erase": lambda c: c.choice((True, False, None)),
        "pinned": lambda c: c.choice((True, False, "on")),
        "items": lambda c: [
            c.choice((spliced(c, longest=2_000), {"content": spliced(c, longest=2_000), "kind": "tool"}))
            for _ in range(c.choice((1, 2, 8)))
        ],
        "turns": lambda c: [
            {
                "speaker": c.choice(("Ann", "Ben", spliced(c, longest=20))),
                "content": spliced(c, longest=500),
                "at": when(c),
            }
            for _ in range(c.choice((1, 2, 6)))
        ],
    }
    dates = ("since", "until", "as_of", "occurred_at", "valid_until", "review_after")

    def made(chance: random.Random) -> dict[str, Any]:
        chosen = chance.sample(list(properties), k=min(len(properties), chance.choice((0, 1, 1, 2, 3))))
        if chance.random() < 0.05:
            chosen.append(chance.choice([*aliases, spliced(chance, longest=20)]))
        told: dict[str, Any] = {}
        for name in chosen:
            usual = plausible.get(name, when if name in dates else lambda c: spliced(c, longest=12_000))
            told[name] = usual(chance) if chance.random() < 0.8 else value(chance)
        return told

    return made


def when(chance: random.Random) -> str:
    """What may be meant for a date."""
    usual = ("2023-05-08", "yesterday", "last May", "2023-05-08T13:56Z", "3 days ago", "去年", "now", "1700000000")
    return chance.choice(usual) if chance.random() < 0.7 else spliced(chance, longest=200)
