"""What the page's script works on: the rows, the left-out tests and the histories, by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atom_testinfra.reports.rows import PART_TITLES, PARTS, PropertyRow
from atom_testinfra.reports.sections.detection import describe_curve
from atom_testinfra.reports.tables import visible

if TYPE_CHECKING:
    from atom_testinfra.core.changes.history import History
    from atom_testinfra.reports.data import ReportData

NUMBERS = ("duration_s", *[f"{part}_s" for part in PARTS], "seconds_per_example", "cpu_s")
COUNTS = ("n_examples", "max_examples")
OPTIONAL = ("predicted_s", "spread")
DIGITS = 5
"""Significant digits of a cost in a history."""


def page_data(report: ReportData) -> dict[str, Any]:
    """Return the rows and whatever a test's dialog shows beside them."""
    origin = report.origin
    return {
        "parts": [[part, PART_TITLES[part]] for part in PARTS],
        "rows": columns_of(report.properties),
        "excluded": [
            [visible(item.nodeid), visible(item.profile), visible(item.reason), _lines(item.counterexample)]
            for item in report.provenance.excluded
        ],
        "history": histories_of(report.history.histories),
        "curves": curves_of(report),
        "rootdir": None if origin is None or origin.rootdir == "." else visible(origin.rootdir),
        "files": None if origin is None else origin.files,
    }


def columns_of(rows: list[PropertyRow]) -> dict[str, Any]:
    """Return the rows as columns; a file's name and other repeated words stand in the page once."""
    files: dict[str, int] = {}
    words: dict[str, int] = {}
    file_of: list[int] = []
    names: list[str] = []
    for row in rows:
        file, separator, name = visible(row.nodeid).partition("::")
        file_of.append(files.setdefault(file, len(files)))
        names.append(separator + name)
    profiles = sorted({profile for row in rows for profile in row.costs})
    return {
        "files": list(files),
        "file": file_of,
        "name": names,
        "tier": [words.setdefault(row.tier, len(words)) for row in rows],
        "measured_tier": [words.setdefault(row.measured_tier, len(words)) for row in rows],
        "kind": [words.setdefault(row.kind, len(words)) for row in rows],
        "words": list(words),
        "is_declared": [int(row.is_declared) for row in rows],
        "pin": {place: visible(row.pin) for place, row in enumerate(rows) if row.pin is not None},
        "costs": {visible(profile): _costs(rows, profile) for profile in profiles},
    }


def histories_of(histories: list[History]) -> dict[str, Any]:
    """
    Return the points in time once, and for each test its points as a flat list.

    A test's list has seven values for each point: the place in `moments`, the number of the line, the cost,
    the cheapest and the most expensive run (`null` with one run), the change of level that begins here (else
    `null`), and the reason why a new line begins here (else `null`).
    """
    moments: dict[tuple[str, str], int] = {}
    for at, name in sorted({(f"{p.at:%Y-%m-%d %H:%M}", p.name) for item in histories for p in item.points}):
        moments[at, name] = len(moments)
    points = {
        visible(item.nodeid): [
            value
            for p in item.points
            for value in (
                moments[f"{p.at:%Y-%m-%d %H:%M}", p.name],
                p.line,
                _short(p.cost_us),
                _short(p.low_us),
                _short(p.high_us),
                _short(p.change),
                p.begins,
            )
        ]
        for item in histories
    }
    return {"moments": [[at, visible(name)] for at, name in moments], "points": points}


def curves_of(report: ReportData) -> dict[str, Any]:
    """
    Return the detection curves of the rows that have one, and the rows whose curve is stale, by place.

    A curve is its number of examples now, what it says in words, and its points as a flat list of four values
    each: the number of examples, the probability of noticing, and the bounds of its interval, per mille.
    `most` is the largest number that was tried.
    """
    if report.detection is None:
        return {"most": 0, "fresh": {}, "stale": []}
    places = {row.nodeid: place for place, row in enumerate(report.properties)}
    return {
        "most": max((curve.tried[0] for curve in report.detection.properties), default=0),
        "fresh": {
            places[curve.nodeid]: [
                curve.own,
                describe_curve(curve),
                [
                    value
                    for point in curve.points
                    for value in (
                        point.n,
                        *map(_per_mille, (point.alone.value, point.alone.low, point.alone.high)),
                    )
                ],
            ]
            for curve in report.detection.properties
            if curve.nodeid in places
        },
        "stale": [places[nodeid] for nodeid in report.detection.stale if nodeid in places],
    }


def _per_mille(share: float) -> int:
    """Return a share in thousandths; only nothing is 0, and only all of it 1,000."""
    return round(1000 * share) if share in {0.0, 1.0} else min(max(round(1000 * share), 1), 999)


def _lines(text: str | None) -> str | None:
    return None if text is None else "\n".join(map(visible, text.splitlines()))


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _costs(rows: list[PropertyRow], profile: str) -> dict[str, list[float | int | str | None]]:
    costs = [row.costs.get(profile) for row in rows]
    columns: dict[str, list[float | int | str | None]] = {}
    for name in NUMBERS:
        columns[name] = [None if cost is None else round(getattr(cost, name), 7) for cost in costs]
    for name in COUNTS:
        columns[name] = [None if cost is None else getattr(cost, name) for cost in costs]
    columns["calls_per_valid"] = [None if cost is None else round(cost.calls_per_valid, 3) for cost in costs]
    for name in OPTIONAL:
        values = [None if cost is None else getattr(cost, name) for cost in costs]
        columns[name] = [None if value is None else round(value, 6) for value in values]
    remarks = [None if cost is None else cost.unpredictable for cost in costs]
    columns["unpredictable"] = [None if remark is None else visible(remark) for remark in remarks]
    return columns
