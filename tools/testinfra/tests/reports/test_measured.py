"""The table at the end of `testinfra measure`."""

from __future__ import annotations

import io

from made_runs import make_record, make_run
from msgspec.structs import replace
from rich.console import Console

from atom_testinfra.core.config import Targets
from atom_testinfra.core.measurement import Outcome
from atom_testinfra.core.summary import summarise_session
from atom_testinfra.reports.measured import print_summary


def test_a_test_that_fails_alike_under_two_profiles_is_listed_once() -> None:
    """The reason stands once, with the profiles it holds for; markup in a node id stays text."""
    nodeid = "t.py::test_a[[bold]x]"
    failed = [replace(make_record(nodeid, outcome=Outcome.FAILED), reason="why")]
    runs = [make_run(failed, profile=profile) for profile in ("local", "ci")]
    stream = io.StringIO()
    print_summary(summarise_session(runs, Targets()), Console(file=stream, width=80))

    assert f"  {nodeid} (local, ci): failed: why" in stream.getvalue().splitlines()
    assert stream.getvalue().count(nodeid) == 1


def test_node_ids_do_nothing_to_a_terminal() -> None:
    """Control characters are shown as escapes, in the table, in the remarks and in the lists."""
    hostile = "t.py::test_a[\x1b[31m\u202e]"
    records = [make_record(hostile, problems=["odd"]), make_record(f"{hostile}b", outcome=Outcome.FAILED)]
    stream = io.StringIO()
    print_summary(summarise_session([make_run(records)], Targets()), Console(file=stream, width=80))

    shown = stream.getvalue()
    assert shown.count(r"test_a[\x1b[31m\u202e]") == 3
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_long_names_keep_what_tells_them_apart() -> None:
    """The end of a name, where its parameters are, goes last."""
    names = [f"tests/test_long_file.py::test_with_a_name_that_is_too_long[{i}]" for i in range(2)]
    stream = io.StringIO()
    records = [make_record(name) for name in names]
    print_summary(summarise_session([make_run(records)], Targets()), Console(file=stream, width=80))

    lines = [line for line in stream.getvalue().splitlines() if "too_long" in line]
    assert [line.split()[0][-11:] for line in lines] == ["too_long[0]", "too_long[1]"]
    assert all(len(line) <= 80 for line in lines)
