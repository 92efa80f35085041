"""Counts and durations of requests, in the text format that Prometheus reads."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Route = tuple[str, str]
"""A method, and the path that the document has for it: never one with the id of a thing."""


class RequestMetrics:
    """What came of the requests of this process; used in the thread of the event loop alone."""

    def __init__(self) -> None:
        self.n_running = 0
        self._n_answers: dict[tuple[str, str, int], int] = {}
        self._buckets: dict[Route, list[int]] = {}
        self._sums_s: dict[Route, float] = {}

    def note(self, method: str, route: str, status: int, elapsed_s: float) -> None:
        """Count an answer."""
        answer = (method, route, status)
        self._n_answers[answer] = self._n_answers.get(answer, 0) + 1
        place = (method, route)
        if place not in self._buckets:
            self._buckets[place] = [0] * (len(BOUNDS_S) + 1)
            self._sums_s[place] = 0.0
        self._buckets[place][bisect_left(BOUNDS_S, elapsed_s)] += 1
        self._sums_s[place] += elapsed_s

    def render(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Return everything as text; gauges are given by name, each with its meaning and its value."""
        lines = [
            *_head("atom_requests_total", "counter", "Requests that were answered."),
            *(
                _line("atom_requests_total", n, method=method, route=route, status=status)
                for (method, route, status), n in sorted(self._n_answers.items())
            ),
            *_head("atom_request_seconds", "histogram", "How long an answer took, to its last byte."),
        ]
        for (method, route), buckets in sorted(self._buckets.items()):
            lines += _histogram(method, route, buckets, self._sums_s[method, route])
        everything = {"atom_requests_running": ("Requests being worked on.", self.n_running), **gauges}
        for name, (meaning, value) in everything.items():
            lines += [*_head(name, "gauge", meaning), _line(name, value)]
        return "\n".join([*lines, ""])


def _histogram(method: str, route: str, buckets: Iterable[int], sum_s: float) -> Iterator[str]:
    counts = list(accumulate(buckets))
    for bound, n in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
        yield _line("atom_request_seconds_bucket", n, method=method, route=route, le=bound)
    yield _line("atom_request_seconds_sum", sum_s, method=method, route=route)
    yield _line("atom_request_seconds_count", counts[-1], method=method, route=route)


def _head(name: str, kind: str, meaning: str) -> tuple[str, str]:
    return f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"


def _line(name: str, value: float, **labels: str | int) -> str:
    if not labels:
        return f"{name} {value}"
    quoted = ",".join(f'{label}="{each}"' for label, each in labels.items())
    return f"{name}{{{quoted}}} {value}"
