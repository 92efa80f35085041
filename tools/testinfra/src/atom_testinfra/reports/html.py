"""The report as one page: a single file that needs nothing from any network, now or in ten years."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.core.errors import ReportError
from atom_testinfra.reports import numbers, plots
from atom_testinfra.reports.rows import PART_MEANINGS, PART_TITLES, PARTS, PropertyRow
from atom_testinfra.reports.sections.targets import describe_evidence
from atom_testinfra.reports.tables import (
    VERDICT_SIGNS,
    VERDICT_WORDS,
    split_code,
    verdict_key,
    visible,
    write_cell,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from atom_testinfra.reports.data import ReportData

TEMPLATES = Path(__file__).parent / "templates"
HINT = "install it with `pip install 'atom-testinfra[report]'`"

NUMBERS = ("duration_s", *[f"{part}_s" for part in PARTS], "seconds_per_example", "cpu_s")
COUNTS = ("n_examples", "max_examples")
OPTIONAL = ("predicted_s", "spread")
UNIT = re.compile(r"(?<=\d) (?=(?:%|s|ms|µs)(?!\w))")
MAY_BREAK = re.compile(r"::|[/_]")


def render_html(report: ReportData) -> str:
    """Return the report as a page; the same report gives the same bytes."""
    environment = _environment()
    plotly = _plotly()
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    page = environment.get_template("report.html").render(
        report=report,
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        plotly=plotly,
        script=script,
        policy=content_policy([plotly, script]),
        data=embed_json(page_data(report)),
        parts=[(part, PART_TITLES[part], PART_MEANINGS[part]) for part in PARTS],
    )
    return page.encode("utf-8", "backslashreplace").decode()


def page_data(report: ReportData) -> dict[str, Any]:
    """Return what the page's script works on: the rows, by column, and the plots."""
    return {"rows": columns_of(report.properties), "figures": figures_of(report)}


def figures_of(report: ReportData) -> dict[str, plots.Figure]:
    """Return the plots by the id of the element they are drawn into."""
    figures = {
        f"durations-{place}": plots.durations_figure(histogram)
        for place, histogram in enumerate(report.targets.histograms)
    }
    if report.time.totals:
        figures["totals"] = plots.totals_figure(report.time)
    if report.time.slowest:
        figures["slowest"] = plots.slowest_figure(report.time)
    if report.history.histories:
        figures["history"] = plots.history_figure(report.history)
    return figures


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


def embed_json(value: object) -> str:
    """Return JSON that may stand inside a script element: nothing in it ends the element."""
    text = msgspec.json.encode(value).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def prose(text: str) -> Markup:
    """Return a sentence as markup: what stands between backticks is code, and a figure keeps its unit."""
    from markupsafe import Markup, escape

    pieces = [escape(piece) for piece in split_code(UNIT.sub("\N{NO-BREAK SPACE}", visible(text)))]
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if place % 2 else piece for place, piece in enumerate(pieces)
    )


def breakable(nodeid: str) -> Markup:
    """Return a node id as markup that may go on in another line where a path or a name has a joint."""
    from markupsafe import Markup, escape

    return Markup(MAY_BREAK.sub(r"\g<0><wbr>", str(escape(visible(nodeid)))))  # noqa: S704 (escaped here)


def moment(text: str) -> str:
    """Return the time of a record, `2026-11-22T19:40:13.395Z`, to the minute: `2026-11-22 19:40 UTC`."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*Z", text)
    return f"{found[1]} {found[2]} UTC" if found else text


def content_policy(scripts: list[str]) -> str:
    """Return a policy under which a browser runs these scripts and no other, and loads nothing."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; img-src data: blob:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ModuleNotFoundError as exc:
        raise ReportError("the HTML report needs Jinja2", hint=HINT) from exc
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"visible": visible, "seconds": numbers.seconds, "share": numbers.share}
    environment.filters |= {"prose": prose, "breakable": breakable, "moment": moment}
    environment.filters |= {"evidence": describe_evidence}
    environment.filters |= {"count": numbers.count, "verdict_key": verdict_key, "limit": numbers.limit}
    environment.globals |= {
        "write_cell": write_cell,
        "verdict_signs": VERDICT_SIGNS,
        "verdict_words": VERDICT_WORDS,
    }
    return environment


def _plotly() -> str:
    """Return Plotly's script, as its package carries it; the package itself is not imported."""
    spec = importlib.util.find_spec("plotly")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or []:
        path = Path(folder) / "package_data" / "plotly.min.js"
        if path.is_file():
            return path.read_text(encoding="utf-8").replace("\r\n", "\n").replace("\r", "\n")
    raise ReportError("the HTML report needs Plotly", hint=HINT)
