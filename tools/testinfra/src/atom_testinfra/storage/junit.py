"""Merge JUnit files: one document with the suites of all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from atom_testinfra.core.errors import ShardError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COUNTS = ("tests", "errors", "failures", "skipped")


def merge_junit(paths: Sequence[Path]) -> bytes:
    """
    Return one document with every test suite of the files, and their counts added up.

    Raises:
        ShardError: A file cannot be read, or it is not a JUnit file.
    """
    merged = ET.Element("testsuites", name="pytest tests")
    for path in paths:
        merged.extend(_suites(path))
    for name in COUNTS:
        merged.set(name, str(sum(int(suite.get(name, "0")) for suite in merged)))
    merged.set("time", f"{sum(float(suite.get('time', '0')) for suite in merged):.3f}")
    text: bytes = ET.tostring(merged, encoding="utf-8", xml_declaration=True)
    return text


def count_junit(path: Path) -> int:
    """Return how many test cases a JUnit file holds."""
    return sum(1 for suite in _suites(path) for _ in suite.iter("testcase"))


def _suites(path: Path) -> list[ET.Element]:
    try:
        root = ET.parse(path).getroot()  # noqa: S314 (written by the same project's pytest)
    except OSError as exc:
        raise ShardError(f"cannot read {os.fspath(path)!r}: {exc.strerror or exc}") from exc
    except ET.ParseError as exc:
        raise ShardError(f"{os.fspath(path)!r} is not XML: {exc}", hint="run that shard again") from exc
    suites = [root] if root.tag == "testsuite" else list(root.iter("testsuite"))
    if root.tag not in {"testsuite", "testsuites"}:
        raise ShardError(f"{os.fspath(path)!r} is not a JUnit file: it holds <{root.tag}>")
    return suites
