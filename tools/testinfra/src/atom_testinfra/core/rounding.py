"""The precision of the figures that are kept: enough to decide by, and no digit that is only noise."""

from __future__ import annotations


def round_seconds(value: float) -> float:
    """Return seconds (or a ratio) with four significant digits, no finer than 0.00001."""
    rounded = float("%.4g" % value)  # noqa: UP031  (done a million times for a large baseline: a sixth quicker)
    return rounded if rounded >= 1e-5 else round(value, 5)  # below, JSON would need an exponent


def round_micros(value: float) -> float:
    """Return microseconds with four significant digits, no finer than 0.001."""
    rounded = float(f"{value:.4g}")
    return rounded if rounded >= 1e-3 else round(value, 3)
