"""Keep what a benchmark found: figures with their date, machine and command, beside a table to read."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from atom_testinfra.machine.fingerprint import read_provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def take_no_options(about: str | None) -> None:
    """Answer `--help`, and refuse options, before a benchmark begins that has none; `about` describes it."""
    formatter = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=about, formatter_class=formatter).parse_args()


def save(name: str, command: str, figures: object, report: str) -> None:
    """
    Print the report and write `results/NAME.json` and `results/NAME.md`.

    Args:
        name: of the benchmark.
        command: that makes the figures again, as typed in the root of the repository.
        figures: everything measured, as plain data.
        report: Markdown that says what came out, without a title.
    """
    record = {
        "benchmark": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "provenance": msgspec.to_builtins(read_provenance(ROOT, command.split())),
        "figures": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(write_page(record, report))


def write_page(record: dict[str, Any], report: str) -> str:
    """Write and return `results/NAME.md`: a report on a record, and where the record comes from."""
    made, name = record["provenance"], record["benchmark"]
    origin = (
        f"Measured {datetime.fromisoformat(record['measured_at']):%Y-%m-%d %H:%M} UTC by "
        f"`{' '.join(made['command'])}` on {made['machine']['n_cpus']} x {made['machine']['cpu']}, "
        f"{made['python']}, commit {(made['commit'] or 'none')[:12]}"
        f"{' with uncommitted changes' if made['is_dirty'] else ''}."
    )
    page = f"# {name}\n\n{origin}\n\n{report.strip()}\n"
    (RESULTS / f"{name}.md").write_text(page)
    return page


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, padded so that it also reads well unrendered; numbers to the right."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0]), *(cells[i].rjust(widths[i]) for i in range(1, len(cells)))]
        return f"| {' | '.join(padded)} |"

    rule = f"|{'-' * (widths[0] + 2)}|{'|'.join('-' * (width + 1) + ':' for width in widths[1:])}|"
    return "\n".join([line(columns), rule, *(line(row) for row in rows)])
