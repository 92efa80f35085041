"""The report as one page: a single file that needs nothing from any network, now or in ten years."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.core.errors import ReportError
from atom_testinfra.reports import charts, numbers
from atom_testinfra.reports.page_data import page_data
from atom_testinfra.reports.rows import PART_MEANINGS, PART_TITLES, PARTS
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
SCRIPTS = ("numbers", "page", "table", "tree", "test", "download", "start")
"""The parts of the page's one script, in their order."""
HINT = "install it with `pip install 'atom-testinfra[report]'`"

UNIT = re.compile(r"(?<=\d) (?=(?:%|s|ms|µs)(?!\w))")
MAY_BREAK = re.compile(r"::|[/_\[]")


def render_html(report: ReportData) -> str:
    """Return the report as a page; the same report gives the same bytes."""
    environment = _environment()
    script = read_script()
    page = environment.get_template("report.html").render(
        report=report,
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=script,
        policy=content_policy([script]),
        data=embed_json(page_data(report)),
        parts=[(part, PART_TITLES[part], PART_MEANINGS[part]) for part in PARTS],
    )
    return page.encode("utf-8", "backslashreplace").decode()


def read_script() -> str:
    """Return the page's script, put together from its parts."""
    parts = [(TEMPLATES / "scripts" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();"


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


def split_nodeid(nodeid: str) -> tuple[str, str]:
    """Return a test's name with its class and parameters, and its file; without a file all is the name."""
    file, separator, name = nodeid.partition("::")
    return (name, file) if separator else (nodeid, "")


def content_policy(scripts: list[str]) -> str:
    """Return a policy under which a browser runs these scripts and no other, and loads nothing."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; img-src data:; "
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
    environment.filters |= {"micros": numbers.micros, "ratio": numbers.ratio, "moment": numbers.moment}
    environment.filters |= {"prose": prose, "breakable": breakable, "split_nodeid": split_nodeid}
    environment.filters |= {"evidence": describe_evidence}
    environment.filters |= {"count": numbers.count, "verdict_key": verdict_key, "limit": numbers.limit}
    environment.globals |= {
        "charts": charts,
        "write_cell": write_cell,
        "verdict_signs": VERDICT_SIGNS,
        "verdict_words": VERDICT_WORDS,
    }
    return environment
