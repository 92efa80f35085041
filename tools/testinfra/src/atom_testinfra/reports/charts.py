"""
What the page's plots consist of: bars, lines, ticks and their places, as plain values.

A place is a number from 0 to 100, a share of the drawing's width (from the left) or height (from the bottom
for values, as a person reads them). The templates draw them as SVG that fits any width, on a screen or paper.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.reports import numbers
from atom_testinfra.reports.rows import PART_TITLES, PARTS
from atom_testinfra.reports.sections.targets import BINS_PER_DECADE, FIRST_BIN_S, N_BINS, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atom_testinfra.core.changes.history import History, Point
    from atom_testinfra.core.targets.targets import TargetResult
    from atom_testinfra.reports.budget import SuitePoint
    from atom_testinfra.reports.rows import CostSplit
    from atom_testinfra.reports.sections.detection import DetectionSection

HEADROOM = 1.5
"""Height of the histogram over its highest bar: room for the names of the limits."""
N_TICKS = 4
WIDER = 1.03
"""Width of the curve's plot over its longest time, so that a dot there is inside."""
HALF = 0.5
"""Lowest share of the curve's plot from which on every tenth has a name."""
MARGIN = 1.25
"""How far a scale of ratios reaches beyond the values on it."""


class Tick(Struct, frozen=True, kw_only=True):
    """A place on an axis with its name."""

    at: float
    text: str


class Bar(Struct, frozen=True, kw_only=True):
    """A rectangle: a tier's tests in a bin, or a part of a test's time."""

    kind: str
    """Names its colour and its hatching: `tier-fast`, `part-body`."""
    start: float
    size: float
    title: str
    bottom: float = 0.0
    height: float = 100.0


class HistogramChart(Struct, frozen=True, kw_only=True):
    """How many tests take how long, stacked by tier, with the tiers' limits as lines."""

    bars: list[Bar]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    limits: list[Tick]
    tiers: list[str]


class Dot(Struct, frozen=True, kw_only=True):
    """A point of a line."""

    x: float
    y: float
    title: str
    is_marked: bool = False


class Line(Struct, frozen=True, kw_only=True):
    """Points that belong together, and the range that each is the middle of."""

    dots: list[Dot]
    band: list[tuple[float, float]]
    """The outline of the range, there and back; empty where no point has a range."""
    name: str = ""


class CurveChart(Struct, frozen=True, kw_only=True):
    """What a suite is expected to notice in a time: a line with its band, and the runs to compare it with."""

    lines: list[Line]
    """The curve; then today's numbers and those of the budget file, of one point each."""
    x_ticks: list[Tick]
    y_ticks: list[Tick]


class Distance(Struct, frozen=True, kw_only=True):
    """A value beside its limit, on a scale of ratios that all rows share."""

    value: float
    limit: float
    text: str
    is_beyond: bool


def split_bars(cost: CostSplit) -> list[Bar]:
    """Return the parts of a test's time, side by side."""
    return parts_of({part: cost.part(part) for part in PARTS})


def parts_of(seconds: dict[str, float]) -> list[Bar]:
    """Return the parts that take any time, each as a share of their sum."""
    whole = math.fsum(seconds.values())
    bars = []
    start = 0.0
    for part, value in seconds.items():
        if value > 0:
            size = 100 * value / whole
            share, took = numbers.share(value / whole), numbers.seconds(value)
            title = f"{PART_TITLES[part]} {share}, {took}"
            bars.append(Bar(kind=f"part-{part}", start=round(start, 3), size=round(size, 3), title=title))
            start += size
    return bars


def histogram_chart(histogram: Histogram) -> HistogramChart:
    """Return a histogram in its place; bins that no test and no limit is in are left out at both ends."""
    limits = {
        tier: math.log10(limit / FIRST_BIN_S) * BINS_PER_DECADE for tier, limit in histogram.limits_s.items()
    }
    used = [index for counts in histogram.counts.values() for index, n in enumerate(counts) if n]
    low = math.floor(min([*used, *limits.values()]))
    high = math.ceil(max([*(index + 1 for index in used), *limits.values()])) + 1
    highest = HEADROOM * max(1, *map(sum, zip(*histogram.counts.values(), strict=True)))

    def x(place: float) -> float:
        return round(100 * (place - low) / (high - low), 3)

    return HistogramChart(
        bars=_stacked(histogram, x, highest),
        x_ticks=[
            Tick(at=x(place), text=_decade(place // BINS_PER_DECADE))
            for place in range(0, N_BINS + 1, BINS_PER_DECADE)
            if low <= place <= high
        ],
        y_ticks=[
            Tick(at=round(100 * n / highest, 3), text=numbers.count(n))
            for n in count_ticks(highest / HEADROOM)
        ],
        limits=[
            Tick(at=x(place), text=f"{tier} < {numbers.limit(histogram.limits_s[tier])}")
            for tier, place in limits.items()
        ],
        tiers=[*histogram.counts],
    )


def _stacked(histogram: Histogram, x: Callable[[float], float], highest: float) -> list[Bar]:
    bars = []
    for index in range(N_BINS):
        bottom = 0
        for tier, counts in histogram.counts.items():
            if n := counts[index]:
                title = f"{numbers.plural(n, 'test')} of the {tier} tier: {histogram.bin_title(index)}"
                bars.append(
                    Bar(
                        kind=f"tier-{tier}",
                        start=x(index + 0.04),
                        size=round(x(index + 0.96) - x(index + 0.04), 3),
                        title=title,
                        bottom=round(100 * bottom / highest, 3),
                        height=round(100 * n / highest, 3),
                    )
                )
            bottom += n
    return bars


def count_ticks(highest: float) -> list[int]:
    """Return round whole numbers up to `highest`, at most a few."""
    steps = (digit * 10**power for power in range(12) for digit in (1, 2, 5))
    step = next(step for step in steps if highest / step <= N_TICKS)
    return [*range(step, math.floor(highest) + 1, step)]


def distances(results: Sequence[TargetResult]) -> list[Distance | None]:
    """Return the slowest test of each target beside the limit; `None` where nothing was measured."""
    ratios = [None if item.slowest_s is None else item.slowest_s / item.limit_s for item in results]
    known = [ratio for ratio in ratios if ratio]
    if not known:
        return [None] * len(ratios)
    low, high = math.log(min([0.1, *known]) / MARGIN), math.log(max([1.0, *known]) * MARGIN)

    def x(ratio: float) -> float:
        return round(100 * (math.log(ratio) - low) / (high - low), 2)

    return [
        Distance(value=x(ratio), limit=x(1.0), text=numbers.share(ratio), is_beyond=ratio >= 1)
        if ratio
        else None
        for ratio in ratios
    ]


def history_lines(history: History) -> list[Line]:
    """Return how a property's cost went: points at equal steps, costs from zero up, a line for each way."""
    highest = max(point.high_us or point.cost_us for point in history.points)
    places = {id(point): index for index, point in enumerate(history.points)}
    last = max(1, len(places) - 1)

    def x(point: Point) -> float:
        return round(100 * places[id(point)] / last, 2)

    def y(value: float) -> float:
        return round(90 * value / highest, 2) if highest else 0.0

    return [
        Line(
            dots=[
                Dot(
                    x=x(point),
                    y=y(point.cost_us),
                    title=describe_point(point),
                    is_marked=point.change is not None,
                )
                for point in line
            ],
            band=[
                *((x(point), y(point.high_us or point.cost_us)) for point in line),
                *((x(point), y(point.low_us or point.cost_us)) for point in reversed(line)),
            ]
            if any(point.high_us is not None for point in line)
            else [],
        )
        for line in history.lines
    ]


def describe_point(point: Point) -> str:
    """Return what a point of a history says."""
    text = f"{point.at:%Y-%m-%d %H:%M}, {point.name[:12]}: {numbers.micros(point.cost_us)}"
    if point.begins is not None:
        text += f"; a new line: {point.begins}"
    return text if point.change is None else f"{text}; another level: {numbers.ratio(point.change)}"


def suite_curve(section: DetectionSection) -> CurveChart:
    """Return the curve of a suite: CPU seconds from zero up, shares from the tenth below the lowest up."""
    runs = [("today", section.now), *([] if section.budget is None else [("budget", section.budget)])]
    everything = [*section.points, *(point for _, point in runs)]
    longest_s = WIDER * max(point.cpu_s for point in everything)
    lowest = math.floor(10 * min(min(point.noticed.low, point.noticed.value) for point in everything)) / 10
    lowest = min(lowest, 0.9)

    def x(cpu_s: float) -> float:
        return round(100 * cpu_s / longest_s, 2)

    def y(share: float) -> float:
        return round(100 * (share - lowest) / (1 - lowest), 2)

    def dot(point: SuitePoint) -> Dot:
        says = f"{numbers.share(point.noticed.value)} in {numbers.seconds(point.cpu_s)}"
        return Dot(x=x(point.cpu_s), y=y(point.noticed.value), title=says)

    band = [(x(point.cpu_s), y(point.noticed.high)) for point in section.points]
    band += [(x(point.cpu_s), y(point.noticed.low)) for point in reversed(section.points)]
    tenths = range(10, round(10 * lowest) - 1, -1 if lowest >= HALF else -2)
    return CurveChart(
        lines=[
            Line(dots=[dot(point) for point in section.points], band=band),
            *(Line(dots=[dot(point)], band=[], name=name) for name, point in runs),
        ],
        x_ticks=[Tick(at=x(cpu_s), text=numbers.limit(cpu_s)) for cpu_s in second_ticks(longest_s)],
        y_ticks=[Tick(at=y(tenth / 10), text=numbers.share(tenth / 10)) for tenth in tenths],
    )


def second_ticks(longest_s: float) -> list[float]:
    """Return zero and a few round numbers of seconds up to the longest."""
    scale = 10.0 ** (math.floor(math.log10(longest_s)) - 1)
    return [0.0, *(float(f"{n * scale:.6g}") for n in count_ticks(longest_s / scale))]


def _decade(place: int) -> str:
    exponent = round(math.log10(FIRST_BIN_S)) + place
    return f"{10 ** (exponent + 3)} ms" if exponent < 0 else f"{10**exponent:,} s"
