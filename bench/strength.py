"""What strength is worth: made-up histories of two years, and questions whose right answer is the one that still counts.

    uv run python -m bench.strength [--seeds 1,2,3] [--sweep]

Each history tells of a dozen projects: facts told twice in other words at different times, facts told by the user and
by an assistant or a document, facts confirmed since, facts that were recalled often, pinned ones, weighty ones and
trifles, among notes and events that nobody asks for. Each question has two candidate answers that its words fit
equally well; which of them was told first is left to chance, so that an order by time alone gains nothing where time
says nothing. `plain` questions have one answer, and strong memories beside it that do not answer: what must not be lost.
`sibling` questions have a newer and weightier
statement beside the right one that says the same of another project, `named` questions name the older of two values. `core` is the share of what a session should begin with (pinned items,
preferences, decisions in force, weighty facts) among what the core context of 600 tokens shows.
"""

import argparse
import random
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.loading import RecordingEncoder
from mcp_memory.domain.model import Entry, ItemId, Turn
from mcp_memory.encoders import Encoder, bundled_model_directory, load_encoder
from mcp_memory.memory import Memory
from mcp_memory.recall import ranking, salience
from mcp_memory.recall.filters import ItemQuery

END = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAYS = 730
PROJECTS = tuple("atlas borealis comet dune ember falcon glacier harbor indigo juniper kestrel lagoon".split())
SUBJECTS = (
    ("the {p} cache holds {v} gigabytes", "{p} keeps a cache of {v} gigabytes", "how large is the cache of {p}?"),
    (
        "{p} sends its alerts to the {c} channel",
        "alerts from {p} go to the {c} channel",
        "where do alerts from {p} go?",
    ),
    ("the {p} build takes {v} minutes", "building {p} needs {v} minutes", "how long does a build of {p} take?"),
    ("{n} reviews the code of {p}", "the code of {p} is reviewed by {n}", "who reviews the code of {p}?"),
    ("{p} is deployed on {d}", "deployments of {p} are on {d}", "on which day is {p} deployed?"),
    ("the {p} backup is kept {v} days", "backups of {p} stay for {v} days", "for how long are backups of {p} kept?"),
)
NAMES = tuple("Ada Bruno Chen Dilara Esra Femi Greta Hugo Ines Jonas Keiko Lena Mateo Nadia Olu Petra".split())
CHANNELS = tuple("red green blue amber violet silver copper olive teal coral".split())
WEEKDAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday".split())
ASPECTS = (
    "{n} drew up the {t} of {p}.",
    "The {t} of {p} is written in {l}.",
    "The {t} of {p} was handed over to {n}.",
    "Changes to the {t} of {p} go through {n}.",
    "The {t} of {p} is tested with {l}.",
)
THINGS = ("login page", "mobile app", "billing job", "search index", "mail queue", "admin panel")
TOOLS = tuple("Rust Python Kotlin Elixir Go Swift Ruby Scala".split())
CLASSES = ("recent", "confirmed", "said by the user", "pinned", "used", "important", "plain", "sibling", "named")


@dataclass
class Question:
    """A question, what answers it and what seems to."""

    what: str
    text: str
    right: ItemId
    wrong: ItemId


@dataclass
class History:
    """A memory with the questions that may be put to it, and what a session should begin with."""

    memory: Memory
    questions: list[Question] = field(default_factory=list[Question])
    core: set[ItemId] = field(default_factory=set[ItemId])


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now = END - timedelta(days=DAYS)

    def __call__(self) -> datetime:
        return self.now


def main() -> None:
    """Build a history for each seed, and print what each weight is worth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--sweep", action="store_true", help="try other values of each constant as well")
    options = parser.parse_args()
    encoder = RecordingEncoder(load_encoder(bundled_model_directory()))
    configurations = dict(SWITCHED) | (dict(SWEPT) if options.sweep else {})
    found: dict[str, list[Mapping[str, float]]] = {name: [] for name in configurations}
    for seed in map(int, options.seeds.split(",")):
        clock = Clock()
        with TemporaryDirectory() as folder:
            history = build(Path(folder) / "memory.db", encoder, clock, random.Random(seed))
            for name, constants in configurations.items():
                with constants_set(constants):
                    found[name].append(accuracy(history))
            history.memory.close()
    columns = (*CLASSES, "all", "core")
    print(f"{'':<34}" + "".join(f"{name[:10]:>11}" for name in columns))
    for name, scores in found.items():
        row = {column: 100 * statistics.fmean(score[column] for score in scores) for column in columns}
        print(f"{name:<34}" + "".join(f"{row[column]:>11.1f}" for column in columns))


def accuracy(history: History) -> dict[str, float]:
    """By class and over all, how often the right answer stands above the wrong one and is among the first ten."""
    right: dict[str, list[bool]] = {}
    for question in history.questions:
        found = history.memory.recall(question.text, select=ItemQuery(scope="all"), limit=10, max_tokens=5000)
        order = [hit.item.id for hit in found.hits]
        ahead = question.right in order and question.wrong not in order[: order.index(question.right)]
        right.setdefault(question.what, []).append(ahead)
    shares = {what: statistics.fmean(answers) for what, answers in right.items()}
    shown = [hit.item.id for hit in history.memory.recall(max_tokens=600).hits]
    core = sum(item in history.core for item in shown) / max(len(shown), 1)
    return shares | {"all": statistics.fmean(shares.values()), "core": core}


@contextmanager
def constants_set(constants: Mapping[str, object]) -> Iterator[None]:
    """Within the block constants, named as module.NAME, have other values."""
    modules = {"ranking": ranking, "strength": salience}
    before = {name: getattr(modules[name.split(".")[0]], name.split(".")[1]) for name in constants}
    for name, value in constants.items():
        setattr(modules[name.split(".")[0]], name.split(".")[1], value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(modules[name.split(".")[0]], name.split(".")[1], value)


def build(path: Path, encoder: Encoder, clock: Clock, chance: random.Random) -> History:
    """About 200 items over two years: what is to be asked, in the order it was told, among what nobody asks for."""
    history = History(Memory.open(path, model=encoder, clock=clock))
    history.memory.wait_for_encoder()
    told: list[tuple[int, Callable[[], None]]] = []
    pairs = [(project, subject) for project in PROJECTS for subject in SUBJECTS]
    chance.shuffle(pairs)
    told_by = (_recent, _confirmed, _said, _pinned, _used, _important, _plain, _sibling, _named)
    makers = dict(zip(CLASSES, told_by, strict=True))
    for number, (project, subject) in enumerate(pairs):
        makers[CLASSES[number % len(CLASSES)]](_Story(history, project, subject, chance, told))
    for number in range(70):
        told.append((chance.randrange(DAYS), _remembering(history, _chatter(chance, number), "note", core=False)))
    for number in range(6):
        told.append((chance.randrange(DAYS), _remembering(history, PREFERENCES[number], "preference", core=True)))
        told.append((chance.randrange(DAYS), _remembering(history, DECISIONS[number], "decision", core=True)))
    for day, act in sorted(told, key=lambda entry: entry[0]):
        clock.now = END - timedelta(days=DAYS - day)
        act()
    clock.now = END
    history.memory.maintenance.make_vectors()
    history.memory.close()  # which writes the use counts
    history.memory = Memory.open(path, model=encoder, clock=clock)
    history.memory.wait_for_encoder()
    return history


@dataclass
class _Story:
    """What one pair of statements is told with."""

    history: History
    project: str
    subject: tuple[str, str, str]
    chance: random.Random
    told: list[tuple[int, Callable[[], None]]]
    made: dict[str, ItemId] = field(default_factory=dict[str, ItemId])

    def statements(self) -> tuple[str, str]:
        """Two that answer the same question differently, in one wording or two."""
        wordings = [self.subject[0], self.chance.choice(self.subject[:2])]
        self.chance.shuffle(wordings)
        values = [self.chance.sample(range(3, 90), 2), self.chance.sample(NAMES, 2)]
        values += [self.chance.sample(CHANNELS, 2), self.chance.sample(WEEKDAYS, 2)]
        one, other = (
            wordings[at].format(
                p=self.project.capitalize(), v=values[0][at], n=values[1][at], c=values[2][at], d=values[3][at]
            )
            for at in (0, 1)
        )
        return f"{one[0].upper()}{one[1:]}.", f"{other[0].upper()}{other[1:]}."

    def aspects(self) -> tuple[str, str, str]:
        """Two statements that both hold and both answer a question, which is the third."""
        thing = THINGS[SUBJECTS.index(self.subject)]
        forms = self.chance.sample(ASPECTS, 2) if self.chance.random() < 0.5 else 2 * [self.chance.choice(ASPECTS)]
        names, tools = self.chance.sample(NAMES, 2), self.chance.sample(TOOLS, 2)
        one, other = (
            form.format(p=self.project.capitalize(), t=thing, n=name, l=tool)
            for form, name, tool in zip(forms, names, tools, strict=True)
        )
        return one, other, f"what is there to know about the {thing} of {self.project.capitalize()}?"

    def tell(self, name: str, day: int, text: str, *, voice: str = "client", importance: float | None = None) -> None:
        """Have a statement remembered on a day, by one of the voices."""

        def act() -> None:
            # Each in a scope of its own, as if told by different clients: what replaces what is not asked here.
            like = Entry("", scope=f"{self.project} {name}", importance=importance)
            if voice == "document":
                other = "\n\n".join(f"Section {n}. {FILLER}" for n in range(6))
                made = self.history.memory.remember(f"{text}\n\n{other}", like=like)
            elif voice in ("user", "assistant"):
                made = self.history.memory.remember(turns=[Turn(text, voice)], like=like)
            else:
                made = self.history.memory.remember(text, like=like)
            self.made[name] = made.items[0].id

        self.told.append((day, act))

    def later(self, day: int, act: Callable[[], None]) -> None:
        """Have something done on a day."""
        self.told.append((day, act))

    def ask(self, what: str, text: str | None = None) -> None:
        """Ask for `right` against `wrong`, at the end."""
        question = text or self.subject[2].format(p=self.project.capitalize())
        self.told.append(
            (
                DAYS,
                lambda: self.history.questions.append(Question(what, question, self.made["right"], self.made["wrong"])),
            )
        )


def _days(story: _Story) -> tuple[int, int]:
    """Two days within half a year, in either order."""
    first = story.chance.randrange(60, DAYS - 60)
    second = min(DAYS - 30, first + story.chance.randrange(1, 20))
    return (first, second) if story.chance.random() < 0.5 else (second, first)


def _recent(story: _Story) -> None:
    one, other = story.statements()
    old = story.chance.randrange(0, 500)
    story.tell("wrong", old, one)
    story.tell("right", story.chance.randrange(old + 100, DAYS), other)
    story.ask("recent")


def _confirmed(story: _Story) -> None:
    one, other = story.statements()
    first, second = _days(story)
    story.tell("wrong", first, one)
    story.tell("right", second, other)
    for number in range(story.chance.randrange(1, 4)):
        day = min(DAYS - 1, max(first, second) + 30 * (number + 1))
        story.later(day, lambda: story.history.memory.update(story.made["right"], confirm=True) and None)
    story.ask("confirmed")


def _said(story: _Story) -> None:
    one, other = story.statements()
    first, second = _days(story)
    voices = story.chance.choice((("user", "assistant"), ("client", "assistant"), ("client", "document")))
    story.tell("right", first, one, voice=voices[0])
    story.tell("wrong", second, other, voice=voices[1])
    story.ask("said by the user")


def _pinned(story: _Story) -> None:
    one, other = story.statements()
    first, second = _days(story)
    story.tell("wrong", first, one)
    story.tell("right", second, other)
    story.later(max(first, second) + 1, lambda: story.history.memory.update(story.made["right"], pinned=True) and None)
    story.later(DAYS, lambda: story.history.core.add(story.made["right"]))
    story.ask("pinned")


def _used(story: _Story) -> None:
    one, other, question = story.aspects()
    first, second = _days(story)
    story.tell("wrong", first, one)
    story.tell("right", second, other)
    for number in range(4):
        day = min(DAYS - 2, max(first, second) + 5 * (number + 1))
        story.later(day, lambda: _use(story, other))
    story.ask("used", question)


def _use(story: _Story, text: str) -> None:
    story.history.memory.recall(text, select=ItemQuery(scope=f"{story.project} right"), limit=1)


def _important(story: _Story) -> None:
    one, other, question = story.aspects()
    first, second = _days(story)
    given = story.chance.random() < 0.5
    story.tell("wrong", first, one)
    weighty = other if given else f"Important: never forget that {other[0].lower()}{other[1:]}"
    story.tell("right", second, weighty, importance=0.9 if given else None)
    story.later(DAYS, lambda: story.history.core.add(story.made["right"]))
    story.ask("important", question)


def _plain(story: _Story) -> None:
    one, _ = story.statements()
    subject = story.chance.choice([other for other in SUBJECTS if other != story.subject])
    beside = _Story(story.history, story.project, subject, story.chance, story.told, story.made)
    story.tell("right", story.chance.randrange(0, 200), one)
    story.tell("wrong", story.chance.randrange(600, DAYS - 1), beside.statements()[0], importance=0.9)
    story.later(DAYS - 1, lambda: story.history.memory.update(story.made["wrong"], pinned=True) and None)
    story.later(DAYS, lambda: story.history.core.add(story.made["wrong"]))
    story.ask("plain")


def _sibling(story: _Story) -> None:
    one, _ = story.statements()
    project = story.chance.choice([other for other in PROJECTS if other != story.project])
    beside = _Story(story.history, project, story.subject, story.chance, story.told, story.made)
    story.tell("right", story.chance.randrange(0, 300), one, voice="client")
    beside.tell("wrong", story.chance.randrange(500, DAYS - 1), beside.statements()[0], importance=0.9)
    story.ask("sibling")


def _named(story: _Story) -> None:
    one, other = story.statements()
    old = story.chance.randrange(0, 300)
    story.tell("right", old, one)
    story.tell("wrong", story.chance.randrange(old + 200, DAYS), other)
    story.ask("named", f"since when is it that {one[0].lower()}{one[1:-1]}?")


def _remembering(history: History, text: str, kind: str, *, core: bool) -> Callable[[], None]:
    def act() -> None:
        made = history.memory.remember(text, like=Entry("", kind=kind)).items[0]
        if core:
            history.core.add(made.id)

    return act


def _chatter(chance: random.Random, number: int) -> str:
    who, what = chance.choice(NAMES), chance.choice(CHATTER)
    return f"{what.format(n=who)} ({number})" if chance.random() < 0.5 else what.format(n=who)


CHATTER = (
    "Had a look at some things with {n} today.",
    "{n} was out for lunch and came back late.",
    "We talked about this and that, nothing was settled.",
    "{n} said the weather was better last week.",
    "The meeting was moved and then moved back again.",
    "Looked into it a bit more, no news so far.",
    "{n} will maybe try it again some time.",
)
PREFERENCES = (
    "I prefer tabs to spaces in every language.",
    "Answer me in short sentences, without bullet points.",
    "I like dark themes and small fonts.",
    "Never commit to the main branch without asking me.",
    "I want tests written before the code.",
    "Use metric units when you talk to me.",
)
DECISIONS = (
    "We decided to keep everything in one SQLite file, because nobody wants to run a server.",
    "We chose Rust for the parser after the Python one proved too slow.",
    "The team agreed to drop support for Windows 8.",
    "We settled on trunk-based development with short-lived branches.",
    "It was decided to pay for the larger plan until December.",
    "We will not store card numbers ourselves; the provider keeps them.",
)
FILLER = "This part tells how the office is run, who waters the plants and when the windows are cleaned. " * 9

SWITCHED: Mapping[str, Mapping[str, object]] = {
    "everything on": {},
    "no strength in recall": {"ranking.SALIENCE": dict.fromkeys(ranking.SALIENCE, 0.0)},
    "no settling of contradictions": {"conflicts.TIED": -1e9, "conflicts.SETTLED": 0},
    "neither": {
        "ranking.SALIENCE": dict.fromkeys(ranking.SALIENCE, 0.0),
        "conflicts.TIED": -1e9,
        "conflicts.SETTLED": 0,
    },
    "without importance": {"salience.IMPORTANCE": 0.0},
    "without recency": {"salience.RECENCY": 0.0},
    "without confirmations": {"salience.CONFIRMED": 0.0},
    "without uses": {"salience.USED": 0.0},
    "without who said it": {"salience.PRECEDENCE_DAYS": dict.fromkeys(salience.PRECEDENCE_DAYS, 0)},
}
"""Each part switched off."""
SWEPT: Mapping[str, Mapping[str, object]] = {
    f"{name.split('.')[1]} = {value}": {name: value}
    for name, values in {
        "ranking.SALIENCE": tuple(ranking.SALIENCE | {"note": weight} for weight in (0.2, 0.4, 0.8, 1.2)),
        "conflicts.TIED": (0.25, 0.75, 1.0),
        "salience.IMPORTANCE": (1.0, 4.0),
        "salience.RECENCY": (1.0, 4.0),
        "salience.CONFIRMED": (1.0, 2.0),
        "salience.USED": (0.25, 1.0),
        "salience.OFTEN": (1, 10),
    }.items()
    for value in values
} | {
    f"PRECEDENCE_DAYS x {factor}": {
        "salience.PRECEDENCE_DAYS": {role: round(days * factor) for role, days in salience.PRECEDENCE_DAYS.items()}
    }
    for factor in (0.5, 2, 4)
}
"""Other values of each constant."""

if __name__ == "__main__":
    main()
