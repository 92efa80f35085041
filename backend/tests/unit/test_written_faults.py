"""The faults that people wrote down: each still changes the product as it is now."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FAULTS = tomllib.loads(
    (ROOT / "benchmarks" / "subjects" / "faults" / "by_hand.toml").read_text(encoding="utf-8")
)["fault"]


@pytest.mark.parametrize("path", sorted({fault["path"] for fault in FAULTS}))
def test_every_written_fault_applies(path: str) -> None:
    """Its text stands exactly once in its file, and the file with the fault is valid Python."""
    text = (ROOT / path).read_text(encoding="utf-8")
    faults = [fault for fault in FAULTS if fault["path"] == path]
    assert [fault["says"] for fault in faults if text.count(fault["before"]) != 1] == []
    for fault in faults:
        assert fault["before"] != fault["after"], fault["says"]
        ast.parse(text.replace(fault["before"], fault["after"]))
