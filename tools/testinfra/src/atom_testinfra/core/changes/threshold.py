"""How much slower is too much: `parts:25%`, `cpu:7.5%+20us`, `body_cpu:0.02s`."""

from __future__ import annotations

import math
import re
from enum import StrEnum

from msgspec import Struct

from atom_testinfra.core.errors import ComparisonError

DEFAULT_SHARE = 0.25
DEFAULT_FLOOR_US = 2.0
"""Below this, per example, nobody waits: two calls of a Python function."""

_TERM = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(?P<unit>%|us|ms|s)")
_MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}
_EXAMPLES = "'parts:25%', 'cpu:7.5%+20us' or 'body_cpu:0.02s'"


class Statistic(StrEnum):
    """Which cost of a test is compared; each is per valid example."""

    PARTS = "parts"
    """The body by itself, and each other part by what it adds to the whole: see `core.records.parts`."""
    BODY_CPU = "body_cpu"
    """Median CPU time inside the test's own function, or a machine's rules and invariants."""
    CPU = "cpu"
    """CPU time of set-up and call, without teardown: with generating and Hypothesis's own work."""
    WALL = "wall"
    """Wall time of set-up and call, without teardown: as noisy as the machine."""


class Threshold(Struct, frozen=True, kw_only=True):
    """A cost and how far it may rise: by a share, and at least by an absolute floor."""

    statistic: Statistic = Statistic.PARTS
    share: float = DEFAULT_SHARE
    floor_us: float = DEFAULT_FLOOR_US

    @property
    def suite_limit(self) -> float:
        """The ratio above which the whole suite is slower; a time per example alone says nothing about it."""
        return 1 + (self.share or DEFAULT_SHARE)

    def limit(self, base_us: float) -> float:
        """Return the ratio to the base cost above which a test is slower."""
        return 1 + max(self.share, self.floor_us / base_us)

    def __str__(self) -> str:
        return f"{self.statistic}:{self.share * 100:g}%+{self.floor_us:g}us"


def parse_threshold(text: str) -> Threshold:
    """Return the threshold that `text` stands for: a statistic, then a percentage, a time or both."""
    name, separator, terms = text.strip().partition(":")
    try:
        statistic = Statistic(name.strip())
    except ValueError:
        known = ", ".join(Statistic)
        raise ComparisonError(f"threshold {text!r}: no statistic {name!r}", hint=f"one of {known}") from None
    matches = [_TERM.fullmatch(term.strip()) for term in terms.split("+")]
    percents = [float(m["number"]) for m in matches if m and m["unit"] == "%"]
    floors = [float(m["number"]) * _MICROSECONDS[m["unit"]] for m in matches if m and m["unit"] != "%"]
    if not separator or None in matches or len(percents) > 1 or len(floors) > 1:
        raise ComparisonError(f"threshold {text!r} is not understood", hint=f"write it like {_EXAMPLES}")
    share = percents[0] / 100 if percents else 0.0
    floor_us = floors[0] if floors else DEFAULT_FLOOR_US
    if not (math.isfinite(share) and math.isfinite(floor_us)) or share + floor_us == 0 or share > 1000:
        raise ComparisonError(
            f"threshold {text!r} is out of range", hint="a percentage or a time above 0, and at most 100000%"
        )
    return Threshold(statistic=statistic, share=share, floor_us=floor_us)
