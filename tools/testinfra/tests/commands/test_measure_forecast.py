"""What `testinfra measure --baseline` says before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run
from tests.measuring.test_session import a_spec

from atom_testinfra.commands.measure import estimate_from_look
from atom_testinfra.core.config import AS_IS, Profile
from atom_testinfra.core.records.measurement import Samples
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.project import load_project
from atom_testinfra.storage.runs import save_run

if TYPE_CHECKING:
    from pathlib import Path

    from atom_testinfra.core.records.measurement import Measurement

SPEC = a_spec(session_id="next", repeats=5)


def a_record(nodeid: str) -> Measurement:
    """Return 200 examples of 10 ms each, and a fifth of a second around them."""
    record = make_record(nodeid)
    assert record.hypothesis is not None
    phase = replace(record.hypothesis.phases["generate"], duration_s=2.0, n_valid=200, run_s=1.9, draw_s=0.5)
    samples = Samples(n=200, first_s=0.01, median_s=0.01, q90_s=0.01, max_s=0.01, total_s=1.9)
    subject = replace(record.hypothesis, phases={"generate": phase}, run=samples, effective=200)
    return replace(
        record,
        hypothesis=subject,
        setup=replace(record.setup, wall_s=0.1),
        call=replace(record.call, wall_s=2.1),
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return the folder of a project's runs."""
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra]\n")
    folder = tmp_path / ".testinfra" / "runs"
    prepare_folder(folder)
    return folder


def test_a_look_at_the_suite_predicts_a_baseline(runs: Path) -> None:
    """200 and 50 examples from one run under the suite's own settings, times the repeats of each profile."""
    project = load_project(runs.parents[1])
    save_run(make_run([a_record("t.py::test_a")], profile=AS_IS), runs / "s.jsonl")
    seconds = estimate_from_look(SPEC, project)
    assert seconds == pytest.approx(2.2 + 5 * (2.2 - 150 * 0.01), rel=0.1)


def test_other_sessions_predict_nothing(runs: Path) -> None:
    """Neither none at all, nor one of another profile, nor a look where the suite decides the number."""
    project = load_project(runs.parents[1])
    assert estimate_from_look(SPEC, project) is None
    save_run(make_run([a_record("t.py::test_a")], profile="local"), runs / "s.jsonl")
    assert estimate_from_look(SPEC, project) is None
    (runs / "s.jsonl").unlink()
    save_run(make_run([a_record("t.py::test_a")], profile=AS_IS), runs / "s.jsonl")
    unknown = a_spec(profiles={"local": Profile(max_examples=None)})
    assert estimate_from_look(unknown, project) is None
