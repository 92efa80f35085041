"""Runs one test under observation, away from the records that baselines are made of."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from atom_testinfra.core.errors import NothingMeasuredError, SubjectError
from atom_testinfra.measuring.session import Session
from atom_testinfra.storage.run_writer import escape

if TYPE_CHECKING:
    from atom_testinfra.core.records.explanation import Explanation, FunctionCost
    from atom_testinfra.core.records.measurement import Measurement, Provenance
    from atom_testinfra.core.records.session import SessionSpec
    from atom_testinfra.measuring.session import Observer


def explain(
    nodeid: str, spec: SessionSpec, *, rootdir: Path, provenance: Provenance, observer: Observer, logs: Path
) -> tuple[Measurement, Explanation]:
    """
    Run one test under the specification's first profile and return its record, and the explanation.

    It runs twice: once observed by Hypothesis, and once more, with the same examples, under a profiler. What
    pytest printed is kept in the folder `logs` if it could not run.

    Raises:
        NothingMeasuredError: there is no such test, or nothing of Hypothesis in it.
    """
    profile = next(iter(spec.profiles))
    file = nodeid.partition("::")[0]
    is_there = os.path.isfile(rootdir / file)  # noqa: PTH113 (a name that is too long is an error to `Path`)
    spec = replace(
        spec,
        profiles={profile: replace(spec.profiles[profile], repeats=2)},
        n_workers=0,
        only=[escape(nodeid)],
        is_explained=True,
        arguments=[*spec.arguments, *([file] if is_there else [])],
    )
    with tempfile.TemporaryDirectory() as folder:
        session = Session(
            spec, folder=rootdir, runs=Path(folder), provenance=provenance, observer=observer, logs=logs
        )
        try:
            session.run()
        except NothingMeasuredError as exc:
            hint = "name it as `testinfra measure` does: path/of/file.py::Class::test[parameters]"
            raise NothingMeasuredError(f"pytest collected no test {nodeid!r}", hint=hint) from exc
        records = [run.measurements[-1] for run in session.runs]
    record = records[0]
    if record.explanation is None:
        reasons = [*([record.reason] if record.reason else []), *record.problems]
        raise SubjectError(
            f"{nodeid!r} {record.outcome}, and Hypothesis observed no test case of it"
            + (f": {'; '.join(reasons)}" if reasons else "")
        )
    explanation = replace(record.explanation, functions=_functions_of(records[1:]))
    return replace(record, explanation=explanation), explanation


def _functions_of(profiled: list[Measurement]) -> list[FunctionCost]:
    return [found for record in profiled if record.explanation for found in record.explanation.functions]
