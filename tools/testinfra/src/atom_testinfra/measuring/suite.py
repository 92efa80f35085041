"""Time the whole suite, as a person would run it: nothing recorded, nothing steered."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Protocol

from atom_testinfra.core.costs.baseline import Suite
from atom_testinfra.core.errors import SubjectError
from atom_testinfra.core.rounding import round_seconds
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.measuring.child import Child
from atom_testinfra.measuring.environment import child_environment
from atom_testinfra.measuring.session import now

if TYPE_CHECKING:
    from pathlib import Path

    from atom_testinfra.core.config import Profile

LOOK_S = 0.2
LOG_LINES = 40

PASSED, FAILED = 0, 1
"""pytest's exit statuses of a suite that ran: what the others say is that it did not."""

N_FAILED = 5
FAILED_TEST = re.compile(r"^(?:FAILED|ERROR) (.+?::.+?)(?: - .*)?$", re.MULTILINE)
OUTCOME = re.compile(r"(\d+) (passed|failed|skipped|xfailed|xpassed|deselected|errors?)\b")
PERCENT = re.compile(rb"\[ *(\d{1,3})%\]")


class SuiteObserver(Protocol):
    """Whoever wants to know how far the suite has come."""

    def tick(self, elapsed_s: float, percent: int | None) -> None:
        """Say that time has passed."""


def time_suite(
    arguments: list[str], *, folder: Path, profile: Profile, log: Path, observer: SuiteObserver
) -> Suite:
    """
    Run the suite and return how long it took, start-up and collection included.

    Its output goes to `log`, which is removed when everything passed.

    Raises:
        SubjectError: pytest could not run it; the message holds the end of its output.
    """
    started_at, began = now(), Clocks.wall()
    child = Child(
        arguments, plan=None, folder=folder, environment=child_environment(os.environ, profile), log=log
    )
    try:
        while (status := child.wait(LOOK_S)) is None:
            observer.tick(Clocks.wall() - began, read_percent(log))
        wall_s = Clocks.wall() - began
    finally:
        child.stop()
    output = log.read_text(encoding="utf-8", errors="replace")
    if status not in (PASSED, FAILED):
        raise SubjectError(
            f"the whole suite could not run (exit status {status}):\n{_tail(output)}",
            hint=f"all of its output is in {os.fspath(log)!r}; `suite` in [tool.testinfra] has its arguments",
        )
    if status == PASSED:
        log.unlink(missing_ok=True)
    return Suite(
        wall_s=round_seconds(wall_s),
        command=["pytest", *arguments],
        exit_status=status,
        outcomes=parse_outcomes(output),
        failed=parse_failed(output),
        started_at=started_at,
    )


def parse_outcomes(output: str) -> dict[str, int]:
    """Return the counts of pytest's last line: `12 passed, 1 skipped in 3.21s`."""
    for line in reversed(output.strip().splitlines()):
        found = OUTCOME.findall(line)
        if found and " in " in line:
            return {
                outcome.removesuffix("s"): int(n) for n, outcome in sorted(found, key=lambda pair: pair[1])
            }
    return {}


def parse_failed(output: str) -> list[str]:
    """Return the first tests of pytest's short summary: `FAILED tests/t.py::test_a - reason`."""
    return [found[1] for found in FAILED_TEST.finditer(output)][:N_FAILED]


def read_percent(log: Path) -> int | None:
    """Return the last progress that pytest has written, if it writes any."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            found = PERCENT.findall(file.read())
    except OSError:
        return None  # progress is a courtesy: without it the time that passed is still shown
    return int(found[-1]) if found else None


def _tail(output: str) -> str:
    return "\n".join(output.strip().splitlines()[-LOG_LINES:])
