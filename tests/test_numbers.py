"""Numbers for a person: what stats counts, and what an audit finds."""

import json

import pytest
from clock import Clock
from test_cli import Run, run

from mcp_memory.domain.model import Entry, Turn
from mcp_memory.maintenance.audit import Audit
from mcp_memory.memory import Memory
from mcp_memory.privacy.secret_patterns import find_secrets
from mcp_memory.recall.filters import ItemQuery

__all__ = ["run"]


# stats


def test_stats_count_what_was_kept_avoided_and_replaced(memory: Memory, clock: Clock) -> None:
    memory.remember("The deploy port is 8080.", like=Entry("", tags=("infra",)))
    memory.remember("The deploy port is 8080.")
    clock.pass_(days=1)
    memory.remember("The deploy port is 9090.", like=Entry("", tags=("infra",)))
    memory.remember(items=[Entry("部署在大阪的服务器上。"), Entry("Der Hafen ist nicht weit von hier.", scope="demo")])
    memory.summarize("infra", digest="Ports.", select=ItemQuery(scope="user"))
    found = memory.stats()

    assert (found.items, found.replaced, found.sources) == (3, 1, 4)
    assert (found.duplicates_avoided, found.replacements) == (1, 1)
    assert found.languages == {"en": 1, "zh": 1, "de": 1}
    assert found.growth == {"2026-03-03": 3, "2026-03-02": 1}
    assert found.per_day == 2
    assert (found.digests, found.stale_digests) == (1, 0)
    assert found.compression == found.digested_bytes / len("Ports.") == 24 / 6
    assert found.source_bytes == sum(
        len(text.encode())
        for text in (
            "The deploy port is 8080.",
            "The deploy port is 9090.",
            "部署在大阪的服务器上。",
            "Der Hafen ist nicht weit von hier.",
        )
    )
    assert (found.recalled, found.never_recalled) == (0, 1.0)
    assert (found.pending, found.unindexed) == (0, 0)


def test_a_digest_whose_items_changed_is_counted_as_stale(memory: Memory) -> None:
    made = memory.remember("The boat is blue.", like=Entry("", tags=("sea",)))
    memory.summarize("sea", digest="Boats.", select=ItemQuery(scope="user"))
    memory.update(made.items[0].id, content="The boat is green.")

    assert memory.stats().stale_digests == 1


def test_the_sizes_of_truth_and_indexes_make_up_the_file(run: Run) -> None:
    for number in range(3):
        run("remember", f"The boat number {number} is blue.")
    run("recall", "boat")
    data = json.loads(run("stats", "--json").stdout)
    sizes = data["sizes"]

    assert sum(size for name, size in sizes.items() if name != "log") == data["bytes"] - sizes.get("log", 0)
    assert all(sizes[name] > 0 for name in ("truth", "words", "vectors"))
    assert data["recalled"] == 3
    assert data["never_recalled"] == 0


def test_stats_are_a_short_page_for_a_person(run: Run) -> None:
    run("remember", "The boat is blue.")
    lines = run("stats").stdout.splitlines()

    assert any(line.split() == ["items", "1", "live,", "0", "replaced,", "0", "forgotten"] for line in lines)
    assert len({line[12:13] == " " for line in lines}) == 1
    assert max(map(len, lines)) < 200


# audit


def audited(memory: Memory) -> Audit:
    memory.maintenance.make_vectors()
    return memory.maintenance.audit()


def test_an_audit_of_a_tidy_memory_finds_everything_and_nothing_wrong(memory: Memory) -> None:
    memory.remember(items=[Entry("The boat is blue."), Entry("Ines leads the billing team in Lisbon.")])
    found = audited(memory)

    assert found.clean
    assert (found.items, found.checked, found.asked, found.misses) == (2, 2, 2, [])


def test_an_audit_names_exact_duplicates_across_scopes_and_leaves_turns_alone(memory: Memory) -> None:
    memory.remember("The boat is blue.")
    memory.remember("The boat is blue!", like=Entry("", scope="demo"))
    memory.remember(turns=[Turn("Thanks a lot.", "Ann"), Turn("Fine.", "Bob"), Turn("Thanks a lot.", "Ann")])

    assert [[item.scope for item in group] for group in audited(memory).duplicates] == [["user", "demo"]]


def test_an_audit_names_contradictions_and_near_duplicates_that_may_be_recalled_together(memory: Memory) -> None:
    for text, scope in (
        ("The deploy port of the harbour service is 8080.", "user"),
        ("The deploy port of the harbour service is 9090.", "demo"),
        ("Ada keeps the keys of the boat in the red drawer by the door.", "demo"),
        ("Ada keeps the keys of the boat in the red drawer near the door.", "demo"),
        ("The deploy port of the harbour service is 7070.", "elsewhere"),
    ):
        memory.remember(text, like=Entry("", scope=scope))
    found = audited(memory)

    assert sorted(pair.what for pair in found.contradictions) == ["8080 -> 7070", "8080 -> 9090"]
    assert ["near" in pair.other.text for pair in found.near] == [True]


def test_an_audit_names_stale_facts_the_oldest_first(memory: Memory, clock: Clock) -> None:
    memory.remember("The boat is blue.")
    clock.pass_(days=100)
    reviewed = memory.remember("The tram is red.", like=Entry("", kind="event")).items[0]
    memory.update(reviewed.id, review_after="2026-07-01")
    clock.pass_(days=400)
    memory.remember("The bridge is new.")

    assert [each.item.text for each in audited(memory).stale] == ["The boat is blue.", "The tram is red."]


def test_the_self_test_lists_what_recall_does_not_find(memory: Memory) -> None:
    memory.remember(items=[Entry(f"This is the thing number {number} of many.") for number in range(9)])
    memory.remember(items=[Entry("so it is", kind="note"), Entry("it is so", kind="note")])
    found = audited(memory)

    assert found.asked == 11
    assert all(miss.question and miss.item.text for miss in found.misses)


def test_the_command_lists_ids_hides_secrets_and_is_strict_where_asked(run: Run) -> None:
    secret = "The password is hunter-22-boat"
    run("remember", "The boat is blue.", "--scope", "user")
    clean = run("audit", "--strict")
    run("remember", secret, "--secrets", "keep")
    lax, strict = run("audit"), run("audit", "--strict", "--json")
    data = json.loads(strict.stdout)
    [identifier] = [item["id"] for item in json.loads(run("list", "--json").stdout) if item["text"] == secret]

    assert (clean.exit_code, lax.exit_code, strict.exit_code) == (0, 0, 1)
    assert f"#{identifier} (demo): password" in lax.stdout
    assert data["secrets"] == [{"id": identifier, "scope": "demo", "sorts": ["password"]}]
    assert "self-test: 2 of 2 items (100%)" in lax.stdout


@pytest.mark.parametrize(
    ("text", "sorts"),
    [
        ("key AKIAIOSFODNN7EXAMPLE here", ["AWS access key"]),
        ("ghp_" + "a1B2c3D4e5" * 4, ["GitHub token"]),
        ("sk-proj-" + "a1B2c3D4" * 4, ["OpenAI key"]),
        ("postgres://ada:s3cret@db.example/x", ["password"]),
        ("-----BEGIN RSA PRIVATE KEY-----", ["private key"]),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijk", ["JSON web token"]),
        ("pay with 4111-1111-1111-1111", ["payment card"]),
        ("密码是hunter22!", ["password"]),
        ("API_KEY=abcdef123456", ["key or token"]),
        ("The password is kept by Ada.", []),
        ("The API key rotates monthly.", []),
        ("order 4111111111111112 and 0000 0000 0000 0000", []),
        ("The commit is 9315bc6f448623 of 2026-11-21.", []),
    ],
)
def test_what_has_the_shape_of_a_secret(text: str, sorts: list[str]) -> None:
    assert [shaped.sort for shaped in find_secrets(text)] == sorts
