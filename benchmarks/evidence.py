"""Keep what a benchmark found: figures with their date, machine and command, beside a table to read."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.machine.fingerprint import read_provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def save(name: str, command: str, figures: object, report: str) -> None:
    """
    Print the report and write `results/NAME.json` and `results/NAME.md`.

    Args:
        name: of the benchmark.
        command: that makes the figures again, as typed in the root of the repository.
        figures: everything measured, as plain data.
        report: Markdown that says what came out, without a title.
    """
    provenance = read_provenance(ROOT, command.split())
    now = datetime.now(UTC)
    machine = provenance.machine
    record = {
        "benchmark": name,
        "measured_at": now.isoformat(timespec="seconds"),
        "provenance": msgspec.to_builtins(provenance),
        "figures": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    origin = (
        f"Measured {now:%Y-%m-%d %H:%M} UTC by `{command}` on {machine.n_cpus} x {machine.cpu}, "
        f"{provenance.python}, commit {(provenance.commit or 'none')[:12]}"
        f"{' with uncommitted changes' if provenance.is_dirty else ''}."
    )
    (RESULTS / f"{name}.md").write_text(f"# {name}\n\n{origin}\n\n{report.strip()}\n")
    sys.stdout.write(f"{report.strip()}\n\n{origin}\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, padded so that it also reads well unrendered; numbers to the right."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0]), *(cells[i].rjust(widths[i]) for i in range(1, len(cells)))]
        return f"| {' | '.join(padded)} |"

    rule = f"|{'-' * (widths[0] + 2)}|{'|'.join('-' * (width + 1) + ':' for width in widths[1:])}|"
    return "\n".join([line(columns), rule, *(line(row) for row in rows)])
