"""Settings whose limit changes while a property runs: the one clean way to end it in time."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as Settings  # noqa: N812 (it is a class, whatever its name looks like)
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.internal.conjecture import engine

from atom_testinfra.core.budgets.planner import Share
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.machine.run_queue import queued_s

if TYPE_CHECKING:
    from collections.abc import Callable

UNBOUNDED = sys.maxsize
_IS_RENAMED = "valid_test_cases" in engine.ConjectureRunner.__init__.__code__.co_names
VALID = "valid_test_cases" if _IS_RENAMED else "valid_examples"
INTERESTING = "interesting_test_cases" if _IS_RENAMED else "interesting_examples"
"""What the engine counts, which older versions call examples."""
REUSE, GENERATE = "reuse", "generate"
LIMITED = "test_function", "should_generate_more"
"""The engine's methods that ask whether to go on; all others ask what was planned."""
DESCRIBE = "describe"
"""What words the reason to end, for the statistics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run of a property ended."""

    n_valid: int
    reason: str | None
    """The engine's; `None` where it did not run."""
    has_failed: bool


class Limit:
    """
    What one run of a property is held to, and what was seen of it.

    Hypothesis reads `max_examples` before each test case. Nothing ends a run while saved failures are being
    replayed, because those that are left unread would pass for mended.
    """

    def __init__(self, share: Share, own: int, clock: Callable[[], float], cap_s: float = inf) -> None:
        self.own = own
        """What the property itself asks for, for code that is not the engine."""
        self.planned = share.n_examples
        self.phases: set[str] = set()
        self.is_over = False
        """The clock ended it."""
        self.n_running = 0
        self.n_seen = 0
        self.last = self.first = (0.0, 0.0)
        """The clocks after the last test case, and after the first one; wall and CPU seconds."""
        self.queued_s: float | None = None
        """What others had of the CPUs from the first test case to the end of the call, where that is told."""
        self._share = share
        self._clock = clock
        self._first_queued_s: float | None = None
        self._began_s = clock()
        self._cap_s = Clocks.wall() + cap_s
        """When it has to be over by the clock on the wall, whatever the budget's clock says."""
        self._runner: Any = None
        self._n_first = 0

    def for_engine(self, runner: Any, *, is_after_case: bool) -> int:
        """Return how many valid test cases the engine may run before it ends."""
        if self._runner is None:
            self._runner = runner
        elif runner is not self._runner:
            return self.own  # a property inside this one, which took over its settings
        phase = runner._current_phase
        self.phases.add(phase)
        if phase == REUSE:
            return UNBOUNDED
        if is_after_case:
            self._see(getattr(runner, VALID))
            is_spent = self._clock() - self._began_s >= self._share.stop_s
            self.is_over = is_spent or self.last[0] >= self._cap_s
        if self.is_over:
            return self._share.floor
        return UNBOUNDED if self._share.grows else self._share.n_examples

    def end(self) -> None:
        """Take the end of the call."""
        now_s = queued_s()
        if now_s is not None and self._first_queued_s is not None:
            self.queued_s = now_s - self._first_queued_s

    @property
    def n_valid(self) -> int:
        """The number of valid test cases so far."""
        return 0 if self._runner is None else int(getattr(self._runner, VALID))

    def result(self) -> Result:
        """Return how the run ended, and let the engine go."""
        n_valid, runner = self.n_valid, self._runner
        self._runner = None
        return Result(
            n_valid=n_valid,
            reason=getattr(getattr(runner, "exit_reason", None), "name", None),
            has_failed=bool(getattr(runner, INTERESTING, None)),
        )

    def _see(self, n_valid: int) -> None:
        self.last = Clocks.wall(), Clocks.process_cpu()
        if not self.n_seen:
            self.first, self._n_first = self.last, n_valid
            self._first_queued_s = queued_s()
        self.n_seen += 1
        self.n_running = n_valid - self._n_first


class LimitedSettings(Settings):
    """The settings of a property, with a limit that changes."""

    _testinfra_limit: Limit

    @classmethod
    def of(cls, own: Settings, limit: Limit) -> LimitedSettings:
        """Return a property's settings with this limit in place of its number."""
        made = cls(own)
        made._testinfra_limit = limit
        return made

    @property
    def max_examples(self) -> int:
        """What depends on who asks: the engine before a test case, the engine otherwise, or anybody else."""
        limit: Limit | None = vars(self).get("_testinfra_limit")
        frame = sys._getframe(1)
        if limit is None:
            return self._max_examples
        if frame.f_globals is not engine.__dict__:
            return limit.own
        name = frame.f_code.co_name
        if name == DESCRIBE:
            return limit.n_valid
        if name not in LIMITED:
            return limit.planned
        return limit.for_engine(frame.f_locals["self"], is_after_case=name == LIMITED[0])


def find_flaw() -> str | None:
    """Return why this version of Hypothesis cannot be limited, found by limiting a property, or `None`."""
    share = Share(n_examples=3, floor=1, stop_s=1e9, grows=False, predicted_s=1e9)
    seen: list[int] = []
    try:
        limit = Limit(share, 50, Clocks.wall)
        _run_sample(limit, seen)
    except (AttributeError, ImportError, KeyError, TypeError) as exc:
        return f"Hypothesis {hypothesis.__version__} does not let its limit change ({exc!r})"
    if {REUSE, GENERATE} <= limit.phases and limit.result().n_valid == len(set(seen)) == 3:
        return None
    return f"Hypothesis {hypothesis.__version__} does not let its limit change"


def _run_sample(limit: Limit, seen: list[int]) -> None:
    from hypothesis.database import choices_to_bytes

    @given(strategies.integers(0, 10_000))
    def sample(value: int) -> None:
        seen.append(value)

    database = InMemoryExampleDatabase()
    database.save(b"sample", choices_to_bytes((7,)))
    own = Settings(
        database=database,
        deadline=None,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run: Any = sample
    run._hypothesis_internal_use_settings = LimitedSettings.of(own, limit)
    run._hypothesis_internal_use_seed = 0  # or the seeds of the tests would be others
    run._hypothesis_internal_database_key = b"sample"
    run()
