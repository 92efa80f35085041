"""Times as people type them: `90s`, `2m`, `1h30m`, and `90cpu-s` for seconds on the CPU."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from atom_testinfra.core.errors import ConfigError

LONGEST_S = 30 * 86_400.0
"""Thirty days: nobody means a longer time."""
EXAMPLES = "90s, 2m or 1h30m"
SHOWN = 40

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_WALL = re.compile(rf"(?:(?P<h>{_NUMBER})h)?(?:(?P<m>{_NUMBER})m(?:in)?)?(?:(?P<s>{_NUMBER})s)?")
_BARE = re.compile(_NUMBER)
_CPU = re.compile(rf"(?P<n>{_NUMBER})cpu-(?P<unit>[smh])")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


class BudgetClock(StrEnum):
    """What a time counts."""

    WALL = "wall"
    """Seconds that a person waits."""
    CPU = "cpu"
    """CPU seconds of all processes of a run: the same on a busy machine, nearly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpan:
    """A time that somebody asked for."""

    seconds: float
    clock: BudgetClock

    def __str__(self) -> str:
        unit = "CPU s" if self.clock is BudgetClock.CPU else "s"
        return f"{self.seconds:,.10g} {unit}"


def parse_time_span(text: str) -> TimeSpan:
    """
    Return the time that a text stands for; a bare number counts seconds.

    Raises:
        ConfigError: The text is not a time, or the time is zero or longer than thirty days.
    """
    stripped = text.strip()
    cpu = _CPU.fullmatch(stripped)
    if cpu is not None:
        span = TimeSpan(seconds=float(cpu["n"]) * _UNIT_S[cpu["unit"]], clock=BudgetClock.CPU)
    else:
        span = TimeSpan(seconds=_wall_seconds(stripped), clock=BudgetClock.WALL)
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
    if not span.seconds > 0.0:
        raise ConfigError(f"{shown!r} is not a time above zero, such as {EXAMPLES}")
    if span.seconds > LONGEST_S:
        raise ConfigError(f"{shown!r} is longer than 30 days; name a time such as {EXAMPLES}")
    return span


def parse_wall_seconds(text: str) -> float:
    """
    Return the wall seconds that a text stands for.

    Raises:
        ConfigError: The text is not a time, or it counts CPU seconds.
    """
    span = parse_time_span(text)
    if span.clock is not BudgetClock.WALL:
        raise ConfigError(f"{text!r} counts CPU seconds; name a time that passes, such as {EXAMPLES}")
    return span.seconds


def _wall_seconds(text: str) -> float:
    """Return the seconds, or zero for what is not a time."""
    if _BARE.fullmatch(text):
        return float(text)
    match = _WALL.fullmatch(text)
    if match is None:
        return 0.0
    return sum(float(number) * _UNIT_S[unit] for unit, number in match.groupdict().items() if number)
