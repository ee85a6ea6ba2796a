"""Recall in languages that the encoder does not know: by the words that tell, in whatever form they stand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mcp_memory import Memory
from mcp_memory.domain.model import Entry
from mcp_memory.encoders import Encoder

GERMAN = (
    "Mein Bruder Jonas arbeitet seit März bei der Bahn in Leipzig.",
    "Der Zahnarzttermin ist am 3. Dezember um 10 Uhr.",
    "Wir nehmen für die Datenbank PostgreSQL und nicht MySQL.",
    "Die Heizung wird jedes Jahr im Oktober gewartet.",
)
RUSSIAN = (
    "Моя кошка Муся боится пылесоса.",
    "Резервные копии делаются каждую ночь.",
    "У меня аллергия на орехи.",
)
JAPANESE = (
    "猫の名前はモモで、掃除機が苦手です。",
    "データベースはPostgreSQLに決めました。",
    "会議は毎週火曜日の午前十時からです。",
)


@pytest.fixture
def memory(database: Path, bundled: Encoder) -> Iterator[Memory]:
    with Memory.open(database, model=bundled) as memory:
        memory.wait_for_encoder()
        yield memory


def found(memory: Memory, told: Sequence[str], question: str) -> list[str]:
    memory.remember(items=[Entry(text) for text in told])
    return [hit.item.text for hit in memory.recall(question).hits]


@pytest.mark.parametrize(
    ("told", "question", "answer"),
    [
        pytest.param(GERMAN, "Wann muss ich zum Zahnarzt?", 1, id="the beginning of a compound"),
        pytest.param(GERMAN, "Wann kommt die Heizungswartung?", 3, id="a compound of it"),
        pytest.param(GERMAN, "Welche Datenbanken nehmen wir?", 2, id="a plural"),
        pytest.param(RUSSIAN, "Как часто делается резервная копия?", 1, id="another case"),
        pytest.param(RUSSIAN, "Расскажи про мою кошку", 0, id="an object"),
        pytest.param(JAPANESE, "猫の名前は？", 0, id="Kanji among Hiragana"),
    ],
)
def test_a_word_is_found_in_another_form(memory: Memory, told: Sequence[str], question: str, answer: int) -> None:
    assert found(memory, told, question)[0] == told[answer]


@pytest.mark.parametrize(
    ("told", "question"),
    [
        (GERMAN, "Was ist mein Lieblingsfilm?"),
        (GERMAN, "Wie heißt die Hauptstadt von Peru?"),
        (("El cumpleaños de la abuela es el 14 de agosto.",), "¿Cuál es la capital de Perú?"),
        (("Nous avons choisi Redis pour le cache des sessions.",), "Combien coûte un vélo ?"),
        (RUSSIAN, "Какой у меня любимый фильм?"),
        (JAPANESE, "好きな映画は何ですか？"),
    ],
)
def test_the_words_every_question_has_are_no_answer(memory: Memory, told: Sequence[str], question: str) -> None:
    assert found(memory, told, question) == []


def test_an_english_word_that_nobody_said_finds_what_goes_on_after_it(memory: Memory) -> None:
    told = ("The orders live in PostgreSQL.", "The porters carry the cases.", "The kitchen is blue.")

    assert found(memory, told, "postgres")[0] == told[0]
