"""
The language of the repository: phrases that a colleague would not say aloud.

Each pattern is a habit that made sentences here hard to read, with what to write instead. Documents,
changelog fragments, docstrings, comments and messages are searched alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
AUXILIARY = r"(?:is|are|was|were|has|have|had|may|can|cannot|could|does|do|did|would|will)"
QUANTITY = r"(?:longer|more|less|fewer|later|earlier|better|worse|one)"
CLAUSE = r"(?: (?!that\b|which\b|who\b|where\b)\w+){1,2}"
PATTERNS = {
    rf"(?<!there )\b(?:is|are|was|were) no\b(?! {QUANTITY}\b)": "write 'is not a', or 'there is no'",
    r"\b(?<!because )of wh(?:ich|om)\b": "write 'whose', or begin a new sentence",
    r"\bso many\b": "name the number: 'at most `n`', 'this many'",
    r"\bbesides\b": "write 'also', 'apart from' or 'in addition'",
    r", for (?:it|they|there|he|she|we|you|nothing|nobody)\b": "write 'because'",
    rf", for (?:the|a|an|its|their|no|each|all|what){CLAUSE} {AUXILIARY}\b": "write 'because'",
    r"\bforet(?:ell|old)": "write 'predict'",
    r"\bbe it\b": "write 'whether it is'",
    r"\bdear(?:er|est)?\b": "write 'expensive', 'slow' or 'costly'",
    r"\bwhat is (?:another|no)\b": "write 'what differs', or name what it is not",
    r"\b(?:with|against|to) its like\b": "name what it is compared with",
    r"\bsees? to\b": "write 'sets', 'handles' or 'makes sure'",
    r"\b(?:hold|holds|held|holding)(?: (?!together\b)[\w`'-]+){0,6} against\b": "write 'check against'",
    r"\bnot yet any\b": "write 'no ... yet'",
    r"\bis none of\b": "say what it is not",
    r"\bin so far as\b|\binsofar\b": "write 'as far as'",
    r"\b(?:there|here|where)(?:of|from|upon|unto)\b": "name the thing",
}
"""What to look for in text on one line, whatever its case, and what to write instead."""
SEARCHED = (
    "*.md",
    "Makefile",
    ".ci/*",
    ".github/**/*.*",
    ".planning/**/*.md",
    "backend/*.md",
    "backend/docs/*.md",
    "backend/src/**/*.py",
    "backend/tests/**/*.*",
    "benchmarks/*.py",
    "changes/*.md",
    "docs/**/*.*",
    "tools/testinfra/*.*",
    "tools/testinfra/docs/*.md",
    "tools/testinfra/scripts/*.py",
    "tools/testinfra/src/**/*.py",
    "tools/testinfra/src/**/*.js",
    "tools/testinfra/src/**/*.html",
    "tools/testinfra/tests/**/*.py",
)
TEXTS = {".md", ".py", ".toml", ".yml", ".js", ".html", ".ini", ""}


def texts() -> Iterator[Path]:
    """The files in which people read sentences, this one left out because it quotes what it looks for."""
    for pattern in SEARCHED:
        for path in sorted(ROOT.glob(pattern)):
            hidden = {".testinfra", ".hypothesis", "__pycache__", "suites"} & set(path.parts)
            if path.is_file() and path.suffix in TEXTS and not hidden and path != Path(__file__):
                yield path


def on_one_line(text: str) -> str:
    """Return text without the line breaks inside sentences, comments and strings."""
    return re.sub(r"\s+", " ", re.sub(r'"?\n\s*(?:#|>|f?")? *', " ", text))


def find_phrases(text: str) -> list[str]:
    """Return each phrase that should be written otherwise, with the words around it and the advice."""
    line = on_one_line(text)
    return [
        f"...{line[max(0, found.start() - 50) : found.end() + 30]}...: {advice}"
        for pattern, advice in PATTERNS.items()
        for found in re.finditer(pattern, line, re.IGNORECASE)
    ]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", list(texts()), ids=name_of)
def test_a_text_says_what_a_colleague_would(path: Path) -> None:
    """A file has none of the phrases."""
    assert find_phrases(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "n_found"),
    [
        ("A folder is no file.", 1),
        ("There is no file.", 0),
        ("It is no longer there.", 0),
        ("# So\n# many names are followed.", 1),
        ("A plugin of\nwhich pytest sees the hooks.", 1),
        ("The run ends, for it may not wait.", 1),
        ("The run ends, for the machine is busy.", 1),
        ("This is done once, for tests that are slow.", 0),
        ("Measurements are held against the targets.", 1),
        ("Each is checked against the targets.", 0),
    ],
)
def test_phrases_are_found_across_lines(text: str, n_found: int) -> None:
    """A phrase is found where a line ends inside it, and its correct neighbour is not."""
    assert len(find_phrases(text)) == n_found
