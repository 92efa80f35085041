"""
Which properties check which invariant: `python -m tests.invariants [--check]`, from `backend/`.

The table is made from what pytest collects: the marker `invariant(number)` of each test, its docstring, and
the tier that the performance baseline gives it. A number without a property is an error.
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import json
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

BACKEND = Path(__file__).parents[1]
DOCUMENT = BACKEND / "tests" / "INVARIANTS.md"
BASELINE = BACKEND / "tests" / "coverage_reports" / "metrics" / "performance_baseline.json"
PROPERTIES = "tests/property_tests"
NUMBERS = range(1, 54)
NOT_MEASURED = "not measured"

HEAD = f"""\
# Invariants

Each rule of the domain, the properties that check it, and the tier of each property. `make invariants` writes
this page from the tests; a number from {NUMBERS[0]} to {NUMBERS[-1]} without a property is an error.

| number | property | what it states | tier |
| -----: | -------- | -------------- | ---- |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBy:
    """A property and what it says about an invariant."""

    nodeid: str
    statement: str


class Collector:
    """A pytest plugin that notes the marked tests and lets none of them run."""

    def __init__(self) -> None:
        self.found: dict[int, list[CheckedBy]] = defaultdict(list)
        self.errors: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note each test's numbers."""
        for item in items:
            for mark in item.iter_markers("invariant"):
                for number in mark.args:
                    checked_by = CheckedBy(nodeid=item.nodeid, statement=_statement(item))
                    if checked_by not in self.found[number]:
                        self.found[number].append(checked_by)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self.errors.append(str(report.longrepr))


def main() -> int:
    """Write or check the document: 1 if it is stale or a number is missing, 2 if nothing is collected."""
    parser = argparse.ArgumentParser(prog="python -m tests.invariants", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the document is stale")
    is_check = parser.parse_args().check
    collector = Collector()
    status = pytest.main(
        [PROPERTIES, "--collect-only", "-p", "no:terminal", "-p", "no:cacheprovider"], plugins=[collector]
    )
    if collector.errors or status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        sys.stderr.write("\n".join([*collector.errors, f"error: {PROPERTIES} cannot be collected\n"]))
        return 2
    document = render(collector.found, load_tiers())
    problems = [
        f"invariant {number} has no property" for number in NUMBERS if not collector.found.get(number)
    ]
    problems += [f"{number} is not an invariant" for number in collector.found if number not in NUMBERS]
    before = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    if not is_check:
        DOCUMENT.write_text(document, encoding="utf-8")
    elif document != before:
        difference = difflib.unified_diff(
            before.splitlines(), document.splitlines(), "tests/INVARIANTS.md", "the tests", lineterm="", n=0
        )
        sys.stdout.write("\n".join(difference) + "\n")
        problems.append("tests/INVARIANTS.md is stale; `make invariants` writes it")
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    return 1 if problems else 0


def load_tiers() -> dict[str, str]:
    """Return the tier of each property in the performance baseline, by node id."""
    if not BASELINE.exists():
        return {}
    properties = json.loads(BASELINE.read_text(encoding="utf-8"))["properties"]
    return {nodeid: entry["tier"] for nodeid, entry in properties.items()}


def render(found: dict[int, list[CheckedBy]], tiers: dict[str, str]) -> str:
    """Return the document: a row for each number and property; a parametrised one says how many cases."""
    rows = []
    for number in NUMBERS:
        cases = Counter(
            (one.nodeid.partition("[")[0], one.statement, tiers.get(one.nodeid, NOT_MEASURED))
            for one in found.get(number, ())
        )
        for (nodeid, statement, tier), n in sorted(cases.items()):
            times = f" ({n} cases)" if n > 1 else ""
            rows.append(f"| {number} | {_name(nodeid)}{times} | {statement} | {tier} |")
    return HEAD + "\n".join(rows) + "\n"


def _name(nodeid: str) -> str:
    """Return the node id below the folder of the properties, as code that a table cell can hold."""
    return f"`{nodeid.removeprefix(f'{PROPERTIES}/')}`".replace("|", r"\|")


def _statement(item: pytest.Item) -> str:
    """Return the first sentence of the docstring, less the number that it may begin with."""
    function = getattr(item, "obj", None)
    machine = getattr(function, "_hypothesis_state_machine_class", None)
    text = inspect.cleandoc((machine or function).__doc__ or "")
    sentence = " ".join(text.split("\n\n")[0].split())
    return re.sub(r"^Invariants? [\d, and]+(, [^:]*)?: ", "", sentence).replace("|", r"\|")


if __name__ == "__main__":
    raise SystemExit(main())
