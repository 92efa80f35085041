"""How a duration, a share and a count are written: a readable unit, no false 0 or 100 %, "1 test"."""

from __future__ import annotations

import math


def seconds(value: float, *, digits: int = 3) -> str:
    """Return a duration as `412 µs`, `38.1 ms`, `2.34 s` or `1,204 s`."""
    if value == 0:
        return "0 s"
    rounded = float(f"{value:.{digits}g}")
    if rounded < 1e-3:
        return f"{significant(value * 1e6, digits=digits)} µs"
    if rounded < 1:
        return f"{significant(value * 1e3, digits=digits)} ms"
    return f"{significant(value, digits=digits)} s"


def seconds_beside(value: float, limit: float) -> str:
    """Return a duration as `seconds` does, with as many more digits as keep it on its side of a limit."""
    for digits in range(3, 17):
        rounded = float(f"{value:.{digits}g}")
        if (rounded < limit) == (value < limit) and (rounded > limit) == (value > limit):
            return seconds(value, digits=digits)
    return f"{value!r} s"


def percent(share: float, *, places: int = 0) -> str:
    """Return a share in per cent; almost nothing is not 0 %, and almost everything not 100 %."""
    least = 10**-places
    if 0 < share < least / 100:
        return f"under {least:g} %"
    if 1 - least / 100 < share < 1:
        return f"over {100 - least:g} %"
    return f"{share * 100:.{places}f} %"


def significant(value: float, *, digits: int = 3) -> str:
    """Return a number with at least this many significant digits, without an exponent."""
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{value:,.{max(0, places)}f}"


def plural(n: int, noun: str) -> str:
    """Return `1 test`, `2 tests`."""
    form = noun if n == 1 else f"{noun[:-1]}ies" if noun.endswith("ty") else f"{noun}s"
    return f"{n:,} {form}"
