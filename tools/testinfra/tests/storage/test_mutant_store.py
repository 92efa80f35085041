"""What is known of mutants, on disk."""

from __future__ import annotations

from pathlib import Path

from atom_testinfra.core.mutants import Reach
from atom_testinfra.storage.mutants import MutantStore


def test_lines_that_no_longer_hold_are_dropped_and_the_others_kept(tmp_path: Path) -> None:
    """After thousands of updates of one test the file holds its last state alone, and reads back the same."""
    store = MutantStore(tmp_path)
    reach = Reach(nodeid="test_a.py::test_a", cpu_s=0.1, is_property=True, blocks={"a.py:f#0": 3})
    for number in range(1100):
        store.add_reach(reach, f"state {number}")
    store.add_file("test_a.py", "digest")
    store.add_early(["a.py:g#0"])
    store.compact()
    assert len((tmp_path / "mutants.jsonl").read_bytes().splitlines()) == 3
    again = MutantStore(tmp_path)
    assert again.reaches[reach.nodeid].state == "state 1099"
    assert (again.reaches, again.files, again.early) == (store.reaches, store.files, store.early)
