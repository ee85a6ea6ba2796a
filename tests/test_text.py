import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.errors import InvalidInput
from mcp_memory.language.segmentation import segment, shorten
from mcp_memory.language.sentences import sentences
from mcp_memory.language.token_count import count_tokens
from mcp_memory.language.tokenization import (
    STOP_WORDS,
    Span,
    cjk_share,
    content_words,
    grams,
    normal_form,
    require_clean,
    words,
)

SIGNS = [*"abcXYZ019.!?…,;:\"'()[]#*_-|\n\n  \t\r。！，”大阪か한é\u00a0\u0301"]
PIECES = ["Dr. ", "# A heading\n", "- item\n", "```\n", "\n===\n", "\n\n", "The cat sat. ", "我去大阪。", "x" * 90]
PROSE = st.lists(st.sampled_from(SIGNS + PIECES)).map("".join)


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def parts(text: str, limit: int) -> list[str]:
    return [text[start:end] for start, end in segment(text, limit=limit)]


def assert_covers(text: str, spans: list[Span]) -> None:
    edges = [0, *(edge for span in spans for edge in span), len(text)]

    assert edges == sorted(edges)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


def test_clean_text_passes_unchanged() -> None:
    assert require_clean("naïve 大阪 🎉\n", "content") == "naïve 大阪 🎉\n"


@pytest.mark.parametrize(
    ("text", "what"), [("twelve chars\x00", "a NUL character"), ("twelve chars\ud800", "a lone surrogate")]
)
def test_what_storage_cannot_keep_is_refused_with_its_position(text: str, what: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        require_clean(text, "content")

    assert str(refused.value) == f"content holds {what} at position 12; remove it and send the rest again."


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Smith met J. R. Brown and Mrs. Lee.",
        "Pi is 3.14 and v2.0.1 is out.",
        "Use foo.py or example.com/a?b=C!d or https://x.org/a.B today.",
        "Take fruit, e.g. Apples, i.e. food, vs. Pears.",
        "The U.S. Army came.",
        '"Really?" he asked.',
        "Well... maybe not.",
        "See Fig. 3 and No. 5 on Jan. 8.",
        "Apples, pears, etc. are fruit.",
        "a hard-wrapped\nline goes on",
    ],
)
def test_this_is_one_sentence(text: str) -> None:
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "expected",
    [
        ["It cost 3.", "Then 4."],
        ["He left in 1999.", "she stayed."],
        ["i went home.", "it was late."],
        ['He said "go."', "Then (he left.)", "Done!?", "Yes…", "No"],
        ["They live in the U.S.", "They like it."],
        ["So am I.", "Me too."],
        ["Come at 5 p.m.", "Bring etc.", "Good."],
        ["A fact.[1]", "Another.[2][3]"],
    ],
)
def test_these_are_several_sentences(expected: list[str]) -> None:
    assert cut(" ".join(expected)) == expected


def test_chinese_sentences_end_without_a_space() -> None:
    assert cut("我去了大阪。真好！“你呢？”他问；我说3.14。你好吗?很好") == [
        "我去了大阪。", "真好！", "“你呢？”", "他问；", "我说3.14。", "你好吗?", "很好",
    ]  # fmt: skip


def test_headings_list_items_and_blank_lines_end_a_sentence() -> None:
    assert cut("# Trip\nWe went\nto Rome\n\nThen home\n- one\n- two\n  more\n1. first\n\nTitle\n=====\nBody") == [
        "# Trip", "We went\nto Rome", "Then home", "- one", "- two\n  more", "1. first", "Title\n=====", "Body",
    ]  # fmt: skip


def test_fenced_code_is_kept_line_by_line() -> None:
    assert cut("Run:\n```py\na = 1. \nb = f(a). c\n\n# no heading\n```\nDone") == [
        "Run:", "```py", "a = 1.", "b = f(a). c", "# no heading", "```", "Done",
    ]  # fmt: skip


@given(PROSE | st.text())
def test_sentences_cover_every_character_once(text: str) -> None:
    assert_covers(text, sentences(text))


@given(PROSE | st.text(), st.integers(1, 60))
def test_segments_cover_every_character_once_within_the_limit(text: str, limit: int) -> None:
    spans = segment(text, limit=limit)

    assert_covers(text, spans)
    assert [text[start:end] for start, end in spans if count_tokens(text[start:end]) > limit] == []


@given(st.lists(st.sampled_from(["The cat sat down. ", "We went to Rome.\n\n", "我去了大阪。"])).map("".join))
def test_a_sentence_that_fits_is_never_cut(text: str) -> None:
    ends = {end for _, end in sentences(text)}

    assert {end for _, end in segment(text, limit=20)} <= ends


def test_a_short_text_is_one_segment() -> None:
    assert parts("One thing. Another.\n\nA third.", 200) == ["One thing. Another.\n\nA third."]


def test_a_heading_starts_a_segment_and_stays_with_its_text() -> None:
    rome, home = "We saw Rome. " * 20, "We flew home. " * 20
    text = f"# Trip\n\n## Rome\n\n{rome.strip()}\n\n## Home\n\n{home.strip()}"

    assert parts(text, 100) == [f"# Trip\n\n## Rome\n\n{rome.strip()}", f"## Home\n\n{home.strip()}"]


def test_a_change_of_vocabulary_is_where_a_long_text_is_cut() -> None:
    cats = "The cat chased a mouse. A mouse fears the cat. My cat sleeps near the mouse. Cat and mouse play. " * 2
    ships = "The ship left the harbour. A harbour shelters each ship. Ships need harbour pilots. Every ship has sails. "
    text = (cats + ships).strip()

    assert parts(text, 60) == [cats.strip(), ships.strip()]


def test_a_blank_line_is_where_a_long_text_is_cut() -> None:
    first = " ".join(f"Alpha{n} bravo{n} charlie{n}." for n in range(12))
    second = " ".join(f"Delta{n} echo{n} foxtrot{n}." for n in range(12))

    assert parts(f"{first}\n\n{second}", count_tokens(first) + 30) == [first, second]


@pytest.mark.parametrize("wall", ["中" * 500, "QUJDRA+/9" * 200, "word " * 500, "a clause, " * 300])
def test_a_wall_of_text_is_cut_into_full_segments(wall: str) -> None:
    counts = [count_tokens(part) for part in parts(wall, 50)]

    assert max(counts) <= 50
    assert min(counts[:-1]) >= 16


def test_a_limit_below_one_token_is_refused() -> None:
    with pytest.raises(InvalidInput):
        segment("text", limit=0)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("I'm sure we don't know what's up.", 8),
        ("def add(left: int, right: int) -> int:\n    return left + right\n", 18),
        ("我昨天去了大阪城公园。", 8),
    ],
)
def test_the_token_estimate_is_near_o200k(text: str, tokens: int) -> None:
    assert abs(count_tokens(text) - tokens) <= max(1, 0.25 * tokens)


@given(PROSE | st.text(), PROSE | st.text())
def test_token_counts_add_up_when_texts_are_joined(left: str, right: str) -> None:
    assert abs(count_tokens(f"{left} {right}") - count_tokens(left) - count_tokens(right)) <= 2


def test_words_are_folded_and_split_at_apostrophes() -> None:
    assert words("Don't visit CAFÉ naïve_x 大阪 İzmir v2") == ["don", "t", "visit", "cafe", "naive", "x", "izmir", "v2"]


@given(
    st.text(st.characters(max_codepoint=0x24F, exclude_characters="Ǡǡ") | st.sampled_from("ΑάβςσЙйЁёאבếẞ\u0301“”—€"))
)
def test_words_agree_with_full_text_search(text: str) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'unicode61 remove_diacritics 2')")
    database.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'instance')")
    database.execute("INSERT INTO t VALUES (?)", (text.replace("\0", " "),))
    indexed = [term for (term,) in database.execute("SELECT term FROM v ORDER BY offset")]
    database.close()

    assert words(text) == indexed


def test_content_words_leave_out_function_words_unless_nothing_else_is_there() -> None:
    assert content_words("What didn't the cat eat?") == ["didn", "cat", "eat"]
    assert content_words("Who was it?") == ["who", "was", "it"]
    assert {"s", "t", "d", "ll", "m", "re", "ve"} < STOP_WORDS


def test_grams_are_the_characters_and_pairs_of_each_run() -> None:
    assert grams("去大阪 with 한국, カ") == ["去", "去大", "大", "大阪", "阪", "한", "한국", "국", "カ"]
    assert grams("plain") == []


def test_the_cjk_share_counts_letters_only() -> None:
    assert [cjk_share("大阪ab 12!"), cjk_share("大阪。"), cjk_share("ab"), cjk_share("12!"), cjk_share("")] == [
        0.5, 1.0, 0.0, 0.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello  World.", "hello world"),
        ("“It’s fine!”", '"it\'s fine"'),
        ("- Buy milk", "buy milk"),
        ("Ｂｕｙ　ｍｉｌｋ！", "buy milk"),
        ("1–2 weeks…", "1-2 weeks"),
        ("我去大阪。", "「我去大阪」"),
        ("Straße", "STRASSE"),
    ],
)
def test_these_texts_repeat_each_other(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("port 8080", "port 80.80"),
        ("C", "C++"),
        ("C++", "C#"),
        ("-5", "5"),
        ("- 5", "5"),
        ("x²", "x2"),
        ("1½", "11⁄2"),
        ("he came", "he did not come"),
        ("You came?", "You came."),
        ("1. milk", "2. milk"),
        ("...", "!!!"),
        ('"a" and "b"', "a and b"),
    ],
)
def test_these_texts_do_not_repeat_each_other(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@given(PROSE)
def test_a_normal_form_is_empty_only_for_blank_text(text: str) -> None:
    assert bool(normal_form(text)) == bool(text.strip())


@given(PROSE)
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)


def test_a_text_that_fits_is_not_shortened() -> None:
    assert shorten(" As it was. \n", 20) == " As it was. \n"


def test_whole_sentences_are_kept_while_they_fit() -> None:
    assert shorten("We went home. It was late. Nobody slept that night.", 9) == "We went home. It was late."


def test_a_long_first_sentence_is_cut_after_a_word() -> None:
    assert shorten("We went home because it rained all day long", 5) == "We went home because…"
    assert shorten("我昨天和朋友一起去了大阪城公园散步", 5) == "我昨天和…"
    assert shorten("word", 0) == ""


@given(PROSE | st.text(), st.integers(-1, 30))
def test_a_shortened_text_fits(text: str, limit: int) -> None:
    assert count_tokens(shorten(text, limit)) <= max(0, limit)
