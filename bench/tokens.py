"""How far token_count.count_tokens is from a tokenizer, over texts of 30 tokens and more.

    uv run python -m bench.tokens --data DIR --count "node count.mjs" [--sets xquad-en,xquad-zh]

DIR holds a directory with corpus.jsonl for each set. The command reads a text a line, as a JSON string, and prints the
number of tokens of each, a line each; with npm's gpt-tokenizer:

    import { createInterface } from 'node:readline';
    import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
    for await (const line of createInterface({ input: process.stdin })) console.log(countTokens(JSON.parse(line)));
"""

import argparse
import json
import shlex
import statistics
import subprocess
from pathlib import Path

from mcp_memory.language.token_count import count_tokens

SETS = "locomo,scifact,xquad-en,xquad-zh,cmrc2018"
LEAST = 30
MOST = 1500
"""Texts of a set."""


def main() -> None:
    """Count, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory of the test sets")
    parser.add_argument("--count", required=True, help="command that counts the tokens of texts")
    parser.add_argument("--sets", default=SETS, help=f"separated by commas (default: {SETS})")
    options = parser.parse_args()
    print(f"{'set':<12}{'texts':>7}{'total':>9}{'median':>9}{'p90':>9}")
    for name in options.sets.split(","):
        lines = (options.data / name / "corpus.jsonl").read_text("utf-8").splitlines()[:MOST]
        texts = [json.loads(line)["text"] for line in lines]
        print_errors(name, texts, counted(texts, options.count))


def counted(texts: list[str], command: str) -> list[int]:
    """The tokens of each text by the tokenizer of the command."""
    given = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run(shlex.split(command), input=given, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def print_errors(name: str, texts: list[str], tokens: list[int]) -> None:
    """A line: the error of the total, of the median text and of the nine texts in ten that fare best, in percent."""
    pairs = [(count_tokens(text), number) for text, number in zip(texts, tokens, strict=True) if number >= LEAST]
    total = sum(ours for ours, _ in pairs) / sum(theirs for _, theirs in pairs) - 1
    errors = sorted(abs(ours / theirs - 1) for ours, theirs in pairs)
    p90 = errors[len(errors) * 9 // 10]
    print(f"{name:<12}{len(pairs):>7}{total:>9.1%}{statistics.median(errors):>9.1%}{p90:>9.1%}")


if __name__ == "__main__":
    main()
