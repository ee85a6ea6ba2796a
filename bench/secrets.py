"""How many made-up secrets are recognised, and how many ordinary texts are taken to hold one.

    uv run python -m bench.secrets --data DIR [--seed N] [--sentences N]
    uv run --with detect-secrets --with kingfisher-secret-scanner python -m bench.secrets --data DIR

Detectors of the package index that are installed are measured beside ours, by the same texts.
"""

import argparse
import contextlib
import importlib
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.data import read_lines
from bench.made_secrets import Made, fresh_texts, made_secrets, ordinary_texts
from mcp_memory.language.sentences import sentences
from mcp_memory.privacy import secret_patterns
from mcp_memory.privacy.redaction import Redactor

SETS = ("locomo", "scifact", "xquad-en", "xquad-zh", "cmrc2018", "ordinary")
"""What is drawn from in equal parts; the last is made up (bench.made_secrets)."""

Hides = Callable[[Made], bool]
"""Whether a detector recognises the secret of a text."""


def main() -> None:
    """Print a table: recognised by sort of secret, taken for one by set, microseconds a text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", type=int, default=1_000, help="of each set")
    parser.add_argument("--show", action="store_true", help="print what was missed and what was mistaken")
    options = parser.parse_args()
    secrets, ordinary = made_secrets(options.seed), drawn(options.data, options.sentences, seed=options.seed)
    for name, load in DETECTORS.items():
        with contextlib.suppress(ImportError), load() as hides:
            print(f"\n{name}")
            _tell(hides, secrets, ordinary, show=options.show)
            for part in ("seen", "aside"):
                _tell_fresh(hides, part, seed=options.seed)


def _tell(hides: Hides, secrets: list[Made], ordinary: dict[str, list[str]], *, show: bool) -> None:
    found = {made: hides(made) for made in secrets}
    by_sort, all_of_sort = Counter(made.sort for made in secrets if found[made]), Counter(made.sort for made in secrets)
    for sort, count in all_of_sort.items():
        print(f"  {sort:<20}{by_sort[sort]:>5} of {count}")
    print(f"  {'recognised':<20}{sum(found.values()):>5} of {len(secrets)} ({sum(found.values()) / len(secrets):.1%})")
    start = time.perf_counter()
    mistaken = {name: [text for text in texts if hides(Made("", text, ""))] for name, texts in ordinary.items()}
    spent = time.perf_counter() - start
    for name, texts in mistaken.items():
        print(
            f"  mistaken, {name:<10}{len(texts):>5} of {len(ordinary[name])} ({len(texts) / len(ordinary[name]):.2%})"
        )
    print(f"  {spent / sum(map(len, ordinary.values())) * 1e6:.0f} µs a sentence")
    if show:
        for made, hidden in found.items():
            if not hidden:
                print("  missed:", made.text[:100].replace("\n", " "))
        for text in (text for texts in mistaken.values() for text in texts):
            print("  mistaken:", text[:120])


def _tell_fresh(hides: Hides, part: str, *, seed: int) -> None:
    """Print the figures of the texts written before the rules, and never which ones they are."""
    counts, totals = Counter[str](), Counter[str]()
    for made in fresh_texts(seed, part):
        counts[made.sort] += hides(made)
        totals[made.sort] += 1
    print(
        f"  fresh, {part:<12}{counts['secret']:>5} of {totals['secret']} recognised,"
        f" {counts['clear']} of {totals['clear']} mistaken"
    )


def drawn(data: Path, count: int, *, seed: int) -> dict[str, list[str]]:
    """So many sentences of each set."""
    rng = random.Random(seed)
    found: dict[str, list[str]] = {}
    for name in SETS[:-1]:
        texts = [document["text"] for document in read_lines(data / name / "corpus.jsonl")]
        rng.shuffle(texts)
        lines = [text[start:end] for text in texts[: 3 * count] for start, end in sentences(text)]
        found[name] = rng.sample(lines, min(count, len(lines)))
    made = ordinary_texts(seed)
    return found | {"ordinary": rng.sample(made, min(count, len(made)))}


@contextlib.contextmanager
def ours() -> Iterator[Hides]:
    """What remember does: the secret is gone from the text that is kept."""

    def hides(made: Made) -> bool:
        redactor = Redactor("mask")
        kept = redactor.text(made.text)
        return made.secret not in kept if made.secret else bool(redactor.withheld.secrets)

    yield hides


@contextlib.contextmanager
def detect_secrets() -> Iterator[Hides]:
    """detect-secrets with all of its plugins but those for entropy, which take words for secrets."""
    core: Any = importlib.import_module("detect_secrets.core.scan")
    settings: Any = importlib.import_module("detect_secrets.settings")
    mapping: Any = importlib.import_module("detect_secrets.core.plugins.util")
    plugins = [{"name": name} for name in mapping.get_mapping_from_secret_type_to_class() and _plugin_names(mapping)]
    with settings.transient_settings({"plugins_used": plugins}):
        yield lambda made: any(list(core.scan_line(line)) for line in made.text.splitlines())


def _plugin_names(mapping: Any) -> list[str]:
    names = [kind.__name__ for kind in mapping.get_mapping_from_secret_type_to_class().values()]
    return [name for name in names if "Entropy" not in name and "PublicIP" not in name]


@contextlib.contextmanager
def kingfisher() -> Iterator[Hides]:
    """Kingfisher's rules, compiled to machine code when first loaded."""
    start = time.perf_counter()
    scanner: Any = importlib.import_module("kingfisher_sdk").Scanner()
    print(f"(loaded in {time.perf_counter() - start:.1f} s)")
    yield lambda made: any(finding.visible for finding in scanner.scan(made.text.encode()))


@contextlib.contextmanager
def gitleaks() -> Iterator[Hides]:
    """gitleaks' published rules alone, as the package has them: without its rule for any name beside any value."""
    rules: Any = json.loads((Path(secret_patterns.__file__).parent / "gitleaks.json").read_bytes())["rules"]
    patterns = [(rule["keywords"], re.compile(rule["pattern"])) for rule in rules]

    def hides(made: Made) -> bool:
        text, lowered = made.text, made.text.lower()
        for keywords, pattern in patterns:
            if any(keyword in lowered for keyword in keywords):
                text = pattern.sub("", text)
        return made.secret not in text if made.secret else text != made.text

    yield hides


DETECTORS = {
    "mcp-memory": ours,
    "gitleaks": gitleaks,
    "detect-secrets": detect_secrets,
    "kingfisher-secret-scanner": kingfisher,
}


if __name__ == "__main__":
    main()
