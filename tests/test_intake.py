"""Reading what is given into statements with their sources and spans."""

from itertools import count

import pytest
from clock import Clock
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.domain import ids
from mcp_memory.domain.model import Caller, Entry, Turn
from mcp_memory.errors import InvalidInput
from mcp_memory.language.token_count import count_tokens
from mcp_memory.remember.intake import SEGMENT_TOKENS, Intake, read_id, read_importance, read_scope, read_tags


def intake(project: str | None = None) -> Intake:
    numbers = count(1)
    return Intake(Caller(project=project), Clock()(), lambda: ids.id_text(next(numbers)))


def test_a_short_text_is_one_statement_without_the_space_around_it() -> None:
    [[statement]] = intake().entries([Entry("  The port is 8080.\n")])

    assert (statement.text, statement.span, statement.source.text) == (
        "The port is 8080.",
        (2, 19),
        "  The port is 8080.\n",
    )


def test_a_long_text_is_cut_into_statements_that_follow_each_other() -> None:
    text = "A sentence of some words stands here. " * 200

    [statements] = intake().entries([Entry(text)])

    assert [statement.position for statement in statements] == list(range(len(statements)))
    assert all(count_tokens(statement.text) <= SEGMENT_TOKENS for statement in statements)
    assert " ".join(statement.text for statement in statements) == text.strip()
    assert {statement.kind for statement in statements} == {"note"}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=80), max_size=8))
def test_each_turn_stands_at_its_span_in_the_transcript(contents: list[str]) -> None:
    turns = [Turn(content, speaker="Ann", at="2026-01-01") for content in contents]
    try:
        statements = intake().turns(turns, like=Entry(""))
    except InvalidInput:
        assert not "".join(contents).strip()
        return

    for statement in statements:
        assert statement.source.text[statement.span.start : statement.span.end] == statement.text
    assert [statement.text for statement in statements] == [content.strip() for content in contents if content.strip()]


def test_the_time_of_the_call_holds_until_a_turn_names_one() -> None:
    turns = [Turn("a"), Turn("", at="2026-01-02"), Turn("b"), Turn("c", at="2026-01-03"), Turn("d")]

    statements = intake().turns(turns, like=Entry("", occurred_at="2026-01-01"))

    day = 86_400_000
    first = statements[0].occurred_at or 0
    assert [(s.occurred_at or 0) - first for s in statements] == [0, day, 2 * day, 2 * day]


def test_captions_and_names_count_toward_the_size() -> None:
    with pytest.raises(InvalidInput, match="MB of text"):
        intake().turns([Turn("a", caption="x" * 10_000_000)], like=Entry(""))


def test_preferences_belong_to_the_person_and_the_rest_to_the_project() -> None:
    [[preference], [fact], [said]] = intake("web").entries(
        [Entry("I like tea.", kind="preference"), Entry("It is on."), Entry("So.", scope="project")]
    )

    assert [preference.scope, fact.scope, said.scope] == ["user", "web", "web"]


def test_tags_are_lower_case_words_without_marks_or_repeats() -> None:
    assert read_tags(["#B ", "b", "", " A\n c "]) == ("a c", "b")


@pytest.mark.parametrize("tags", [["x" * 201], [str(n) for n in range(51)], ["a\x00"]])
def test_tags_that_cannot_be_kept_are_named(tags: list[str]) -> None:
    with pytest.raises(InvalidInput, match="tag"):
        read_tags(tags)


def test_importance_is_a_number_from_zero_to_one() -> None:
    assert read_importance(1) == 1.0
    with pytest.raises(InvalidInput, match="outside 0"):
        read_importance(float("nan"))


def test_an_id_is_read_as_it_is_printed() -> None:
    assert read_id(" #06P7V2Q0000AB ") == "06p7v2q0000ab"


def test_a_scope_is_read_without_the_space_around_it() -> None:
    assert read_scope(" my   team ", project=None) == "my team"


@given(st.integers(0, (1 << 63) - 1), st.integers(0, (1 << 63) - 1))
def test_ids_sort_as_their_numbers_do(one: int, other: int) -> None:
    assert ids.id_number(ids.id_text(one)) == one
    assert (ids.id_text(one) < ids.id_text(other)) == (one < other)


def test_ids_made_in_one_moment_still_increase() -> None:
    sequence = ids.IdSequence(lambda: ids.EPOCH_MS + 5)

    made = [sequence.next() for _ in range(1000)]

    assert made == sorted(set(made))
