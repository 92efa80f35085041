"""How figures are written: three significant digits, a readable unit, and no false 0, 100 % or "met"."""

from __future__ import annotations

import math
import re

from atom_testinfra.core import figures

MISSING = "\N{EN DASH}"


def seconds(value: float | None) -> str:
    """Return a duration as `412 µs`, `38.1 ms`, `2.34 s` or `1,204 s`."""
    return MISSING if value is None else figures.seconds(value)


def micros(value: float | None) -> str:
    """Return a duration given in microseconds."""
    return seconds(None if value is None else value / 1e6)


def seconds_beside(value: float, limit: float) -> str:
    """Return a duration as `seconds` does, with as many more digits as keep it on its side of `limit`."""
    return figures.seconds_beside(value, limit)


def limit(value: float) -> str:
    """Return a limit as it was set: `10 s`, `0.5 s`."""
    return f"{value:,.10g} s"


def share(value: float | None) -> str:
    """Return a part of one in per cent; only nothing is 0 % and only all of it is 100 %."""
    if value is None or not math.isfinite(value):
        return MISSING
    if 0 < value < 0.01:
        return "< 1 %"
    if 0.99 < value < 1:
        return "> 99 %"
    return f"{value * 100:.0f} %"


def ratio(value: float | None) -> str:
    """Return a factor as `1.25x`."""
    return MISSING if value is None else f"{figures.significant(value)}x"


def count(value: int | None) -> str:
    """Return a count with a comma between thousands."""
    return MISSING if value is None else f"{value:,}"


def plural(n: int, noun: str) -> str:
    """Return `1 test`, `2 tests`."""
    return figures.plural(n, noun)


def moment(text: str) -> str:
    """Return the time of a record, `2026-11-22T19:40:13.395Z`, to the minute: `2026-11-22 19:40 UTC`."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z", text)
    return f"{found[1]} {found[2]} UTC" if found else text
