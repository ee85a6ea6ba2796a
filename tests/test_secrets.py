"""Secrets and private parts: recognised, never in the file, told of, and ordinary texts left as they are."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.server import Server

import mcp_memory.privacy
from bench.made_secrets import Made, fresh_texts, made_secrets, ordinary_texts
from mcp_memory.domain.model import Caller, Entry, Turn
from mcp_memory.encoders.hashing import HashingEncoder
from mcp_memory.errors import InvalidInput
from mcp_memory.memory import Memory
from mcp_memory.privacy.redaction import Redactor
from mcp_memory.privacy.secret_patterns import find_secrets
from release.secret_rules import converted

MADE = made_secrets(seed=2)
PRIVACY = Path(mcp_memory.privacy.__file__).parent
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
MARK = "[secret: GitHub token]"
MIXED = "k3Jw8ZqTu5Lb0XcV7nRy2MdG9sFhP4WaE6tQBo1"
HEX = "0f3a9c1e7b5d2846" * 3
WORDS = "ridge lumber token ocean velvet hunt basket drift quantum echo pistol amber"


def bytes_of(database: Path) -> bytes:
    """All that the file and what lies beside it hold."""
    return b"".join(path.read_bytes() for path in sorted(database.parent.glob(f"{database.name}*")))


def test_there_are_at_least_a_hundred_made_up_secrets_of_five_sorts() -> None:
    assert len(MADE) >= 100
    assert {made.sort for made in MADE} == {"token", "password", "connection string", "private key", "card"}


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.text[:30])
def test_a_secret_is_masked_and_the_words_around_it_stay(made: Made) -> None:
    redactor = Redactor("mask")

    kept = redactor.text(made.text)

    assert made.secret not in kept
    assert "[secret: " in kept
    before = made.text.partition(made.secret)[0]
    if kept.count("[secret: ") == 1:
        assert kept.startswith(before[: max(0, len(before) - 12)])
    assert sum(redactor.withheld.secrets.values()) >= 1


def test_less_than_one_in_a_hundred_ordinary_texts_is_taken_to_hold_a_secret() -> None:
    texts = ordinary_texts(seed=3)

    mistaken = [text for text in texts if find_secrets(text)]

    assert len(mistaken) < len(texts) / 100, mistaken


@given(st.text(st.sampled_from(list("password is: =\"'[]secrt<>/{}$1aZ-_@\n密码是token key")), max_size=120))
def test_what_was_masked_is_masked_no_further(text: str) -> None:
    once = Redactor("mask").text(text)

    assert Redactor("mask").text(once) == once


def test_no_way_into_the_file_leaves_a_secret_in_it(memory: Memory, database: Path) -> None:
    [kept] = memory.remember(
        f"The deploy token is {TOKEN}.", like=Entry("", tags=(TOKEN, "ops"), scope=TOKEN, source=f"mail with {TOKEN}")
    ).items
    memory.remember(items=[Entry(f"Push with {TOKEN}", kind="procedure"), Entry(f"所有部署都用 {TOKEN}")])
    memory.remember(
        turns=[Turn(f"Use {TOKEN} please", speaker=f"Ann {TOKEN}", caption=f"a note: {TOKEN}"), Turn("Done.")]
    )
    memory.remember(json.dumps({"name": "push", "arguments": {"token": TOKEN, "n": 1}}), like=Entry("", kind="tool"))
    memory.remember(f"# Notes\n\n{'The office has many rooms and doors. ' * 80}\n\nThe token is {TOKEN} by the way.")
    memory.update(kept.id, content=f"The new deploy token is {TOKEN}", tags=[TOKEN])
    memory.summarize("token", digest=f"Deploys need {TOKEN}.")
    memory.forget([kept.id], reason=f"leaked {TOKEN}")
    memory.maintenance.reindex()

    assert TOKEN.encode() not in bytes_of(database)
    assert list(memory.file.verify()) == []
    assert MARK in memory.recall("deploy push", by=Caller()).text


def test_a_secret_behind_a_long_gap_is_masked_where_it_stands() -> None:
    gaps = " " * 400, "\n" * 30, "\t" * 20
    text = f"{gaps[0]}The token is{gaps[1]}{TOKEN}{gaps[2]}and the password is{gaps[0]}hunter-22{gaps[1]}."

    kept = Redactor("mask").text(text)

    assert kept == text.replace(TOKEN, MARK).replace("hunter-22", "[secret: password]")


def test_a_masked_statement_stands_at_its_span_in_its_source(memory: Memory) -> None:
    [kept] = memory.remember(f"  The token is {TOKEN}, and the port is 8080.").items

    item, source, _ = memory.item(kept.id)

    assert item.text == f"The token is {MARK}, and the port is 8080."
    assert source.text[item.span.start : item.span.end] == item.text


def test_a_repeated_secret_confirms_the_memory_that_masks_it(memory: Memory) -> None:
    first = memory.remember(f"The token is {TOKEN}.").items[0]
    second = memory.remember(f"The token is {TOKEN}.").items[0]

    assert (second.status, second.id) == ("known", first.id)


def test_an_unchanged_secret_may_be_kept_where_that_was_chosen(database: Path) -> None:
    with Memory.open(database, model=HashingEncoder(), secrets="keep") as memory:
        kept = memory.remember(f"The token is {TOKEN}. <private>gone</private>").items[0]

        assert memory.item(kept.id)[0].text == f"The token is {TOKEN}."


def test_a_call_with_a_secret_may_be_refused_as_a_whole(database: Path) -> None:
    with Memory.open(database, model=HashingEncoder(), secrets="refuse") as memory:
        with pytest.raises(InvalidInput) as caught:
            memory.remember(items=[Entry("The sky is blue."), Entry(f"The token is {TOKEN}.")])

        assert memory.stats().items == 0
    assert str(caught.value).startswith("items[1] holds what looks like a secret (GitHub token)")
    assert TOKEN not in str(caught.value)


@pytest.mark.anyio
async def test_the_answer_tells_what_was_not_kept_and_never_what_it_was(server: Server[Any]) -> None:
    async with Client(server) as client:
        kept = await client.call_tool("remember", {"content": f"Push with {TOKEN}. <private>My salary.</private>"})
        identifier = (kept.meta or {})["mcp-memory/remember"]["items"][0]["id"]
        updated = await client.call_tool("update", {"id": identifier, "content": f"Pull with {TOKEN}."})
        digest = await client.call_tool("summarize", {"topic": "pull", "digest": f"Pull with {TOKEN}."})
        forgotten = await client.call_tool("forget", {"ids": [identifier], "reason": f"{TOKEN} is void"})
        history = await client.call_tool("history", {})
    texts = [result.content[0].text for result in (kept, updated, digest, forgotten, history)]  # type: ignore[union-attr]

    assert texts[0].splitlines()[1:] == [
        "Not kept: what looks like a secret (1 GitHub token); a mask stands in its place.",
        "Not kept: 1 private part.",
    ]
    assert (kept.meta or {})["mcp-memory/remember"]["withheld"] == {
        "secrets": {"GitHub token": 1},
        "private": 1,
        "items": [],
    }
    assert all("not kept: 1 GitHub token" in text or "(1 GitHub token)" in text for text in texts)
    assert not any(TOKEN in text or "salary" in text for text in texts)


@pytest.mark.parametrize(
    ("text", "kept", "unpaired"),
    [
        ("I earn <private>much</private> here.", "I earn here.", False),
        ("a<PRIVATE>b</Private>c", "ac", False),
        ("a < private > b < / private > c", "a c", False),
        ('a <private reason="x > y">b</private> c', "a c", False),
        ("a <private\nkind=1>b\nb</private\n>c", "a c", False),
        ("a <private>b <private>c</private> d</private> e", "a e", False),
        ("a ＜private＞b＜/private＞ c", "a c", False),
        ("a &lt;private&gt;b&lt;/private&gt; c", "a c", False),
        (r'{"a": "\u003cprivate\u003eb\u003c/private\u003e"}', '{"a": ""}', False),
        (r'{"a": "\u003Cprivate x=1\u003Eb\u003C\/private\u003E c"}', '{"a": " c"}', False),
        (r'{"a": "<private>b<\/private>"}', '{"a": ""}', False),
        ("a <private>b c d", "a ", True),
        ("a <private>b <private>c</private> d", "a ", True),
        ("a b</private> c", " c", True),
        ("a <private/> c", "a c", False),
        ("the <privateKey> element", "the <privateKey> element", False),
        ("the <private-key> element", "the <private-key> element", False),
        ("std::private <b>", "std::private <b>", False),
    ],
)
def test_what_stands_between_the_tags_is_taken_out(text: str, kept: str, unpaired: bool) -> None:
    redactor = Redactor("keep")

    assert (redactor.text(text).strip(), redactor.withheld.unpaired) == (kept.strip(), unpaired)


def test_what_one_turn_opens_as_private_another_may_close(memory: Memory, database: Path) -> None:
    told = memory.remember(
        turns=[
            Turn("Hello, <private>the plan"),
            Turn("is zanzibarite", speaker="Ann"),
            Turn("secretly</private> over."),
        ]
    )

    assert [item.text for item in told.items] == ["Hello,", "over."]
    assert told.withheld.private == 1
    assert b"zanzibarite" not in bytes_of(database)


def test_what_is_private_as_a_whole_is_not_stored_and_said_not_to_be(memory: Memory, database: Path) -> None:
    one = memory.remember("<private>zanzibarite</private>")
    many = memory.remember(items=[Entry("The sky is blue."), Entry("<private>zanzibarite</private>")])
    talk = memory.remember(turns=[Turn("<private>zanzibarite"), Turn("zanzibarite</private>")])
    with pytest.raises(InvalidInput, match="content is private as a whole, so nothing was changed"):
        memory.update(many.items[0].id, content="<private>zanzibarite</private>")

    assert (one.items, one.operation_id, one.withheld.private) == ([], None, 1)
    assert [item.text for item in many.items] == ["The sky is blue."]
    assert many.withheld.entries == (1,)
    assert (talk.items, talk.operation_id) == ([], None)
    assert len(memory.operations()) == 1
    assert b"zanzibarite" not in bytes_of(database)


@pytest.mark.anyio
async def test_the_answer_says_that_all_was_private(server: Server[Any]) -> None:
    async with Client(server) as client:
        one = await client.call_tool("remember", {"content": "<private>my salary"})
        closed = await client.call_tool("remember", {"content": "<private>my salary</private>"})
        some = await client.call_tool("remember", {"items": ["The sky is blue.", "<private>x</private>"]})

    assert one.content[0].text == (  # type: ignore[union-attr]
        "Nothing was stored: all of it is private. A <private> that is not closed hides all that follows it, a "
        "</private> that was not opened all that stands before it."
    )
    assert closed.content[0].text == "Nothing was stored: all of it is private."  # type: ignore[union-attr]
    assert not one.is_error
    assert some.content[0].text.splitlines()[1:] == [  # type: ignore[union-attr]
        "Not kept: 1 private part.",
        "Private as a whole, so nothing was stored of items 1, counted from 0.",
    ]


@given(st.lists(st.tuples(st.text("abc <>/", max_size=8), st.text("XYZ <>/\n", max_size=8)), max_size=6))
def test_of_what_is_private_nothing_stays_and_of_the_rest_all_words(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"{public}<private>{private}</private>" for public, private in parts)

    kept = Redactor("keep").text(text)

    assert not set(kept) & set("XYZ")
    assert kept.replace(" ", "") == "".join(public for public, _ in parts).replace(" ", "")


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (
            "The admin password: P@ssw0rd was changed to N3wP@ss",
            "The admin password: [secret: password] was changed to [secret: password]",
        ),
        (
            "The old password was Hund55 and the new one is Katze66.",
            "The old password was [secret: password] and the new one is [secret: password].",
        ),
        (
            "The router password is now Blume42!, it was Rose41!",
            "The router password is now [secret: password], it was [secret: password]",
        ),
        (
            "I changed my password from Hund55x to Katze66x",
            "I changed my password from [secret: password] to [secret: password]",
        ),
        (
            "The alarm code was 4821 and is now 5512.",
            "The alarm code was [secret: code] and is now [secret: code].",
        ),
        ("2FA backup codes: 1a2b-3c4d, 5e6f-7g8h", "2FA backup codes: [secret: backup codes]"),
        ("wifi密码 12345678", "wifi密码 [secret: password]"),
    ],
)
def test_what_a_secret_was_before_or_is_since_is_masked_beside_it(memory: Memory, told: str, kept: str) -> None:
    [entry] = memory.remember(told).items

    assert entry.text == kept
    assert Redactor("mask").text(kept) == kept


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("AWS creds: AKIAIOSFODNN7EXAMPLE / wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("Le mot de passe du wifi est Tulipe2020!", "Tulipe2020!"),
        ("La contraseña del router es Gato#9981", "Gato#9981"),
        ("Das Passwort für den Router ist Katze#9981", "Katze#9981"),
        ("Пароль от вайфая: Zx9#kLm2", "Zx9#kLm2"),
        ("The password, by the way, is Otter!99", "Otter!99"),
        ("The password used to be Falcon9! and is now Starship10!", "Starship10!"),
        ("ssh root@10.0.0.3 with pw toor123!", "toor123!"),
        ("mysql -u root -pS3cr3tPw db", "S3cr3tPw"),
        ("My zoom passcode 483920", "483920"),
        ("银行卡密码改成 887766 了", "887766"),
        ("My laptop login is tomh and the pass is Blue-Whale-77", "Blue-Whale-77"),
        ("Netflix: maria@ex.com / Kiwi!2024", "Kiwi!2024"),
        ("For the router log in with admin/Xk29!pq", "Xk29!pq"),
        ("Credentials are jdoe:Pa$$w0rd1", "Pa$$w0rd1"),
        ("OTP seed JBSWY3DPEHPK3PXP for the VPN", "JBSWY3DPEHPK3PXP"),
        ("Windows product key: VK7JG-NPHTM-C97JM-9MPGT-3V66T", "VK7JG-NPHTM-C97JM-9MPGT-3V66T"),
        ("The combination of my locker is 24-6-31", "24-6-31"),
        ("Safe combination 32-15-7", "32-15-7"),
        ("The garage door opens with 2580#", "2580#"),
        ("The wifi code is 77219934", "77219934"),
    ],
)  # fmt: skip
def test_a_secret_is_recognised_as_people_tell_it(memory: Memory, text: str, secret: str) -> None:
    [entry] = memory.remember(text).items

    assert secret not in entry.text
    assert "[secret: " in entry.text


@pytest.mark.parametrize(
    "text",
    [
        "The door is 9917 mm wide.",
        "curl -u user:pass https://example.com",
        "The password used to be shared by all of us.",
        "The password, by the way, is not needed any more.",
        "mysqldump -p3306 is wrong: the flag of the port is -P.",
        "ann@example.com / Room 12B",
        "ann@example.com / +49 170 1234567",
        "ann@example.com / https://example.com/ann2#top",
        "Credentials are at https://example.com/team2",
        "The winning combination was 4-8-15-16-23-42.",
        "A 3-4-5 combination makes a right angle.",
        "The key build is X7KQ2-ABCDE on all 12 hosts.",
        "Meeting ID 845 1234 5678, passcode 6 digits long.",
        "It stops with error code 4821.",
        "The status code is 404.",
        "My zip code is 94110.",
        "The country code is 4930.",
        "The door code is reviewed.",
        "The password is required, it was optional in 2024.",
        "The pw for the NAS is in the vault.",
        "密码 8 位以上。",
    ],
)
def test_a_number_beside_another_sort_of_code_is_no_secret(text: str) -> None:
    assert find_secrets(text) == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Mem0 is called with m0-{} now.", MIXED),
        ("The other one: hsk-{}", MIXED[:32]),
        ("elevenlabs sk_{} for the voices", HEX),
        ("Notion secret_{} of the old workspace", MIXED + "x7Yz"),
        ("API_SECRET='{}'", "zx9!kkPq1"),
        ("jwtSecret: '{}'", "s3cr3t!Jwt#77"),
        ("SECRET_KEY='django-insecure-{}'", "7x!k^2h(=+w3)nq&v5#rj0b%tz_m8-pd1@s4yg6c*ue9l$fa"),
        ("app.secret_key = b'{}'", '_5#y2L"F4Q8z]/'),
        ("APP_KEY=base64:{}=", MIXED + "+/aB"),
        ("RAILS_MASTER_KEY={}", HEX[:32]),
        ("Wallet seed: {}", WORDS),
        ("Recovery words: {}", WORDS.replace(" ", ", ")),
        ("门禁密码{}", "4821#"),
        ("小区门禁 {}", "1357#"),
        ("SIM PUK {}", "12345678"),
        ("PIN of the EC card {}", "4711"),
        ("WIFI:T:WPA;S:Nest;P:{};;", "greenTurtle88"),
        ("Rent goes to {} on the 3rd.", "DE89 3704 0044 0532 0130 00"),
        ("IBAN {}", "NL91ABNA0417164300"),
    ],
)
def test_a_secret_is_recognised_by_a_name_a_prefix_or_its_check_digits(text: str, secret: str) -> None:
    kept = Redactor("mask").text(text.format(secret))

    assert secret not in kept
    assert "[secret: " in kept


@pytest.mark.parametrize(
    "text",
    [
        "Tests pass: 4821",
        "The PIN code of Bangalore is 560001.",
        f"Use pk_test_{MIXED[:24]} in the page.",
        f"Our Stripe API key for the page is pk_live_{MIXED[:24]}.",
        f"user_{MIXED[:27]} signed in.",
        f"integrity sha512-{MIXED * 2}==",
        f"resp_{HEX} was cut off.",
        f"cache_key={HEX[:40]}",
        "pod api-gateway-7d9c5b6f4d-x2vbn restarted",
        "key_id: a1B2c3D4e5F6",
        "secret_name = prod/db-creds-2024",
        "password_field = form.field1",
        "secret_arn = arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbC123",
        "The seed: plant it deep with some water, good soil, much light, warm days and long nights of calm",
        "The IBAN DE89 3704 0044 0532 0130 01 has a wrong check digit.",
        "test_LineOver1DRangeSeries_complex_range",
    ],
)
def test_what_only_resembles_a_secret_is_left_as_it_is(text: str) -> None:
    assert find_secrets(text) == []


def test_texts_written_before_the_rules_are_recognised_and_few_others() -> None:
    redacted = [(made.sort, made.secret not in Redactor("mask").text(made.text)) for made in fresh_texts(1, "seen")]

    assert all(hidden for sort, hidden in redacted if sort == "secret")
    assert not any(find_secrets(made.text) for made in fresh_texts(1, "seen") if made.sort == "clear")


def test_the_published_rules_name_their_source_and_bring_its_licence() -> None:
    data = json.loads((PRIVACY / "gitleaks.json").read_bytes())

    assert data["version"] in data["source"]
    assert data["licence"].startswith("MIT")
    assert "Copyright (c) 2019 Zachary Rice" in (PRIVACY / "gitleaks.LICENSE").read_text("utf-8")


def test_the_recipe_translates_a_rule_for_prose() -> None:
    ends = r"""(?:[\x60'"\s;]|\\[nr]|$)"""
    rule = {
        "id": "acme-api-token",
        "description": "Found an ACME token, posing a risk.",
        "regex": r"\b(acme_(?i)[[:alnum:]]{20}(?:[a-f]{4}-){2})" + ends,
        "keywords": ["acme_"],
        "entropy": 3,
    }
    public = rule | {"id": "acme-public-key"}

    [row] = json.loads(converted({"rules": [rule, public]}, "v1"))["rules"]

    assert row["sort"] == "ACME token"
    token = f"acme_{MIXED[:20]}abcd-efab-"
    assert [match[1] for match in re.finditer(row["pattern"], f"The token is {token}, it ends.")] == [token]


def test_the_published_rules_take_time_in_proportion_to_a_hostile_text() -> None:
    keywords = [
        keyword
        for rule in json.loads((PRIVACY / "gitleaks.json").read_bytes())["rules"]
        for keyword in rule["keywords"]
    ]
    find_secrets(" ".join(keywords))  # compiles all

    def spent(size: int) -> float:
        start = time.process_time()
        for joint in (" ", "=", ""):
            text = joint.join(keywords) + joint
            find_secrets((text * (size // len(text) + 1))[:size])
        return time.process_time() - start

    assert spent(80_000) < 4 * 4 * max(spent(20_000), 0.02)
