"""How far a measuring session has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.progress import Progress, TaskID

    from atom_testinfra.core.records.measurement import Measurement

LINE_EVERY_S = 5.0


class Forecast:
    """
    How long the rest will take.

    A test is expected to take what it took the last time under the same profile; one never seen, what the
    tests of this session took on average, and before the first of them has ended, what all others took.
    """

    def __init__(self, cells: list[str], known: dict[tuple[str, str], float]) -> None:
        self._cells = cells
        self._known = known
        self._profile = ""
        self._nodeids: list[str] = []
        self._left: dict[str, None] = {}
        self._seen_s = 0.0
        self._n_seen = 0
        self._known_s = sum(known.values()) / len(known) if known else 0.0

    def seconds_in_all(self, profiles: Iterable[str], repeats_of: Callable[[str], int]) -> float | None:
        """Return what the session should take by what is known; `None` if a profile was never measured."""
        known_s: dict[str, float] = {}
        for (profile, _), seconds in self._known.items():
            known_s[profile] = known_s.get(profile, 0.0) + seconds
        profiles = list(profiles)
        if not known_s.keys() >= set(profiles):
            return None
        return sum(known_s[profile] * repeats_of(profile) for profile in profiles)

    def begin(self, profile: str) -> None:
        """Say that the next run is of this profile; the tests of the last one are expected of it."""
        self._profile = profile
        self._left = dict.fromkeys(self._nodeids)
        if profile in self._cells:
            self._cells.remove(profile)

    def collected(self, nodeids: list[str]) -> None:
        """Say what the run will run."""
        self._nodeids = nodeids
        self._left = dict.fromkeys(nodeids)

    def measured(self, nodeid: str, seconds: float) -> None:
        """Say what a test took."""
        self._left.pop(nodeid, None)
        self._known[self._profile, nodeid] = seconds
        self._seen_s += seconds
        self._n_seen += 1

    @property
    def n_tests(self) -> int:
        """Tests of this run."""
        return len(self._nodeids)

    @property
    def n_done(self) -> int:
        """Tests of this run that have ended."""
        return len(self._nodeids) - len(self._left)

    @property
    def n_runs_to_come(self) -> int:
        """Runs of the session after this one."""
        return len(self._cells)

    @property
    def current(self) -> str | None:
        """The test that runs, in a serial run; with workers the first that has not ended."""
        return next(iter(self._left), None)

    def seconds_left(self) -> float | None:
        """Return the expected seconds to the end of the session; `None` while nothing is known."""
        if not self._n_seen and not self._known:
            return None
        now = sum(self._expect(self._profile, nodeid) for nodeid in self._left)
        later = sum(self._expect(profile, nodeid) for profile in self._cells for nodeid in self._nodeids)
        return now + later

    def _expect(self, profile: str, nodeid: str) -> float:
        average = self._seen_s / self._n_seen if self._n_seen else self._known_s
        return self._known.get((profile, nodeid), average)


class _Observing:
    """What both ways of showing have in common."""

    def __init__(self, forecast: Forecast, repeats_of: Callable[[str], int]) -> None:
        self._forecast = forecast
        self._repeats_of = repeats_of
        self._title = ""

    def begin(self, repeat: int, profile: str) -> None:
        self._forecast.begin(profile)
        n_runs = self._repeats_of(profile)
        self._title = profile if n_runs == 1 else f"{profile}, run {repeat + 1} of {n_runs}"
        self.show(is_news=True)

    def collected(self, nodeids: list[str]) -> None:
        self._forecast.collected(nodeids)
        self.show(is_news=True)

    def measured(self, record: Measurement) -> None:
        seconds = record.setup.wall_s + record.call.wall_s + record.teardown.wall_s
        self._forecast.measured(record.nodeid, seconds)
        self.show(is_news=False)

    def tick(self) -> None:
        self.show(is_news=False)

    def count(self) -> str:
        """Return how far the run is; while pytest collects, nobody knows how many tests there are."""
        forecast = self._forecast
        if not forecast.n_tests:
            return "collecting tests"
        return f"{forecast.n_done} of {forecast.n_tests} tests"

    def scope(self) -> str:
        """Return what the time left is for, where it is not this run alone."""
        n = self._forecast.n_runs_to_come
        return "" if n == 0 else f" with {'a further run' if n == 1 else f'{n} further runs'}"

    def show(self, *, is_news: bool) -> None:
        raise NotImplementedError


class LineProgress(_Observing):
    """A line at each run's begin and every few seconds, for logs; it names the test that keeps it waiting."""

    def __init__(
        self,
        forecast: Forecast,
        repeats_of: Callable[[str], int],
        stream: TextIO,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(forecast, repeats_of)
        self._stream = stream
        self._clock = clock
        self._last_at = float("-inf")
        self._last_line = ""

    def show(self, *, is_news: bool) -> None:
        """Print a line, unless one has just been printed; where nothing has ended since, say what runs."""
        now = self._clock()
        if not is_news and now - self._last_at < LINE_EVERY_S:
            return
        forecast = self._forecast
        line = f"measuring {self._title}: {self.count()}"
        left = forecast.seconds_left()
        if left is not None and forecast.n_tests:
            line += f", about {describe_seconds(left)} left{self.scope()}"
        is_same = line == self._last_line
        if is_same and (is_news or forecast.current is None):
            return
        self._last_at, self._last_line = now, line
        waiting = f", waiting for {visible(forecast.current or '')}" if is_same else ""
        print(f"{line}{waiting}", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing stays open."""


class BarProgress(_Observing):
    """A bar with the current test."""

    def __init__(self, forecast: Forecast, repeats_of: Callable[[str], int]) -> None:
        super().__init__(forecast, repeats_of)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar: Progress = Progress(
            TextColumn("{task.fields[title]}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[current]}", markup=False, style="dim"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("", title="", count="", left="", current="", total=None)
        self._bar.start()

    def show(self, *, is_news: bool) -> None:  # noqa: ARG002
        """Draw the bar."""
        forecast = self._forecast
        left = forecast.seconds_left()
        self._bar.update(
            self._task,
            title=self._title,
            count=self.count(),
            completed=forecast.n_done,
            total=forecast.n_tests or None,
            left="" if left is None else f"about {describe_seconds(left)} left{self.scope()}",
            current=shorten(visible(forecast.current or ""), 30),
        )

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def choose_progress(forecast: Forecast, repeats_of: Callable[[str], int]) -> LineProgress | BarProgress:
    """Return a bar for a terminal and lines for everything else."""
    if sys.stderr.isatty():
        return BarProgress(forecast, repeats_of)
    return LineProgress(forecast, repeats_of, sys.stderr)


def describe_seconds(seconds: float) -> str:
    """Return a duration as a person says it: 8 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def shorten(text: str, width: int) -> str:
    """Return the end of a text that is too long: of a node id it says the most."""
    return text if len(text) <= width else "…" + text[1 - width :]
