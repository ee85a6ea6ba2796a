"""Words for numbers and people that all parts share."""

from decimal import Decimal

import pytest

from mcp_memory.language.kinship import relations
from mcp_memory.language.number_words import parse_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,200", "1200"), ("-3", "-3"), ("2.5", "2.5"), ("3k", "3000"), ("2.5 million", "2500000"), ("1.5万", "15000"),
        ("3千", "3000"), ("3万5千", "35000"), ("两万五", "25000"), ("三千五", "3500"), ("两万零五", "20005"),
        ("二〇二六", "2026"), ("一百零五", "105"), ("十五", "15"), ("二十", "20"), ("百万", "1000000"),
        ("三亿二千万", "320000000"), ("一万亿", "1000000000000"), ("twenty-five", "25"), ("a hundred", "100"),
        ("two hundred and five thousand", "205000"),
    ],
)  # fmt: skip
def test_a_number_is_exact_however_it_is_written(text: str, number: str) -> None:
    assert parse_number(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "a", "some", "one two", "3 apples", "百分", "port", "1.2.3"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert parse_number(text) is None


def test_a_relation_is_named_by_words_of_its_own() -> None:
    words = [word for relation in relations() for word in relation.english]

    assert len(words) == len(set(words))
    assert {relation.name for relation in relations() if relation.single and "爱人" in relation.chinese} == {
        "wife",
        "husband",
    }
