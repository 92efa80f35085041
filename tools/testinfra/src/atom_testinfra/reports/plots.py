"""The page's plots as Plotly figures: plain values, with named colours that follow the page's theme."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from atom_testinfra.reports import numbers
from atom_testinfra.reports.rows import PART_TITLES, PARTS
from atom_testinfra.reports.sections.targets import BINS_PER_DECADE, FIRST_BIN_S, N_BINS, Histogram
from atom_testinfra.reports.tables import shorten_nodeid, visible

if TYPE_CHECKING:
    from atom_testinfra.core.changes.history import Point
    from atom_testinfra.reports.sections.history import HistorySection
    from atom_testinfra.reports.sections.time import TimeSection

Figure = dict[str, Any]

PATTERNS = {"setup": ".", "generate": "/", "body": "", "engine": "x", "filtered": "-", "other": "|"}
"""Each part has a hatching as well as a colour."""
TIER_PATTERNS = {"fast": "", "medium": "/", "slow": "x", "over": "-"}
DASHES = ("solid", "dot", "dash", "longdash", "dashdot", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up")
N_LINES = 6
"""Tests drawn in the history: as many as there are colours that can be told apart."""
LABEL_WIDTH = 44
HEADROOM = 1.5
"""Height of the plot over its highest bar: room for the names of the limits."""


def label(text: str, width: int = LABEL_WIDTH) -> str:
    """Return text for a plot, which reads a little HTML: nothing of a test's name may be read as such."""
    short = shorten_nodeid(visible(text), width)
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def short_name(nodeid: str) -> str:
    """Return a node id without its file; a state machine's is told by its class, not by `runTest`."""
    return nodeid.partition("::")[2].removesuffix("::runTest") or nodeid


def durations_figure(histogram: Histogram) -> Figure:
    """Return how many tests take how long, by tier, with the limits as lines."""
    decades = range(0, N_BINS + 1, BINS_PER_DECADE)
    traces = [
        {
            "type": "bar",
            "name": tier.capitalize(),
            "x": [index + 0.5 for index in range(N_BINS)],
            "y": counts,
            "marker": _hatched(f"var:--tier-{tier}", TIER_PATTERNS[tier]),
            "hovertemplate": "%{text}<extra></extra>",
            "text": [
                f"{numbers.plural(count, 'test')} of the {tier} tier: {histogram.bin_title(index)}"
                for index, count in enumerate(counts)
            ],
            "textposition": "none",
        }
        for tier, counts in histogram.counts.items()
    ]
    lines = {
        tier: math.log10(limit / FIRST_BIN_S) * BINS_PER_DECADE for tier, limit in histogram.limits_s.items()
    }
    used = [index for counts in histogram.counts.values() for index, count in enumerate(counts) if count]
    return {
        "data": traces,
        "layout": {
            "barmode": "stack",
            "bargap": 0.06,
            "height": 260,
            "xaxis": {
                "tickvals": list(decades),
                "ticktext": [_decade(place) for place in range(len(decades))],
                "range": [min([*used, *lines.values()]) - 0.5, max([*used, *lines.values()]) + 1.5],
                "title": {"text": "duration of a test"},
            },
            "yaxis": {
                "title": {"text": "tests"},
                "range": [0, HEADROOM * max(1, *map(sum, zip(*histogram.counts.values(), strict=True)))],
                "tickformat": ",d",
                "nticks": 5,
            },
            "shapes": [
                {
                    "type": "line",
                    "x0": place,
                    "x1": place,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": "var:--ink", "width": 1, "dash": "dot"},
                }
                for place in lines.values()
            ],
            "annotations": [
                {
                    "x": place,
                    "y": 1 - 0.13 * level,
                    "yref": "paper",
                    "yanchor": "top",
                    "xanchor": "right",
                    "xshift": -4,
                    "text": f"{tier} &lt; {numbers.limit(histogram.limits_s[tier])}",
                    "bgcolor": "var:--bg",
                    "showarrow": False,
                }
                for level, (tier, place) in enumerate(lines.items())
            ],
        },
    }


def totals_figure(section: TimeSection) -> Figure:
    """Return what share of each profile's time went where."""
    totals = list(reversed(section.totals))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": PART_TITLES[part],
            "y": [label(total.profile) for total in totals],
            "x": [total.share(part) or 0.0 for total in totals],
            "marker": _part_marker(part),
            "hovertemplate": "%{text}<extra></extra>",
            "text": [
                f"{PART_TITLES[part]}: {numbers.share(total.share(part))} of {label(total.profile)}, "
                f"{numbers.seconds(total.parts_s[part])}"
                for total in totals
            ],
            "textposition": "none",
        }
        for part in PARTS
    ]
    return {
        "data": traces,
        "layout": {
            "barmode": "stack",
            "height": 32 + 46 * len(totals),
            "showlegend": False,
            "margin": {"t": 4, "r": 24, "b": 28},
            "xaxis": {"tickformat": ".0%", "range": [0, 1], "tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1]},
            "yaxis": {"automargin": True, "type": "category"},
        },
    }


def slowest_figure(section: TimeSection) -> Figure:
    """Return the slowest tests as stacked bars, the slowest on top."""
    rows = list(reversed(section.slowest))
    places = list(range(len(rows)))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": PART_TITLES[part],
            "y": places,
            "x": [section.cost(row).part(part) for row in rows],
            "marker": _part_marker(part),
            "hovertemplate": "%{text}<extra></extra>",
            "text": [
                f"{label(row.nodeid, 90)}<br>{PART_TITLES[part]}: "
                f"{numbers.seconds(section.cost(row).part(part))} of "
                f"{numbers.seconds(section.cost(row).duration_s)}"
                for row in rows
            ],
            "textposition": "none",
        }
        for part in PARTS
    ]
    return {
        "data": traces,
        "layout": {
            "barmode": "stack",
            "height": 110 + 24 * len(rows),
            "xaxis": {"title": {"text": "seconds"}, "rangemode": "tozero"},
            "yaxis": {
                "tickvals": places,
                "ticktext": [label(short_name(row.nodeid)) for row in rows],
                "automargin": True,
            },
        },
    }


def history_figure(section: HistorySection) -> Figure:
    """Return how the cost of the tests that changed most went, relative to the first figure of each line."""
    traces = []
    for place, history in enumerate(section.histories[:N_LINES]):
        firsts = {line[0].line: line[0].cost_us or 1.0 for line in history.lines}
        points = [point for line in history.lines for point in (*line, None)][:-1]  # a gap between lines
        color = f"var:--series-{place}"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": label(short_name(history.nodeid), 34),
                "x": [None if point is None else point.at.isoformat() for point in points],
                "y": [None if point is None else point.cost_us / firsts[point.line] for point in points],
                "line": {"dash": DASHES[place], "width": 2, "color": color},
                "marker": {
                    "symbol": SYMBOLS[place],
                    "size": [6 if point is None or point.change is None else 13 for point in points],
                    "color": color,
                },
                "hovertemplate": "%{text}<extra></extra>",
                "text": ["" if point is None else _point_text(history.nodeid, point) for point in points],
            }
        )
    return {
        "data": traces,
        "layout": {
            "height": 420,
            "xaxis": {"type": "date"},
            "yaxis": {"title": {"text": "relative to the first of its line"}, "rangemode": "tozero"},
        },
    }


def _point_text(nodeid: str, point: Point) -> str:
    text = f"{label(nodeid, 90)}<br>{numbers.micros(point.cost_us)} at {label(point.name[:12])}"
    if point.begins is not None:
        text += f", a new line: {label(point.begins, 90)}"
    return text if point.change is None else f"{text}, another level: {numbers.ratio(point.change)}"


def _decade(place: int) -> str:
    exponent = round(math.log10(FIRST_BIN_S)) + place
    return f"{10 ** (exponent + 3)} ms" if exponent < 0 else f"{10**exponent:,} s"


def _part_marker(part: str) -> Figure:
    return _hatched(f"var:--part-{part}", PATTERNS[part])


def _hatched(color: str, shape: str) -> Figure:
    return {
        "color": color,
        "pattern": {"shape": shape, "size": 6, "bgcolor": color, "fgcolor": "var:--hatch", "fgopacity": 1},
    }
