"""What is kept of detection curves between sessions."""

from __future__ import annotations

from pathlib import Path

from atom_testinfra.core.detection.trials import NoticingCase, Trial, UnchangedRun
from atom_testinfra.storage.trials import TrialStore

RUN = UnchangedRun(nodeid="t", seed=0, planned=50, own=100, n_valid=50, cpu_s=0.5)
TRIAL = Trial(nodeid="t", mutant="m", seed=0, planned=50, first=3, cases=[2, 4])
CASE = NoticingCase(nodeid="t", seed=0, planned=50, place=2, choices="AA==", text="x=1")


def test_an_interrupted_session_goes_on(tmp_path: Path) -> None:
    """Lines are read back; one that was cut off says nothing."""
    store = TrialStore(tmp_path / "folder")
    store.add_runs("t", "s", [RUN])
    store.add("t", "m", "s", [TRIAL], [CASE])
    with (tmp_path / "folder" / "trials.jsonl").open("ab") as file:
        file.write(b'{"kind": "asked", "nodeid": "t", "mut')
    again = TrialStore(tmp_path / "folder")
    assert again.properties == ["t"]
    assert (again.runs("t"), again.trials(["t"]), again.cases(["t"])) == ([RUN], [TRIAL], [CASE])
    assert again.is_known("t", "m", "s")
    assert not again.is_known("t", "m", "other")
    assert not again.is_known("t", "n", "s")


def test_what_was_asked_in_another_state_does_not_count(tmp_path: Path) -> None:
    """After an edit the unchanged runs are new, and trials of the old code are left out."""
    store = TrialStore(tmp_path)
    store.add_runs("t", "old", [RUN])
    store.add("t", "m", "old", [TRIAL], [CASE])
    store.add_runs("t", "new", [RUN])
    assert (store.state_of("t"), store.trials(["t"]), store.cases(["t"])) == ("new", [], [])
    store.add("t", "m", "new", [TRIAL], [CASE, CASE])
    assert (store.trials(["t"]), store.cases(["t"])) == ([TRIAL], [CASE])
    assert store.trials([]) == []
