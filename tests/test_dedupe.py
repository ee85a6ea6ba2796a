"""Deciding what is new, known or corrected."""

import pytest

from mcp_memory.dedupe import changed_value


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("The deploy port is 8080.", "The deploy port is 9090.", "8080 -> 9090"),
        ("Anna lives in Berlin.", "Anna lives in New York.", "berlin -> new york"),
        ("We use Postgres for storage.", "We use MySQL for storage.", "postgres -> mysql"),
        ("The budget of the tour is 5000 euros.", "The budget of the tour is 7000 euros.", "5000 -> 7000"),
        ("Maya's phone number is 555 1234.", "Maya's phone number is 555 9999.", "1234 -> 9999"),
        ("我们的端口是8080。", "我们的端口是9090。", "8080 -> 9090"),
        ("他住在北京。", "他住在上海。", "北 京 -> 上 海"),
    ],
)
def test_a_changed_value_is_seen(old: str, new: str, change: str | None) -> None:
    assert changed_value(old, new) == change


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("The staging port is 8080.", "The production port is 8080."),
        ("Worker 3 finished task number 17.", "Worker 3 finished task number 18."),
        ("In session 4 we discussed topic 12.", "In session 4 we discussed topic 13."),
        ("The revenue in 2023 was low.", "The revenue in 2024 was low."),
        ("Is the port 8080?", "Is the port 9090?"),
        ("The port is open.", "The port is not open."),
        ("Anna likes tea.", "Bob likes tea."),
        ("The server is fast.", "The server is fast."),
        ("It is on.", "The meeting with the whole team about the plan is over."),
    ],
)
def test_what_differs_in_something_else_corrects_nothing(old: str, new: str) -> None:
    assert changed_value(old, new) is None


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("The staging database runs on Postgres 16.", "The staging database runs on Postgres 17.", "16 -> 17"),
        ("The API timeout is 30 seconds.", "Actually, the API timeout is 60 seconds.", "30 -> 60"),
        ("CI runs on Jenkins.", "CI runs on GitHub Actions.", "jenkins -> github actions"),
        ("I live in Berlin.", "I live in Munich.", "berlin -> munich"),
        ("The team lead is Alice.", "The team lead is Bob.", "alice -> bob"),
        ("I have a friend in Berlin.", "I have a friend in Munich.", None),
        ("We met in Berlin.", "We met in Munich.", None),
        ("Worker 3 did task 17.", "Worker 3 did task 18.", None),
        ("The cache is enabled.", "The cache is not enabled.", None),
        ("The cache is on.", "The cache is never on.", None),
        ("The port is 8080.", "The port is not 8080.", None),
    ],
)
def test_a_value_may_follow_a_noun_or_a_place_but_what_may_be_many_is_not_replaced(
    old: str, new: str, change: str | None
) -> None:
    assert changed_value(old, new) == change
