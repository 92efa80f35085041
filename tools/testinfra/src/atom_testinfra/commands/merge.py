"""`testinfra merge`: puts the shards of a suite, or of its mutants, together, or says what is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from atom_testinfra.core.errors import ConfigError, ShardError
from atom_testinfra.core.scheduling.records import merge_runs
from atom_testinfra.core.scheduling.shards import ShardKind, find_problems
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.reports.merge import MergedShards, render_markdown, render_text
from atom_testinfra.storage.atomic import replace_file
from atom_testinfra.storage.coverage_data import merge_coverage
from atom_testinfra.storage.durations import save_durations
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.junit import count_junit, merge_junit
from atom_testinfra.storage.runs import load_run, save_run
from atom_testinfra.storage.shards import SHARD_FILE, load_shards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atom_testinfra.core.scheduling.shards import Shard

DEFAULT = ".testinfra/merged"
JUNIT, RECORDS, COVERAGE = "*.xml", "*.jsonl", ".coverage*"
SUMMARY = "GITHUB_STEP_SUMMARY"

Placed = tuple[Path, "Shard"]


@click.command(name="merge")
@click.argument(
    "places", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="DIR..."
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(DEFAULT),
    show_default=True,
    help="Where the merged files go.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(places: tuple[Path, ...], *, into: Path, as_json: bool) -> ExitStatus:
    """
    Put the shards of one suite together, and fail if they are not the whole suite.

    DIR holds what `pytest --testinfra-shard i/N` or `testinfra mutate --shard i/N` wrote, at any depth. A
    shard that is missing, repeated, or from another suite, and a test without a result, are named, and the
    exit status is 2. It is 1 when a test failed. JUnit files (*.xml), records (*.jsonl) and coverage data
    (.coverage*) beside each shard are merged as well: either every shard has them, or none.
    """
    placed = load_shards(places)
    _refuse_problems(placed)
    merged = MergedShards.of([shard for _, shard in placed])
    _prepare(into)
    written = _write(placed, merged, into)
    if as_json:
        click.echo(msgspec.json.encode(merged))
    else:
        for line in render_text(merged):
            click.echo(line)
    for path in written:
        click.echo(f"written: {os.fspath(path)}", err=True)
    if summary := os.environ.get(SUMMARY):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(render_markdown(merged))
    return ExitStatus.FAILED if merged.failed else ExitStatus.OK


def _refuse_problems(placed: Sequence[Placed]) -> None:
    problems = find_problems([(os.fspath(path), shard) for path, shard in placed])
    for pattern, what in ((JUNIT, "JUnit file"), (RECORDS, "record"), (COVERAGE, "coverage data")):
        lacking = [path for path, shard in placed if shard.chosen and not _beside(path, pattern)]
        having = [path for path, _ in placed if _beside(path, pattern)]
        if having and lacking:
            problems.append(f"no {what} beside {os.fspath(lacking[0])}, and other shards have one")
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ShardError(
            f"the {len(placed)} shards are not the whole suite:{lines}",
            hint="run what is missing again, with the same durations, workers and commit as the others",
        )


def _prepare(into: Path) -> None:
    if (into / SHARD_FILE).exists():
        raise ConfigError(f"{os.fspath(into)!r} holds a shard", hint="name another folder with --into")
    prepare_folder(into)


def _write(placed: Sequence[Placed], merged: MergedShards, into: Path) -> list[Path]:
    written = [into / "merged.json"]
    replace_file(written[0], [msgspec.json.format(msgspec.json.encode(merged), indent=1), b"\n"])
    steps: list[tuple[str, str, Callable[[Sequence[Path], Path], None]]] = [
        (JUNIT, "junit.xml", lambda paths, target: replace_file(target, [_merge_junit(paths, merged)])),
        (RECORDS, "run.jsonl", _merge_records),
        (COVERAGE, ".coverage", merge_coverage),
    ]
    for pattern, name, merge in steps:
        paths = [path for shard_file, _ in placed for path in _beside(shard_file, pattern)]
        if paths:
            merge(paths, into / name)
            written.append(into / name)
    if merged.seconds:
        save_durations(into / "durations.json", merged.seconds)
        written.append(into / "durations.json")
    return written


def _merge_junit(paths: Sequence[Path], merged: MergedShards) -> bytes:
    n_cases, n_results = sum(map(count_junit, paths)), sum(merged.counts.values())
    if merged.kind is ShardKind.TESTS and n_cases < n_results:
        raise ShardError(f"the JUnit files hold {n_cases} test cases, and {n_results} tests ran")
    return merge_junit(paths)


def _merge_records(paths: Sequence[Path], target: Path) -> None:
    run = merge_runs([(os.fspath(path), load_run(path)) for path in paths])
    target.unlink(missing_ok=True)
    save_run(run, target)


def _beside(shard_file: Path, pattern: str) -> list[Path]:
    return sorted(shard_file.parent.glob(pattern))
