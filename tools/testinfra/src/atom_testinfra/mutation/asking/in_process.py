"""Ask tests one after the other in this process, until one notices."""

from __future__ import annotations

import os
import resource
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Failed
from _pytest.runner import runtestprotocol

from atom_testinfra.core.mutants import MutantVerdict
from atom_testinfra.pytest_plugin.steering.requests import seed_of
from atom_testinfra.pytest_plugin.steering.subject import find_subject

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from atom_testinfra.mutation.asking.copies import Say
    from atom_testinfra.mutation.asking.replay import Replay
    from atom_testinfra.mutation.orders import KnownCost

CPU_FACTOR = 10.0
"""A test that takes this many times the CPU time that it took unchanged is out of time."""
LEAST_CPU_S = 2.0
"""Every test may take this long."""
WALL_FACTOR, LEAST_WALL_S = 5.0, 30.0
"""How long a test may take on the clock, as a multiple of the CPU time that it may take, and at least."""
OWN_DOING = ("too_slow", "differing_executors")
"""Health checks that a busy machine fails, or a test that runs more than once in a process."""


class Asker:
    """A plugin that runs single tests where pytest would run them all, and sees what each raised."""

    def __init__(self, replay: Replay) -> None:
        self.items: dict[str, pytest.Item] = {}
        self.session: Any = None
        self.replay = replay
        self._raised: list[BaseException] = []
        self.properties: frozenset[str] = frozenset()

    def take(self, session: pytest.Session) -> None:
        """Take the collected tests, and steer those that are properties."""
        self.session = session
        self.items = {item.nodeid: item for item in session.items}
        self.properties = frozenset(_steered(session.items))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """See what a test raised."""
        report = yield
        if report.failed and call.excinfo is not None:
            self._raised.append(call.excinfo.value)
        return report

    def run(self, nodeid: str, following: str | None = None) -> BaseException | str | None:
        """
        Run a test.

        Fixtures that the following test shares stay set up; those of the session always do.

        Returns:
            What it raised, a word where it failed without raising, or `None` when it passed or skipped.
        """
        self._raised.clear()
        after = self.session if following is None else self.items[following]
        reports = runtestprotocol(self.items[nodeid], log=False, nextitem=after)
        if not any(report.failed for report in reports):
            return None
        if self._raised:
            return self._raised[0]
        return next(str(report.longrepr) for report in reports if report.failed)

    def tear_down(self) -> None:
        """Take down the fixtures that are still set up, those of the session included."""
        self.session._setupstate.teardown_exact(None)

    def use_own_folder(self) -> None:
        """Let pytest make a folder of its own for what the tests of this copy ask for."""
        factory = getattr(self.session.config, "_tmp_path_factory", None)
        if factory is not None and getattr(factory, "_basetemp", None) is not None:
            own = factory._basetemp / f"copy-{os.getpid()}"
            own.mkdir(mode=0o700)
            factory._basetemp = own

    def ask(self, tests: Sequence[KnownCost], say: Say) -> None:
        """
        Run tests until one notices, and say the verdict.

        Args:
            tests: each with what it took unchanged.
            say: is told which test begins, and the verdict at the end.
        """
        n_all_cases = 0
        for number, test in enumerate(tests, start=1):
            nodeid, allowed_s = test.nodeid, max(LEAST_CPU_S, CPU_FACTOR * test.cpu_s)
            wall_s = max(LEAST_WALL_S, WALL_FACTOR * allowed_s, CPU_FACTOR * test.wall_s)
            say({"test": nodeid, "n_run": number, "wall_s": wall_s})
            following = tests[number].nodeid if number < len(tests) else None
            with CpuLimit(allowed_s, say), self.replay.replaying(nodeid):
                raised = self.run(nodeid, following)
            n_cases = self.replay.n_test_cases if nodeid in self.properties else None
            n_all_cases += n_cases or 0
            if raised is not None:
                say(
                    describe_notice(self.replay.raised or raised)
                    | {"noticed_by": nodeid, "n_run": number, "n_test_cases": n_cases}
                )
                return
        say({"verdict": MutantVerdict.SURVIVED, "n_run": len(tests), "n_test_cases": n_all_cases})


def describe_notice(raised: BaseException | str) -> dict[str, Any]:
    """Return the verdict on what a test raised, and the error in one line."""
    if isinstance(raised, str):
        return {"verdict": MutantVerdict.EXCEPTION, "error": _first_line(raised)}
    is_check = isinstance(raised, AssertionError | Failed)
    verdict = MutantVerdict.ASSERTION if is_check else MutantVerdict.EXCEPTION
    try:
        text = str(raised)
    except Exception:  # noqa: BLE001 (a mutant's exception may raise when it is written)
        text = ""
    return {"verdict": verdict, "error": _first_line(f"{type(raised).__name__}: {text}")}


def _first_line(text: str) -> str:
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= 200 else f"{line[:199]}…"


class CpuLimit:
    """Ends this process when a test takes too much CPU time, and says so first."""

    def __init__(self, seconds: float, say: Say) -> None:
        self._seconds, self._say = seconds, say

    def __enter__(self) -> None:
        def end(*_: object) -> None:
            self._say({"verdict": MutantVerdict.TIME, "n_run": None})
            os._exit(0)

        signal.signal(signal.SIGPROF, end)
        signal.setitimer(signal.ITIMER_PROF, self._seconds)
        # Code in C does not come back to Python's handler: the kernel ends the process then.
        most = int(time.process_time() + self._seconds) + 3
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _steered(items: Sequence[pytest.Item]) -> Iterator[str]:
    """
    Give each property a fixed seed, no database and no shrinking; yield the node ids of properties.

    A failure is one before it is made small, and a database would replay what an earlier mutant left. A busy
    machine must not be taken for a fault, so nothing is judged by how long drawing takes. A method of a
    `unittest.TestCase` runs on another instance each time that the test runs, which Hypothesis would refuse.
    """
    from hypothesis import HealthCheck, Phase, settings

    phases = (Phase.explicit, Phase.generate, Phase.target)
    own_doing = {check for name in OWN_DOING if (check := getattr(HealthCheck, name, None)) is not None}
    for item in items:
        subject = find_subject(item)
        if subject is None:
            continue
        yield item.nodeid
        own = subject.settings
        if own is None:
            continue
        kept = tuple(phase for phase in own.phases if phase in phases)
        changed = settings(
            own,
            phases=kept,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=[*own_doing.union(own.suppress_health_check)],
        )
        is_free = subject.own_seed is None and not own.derandomize
        subject.install(changed, seed_of(item.nodeid, 0) if is_free else None)
