"""`testinfra measure` where a test ends its process, or pytest's session, before its time."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from tests.commands.test_measure import Project, outcomes, project

from atom_testinfra.core.records.session import is_complete
from atom_testinfra.core.vocabulary import Kind, Outcome

__all__ = ["project"]
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("warm")]

ENDS = {
    "raise KeyboardInterrupt": "it raised KeyboardInterrupt",
    "pytest.exit('enough')": "it called pytest.exit(): enough",
    "pytest.exit('enough', returncode=0)": "it called pytest.exit(): enough",
    "pytest.exit('enough', returncode=5)": "it called pytest.exit(): enough",
    "os._exit(0)": "the process ended while it ran (exit status 0)",
    "os._exit(5)": "the process ended while it ran (exit status 5)",
    "os._exit(74)": "the process ended while it ran (exit status 74)",
}


@pytest.mark.parametrize(("end", "reason"), ENDS.items())
def test_whatever_ends_the_run_costs_one_test(project: Project, end: str, reason: str) -> None:
    """It is recorded as crashed and named with the reason, in the second part too; the rest still runs."""
    project.write(
        test_a=f"""
        import os, pytest
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_before(x):
            pass

        def test_crash():
            os._exit(1)

        @given(st.integers())
        def test_ends(x):
            {end}

        @given(st.integers())
        def test_after(x):
            pass
        """
    )
    document = project.document("--profile", "p=5", status=1)
    measured = {test["nodeid"] for test in document["measured"]}
    assert measured == {"test_a.py::test_before", "test_a.py::test_after"}
    assert {test["nodeid"]: (test["outcome"], test["reason"]) for test in document["failed"]} == {
        "test_a.py::test_crash": ("crashed", "crashed: the process ended while it ran (exit status 1)"),
        "test_a.py::test_ends": ("crashed", f"crashed: {reason}"),
    }
    runs = project.runs()
    crashed = [record for run in runs for record in run.measurements if record.outcome is Outcome.CRASHED]
    assert {record.kind for record in crashed} == {Kind.UNKNOWN}
    assert is_complete(runs)
    project.measure("--resume", status=1)
    assert len(project.runs()) == len(runs)


def test_nothing_follows_a_last_test_that_ends_the_run(project: Project) -> None:
    """All that was collected is recorded: the session is complete, without another process."""
    project.write(test_a="def test_before():\n    pass\n\ndef test_ends():\n    raise KeyboardInterrupt\n")
    project.measure("--profile", "p=5", status=3)
    assert len(project.runs()) == 1
    assert is_complete(project.runs())
    assert outcomes(project) == [Outcome.PASSED, Outcome.CRASHED]


@pytest.mark.parametrize(
    "removes",
    ["shutil.rmtree('.testinfra')", "[p.unlink() for p in pathlib.Path('.testinfra/runs').glob('2*.jsonl')]"],
)
def test_records_that_the_suite_removes_are_missed(project: Project, removes: str) -> None:
    """The message says that the suite removed them, whether the log is still there or not."""
    project.write(test_a=f"import pathlib, shutil\n\ndef test_cleans():\n    {removes}\n")
    _, error = project.measure("--profile", "p=5", status=2)
    assert "and what it recorded is not in" in error
    assert "does a test remove that folder" in error


def test_what_ends_every_test_ends_the_session(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fixture that finds no database is told once, not with a process for each test."""
    monkeypatch.setattr("atom_testinfra.measuring.session.MOST_ENDINGS", 3)
    project.write(
        test_a="""
        import pytest

        @pytest.fixture(autouse=True, scope="session")
        def database():
            pytest.exit("no database")

        @pytest.mark.parametrize("i", range(9))
        def test_x(i):
            pass
        """
    )
    _, error = project.measure("--profile", "p=5", status=2)
    assert (
        "3 tests in a row ended pytest before another one ran: it called pytest.exit(): no database" in error
    )
    assert len(project.runs()) == 3


@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "pytest.exit('enough', returncode=0)"])
def test_a_worker_that_is_ended_by_its_test_is_replaced_by_a_run_of_the_rest(
    project: Project, end: str
) -> None:
    """The culprit is recorded as crashed, and each other test once as passed."""
    project.write(
        test_a=f"""
        import pytest
        from hypothesis import given, strategies as st

        @pytest.mark.parametrize("i", range(6))
        @given(x=st.integers())
        def test_x(i, x):
            if i == 3:
                {end}
        """
    )
    document = project.document("--profile", "p=5", "-n", "2", status=1)
    assert len(document["measured"]) == 5
    assert [(test["nodeid"], test["outcome"]) for test in document["failed"]] == [
        ("test_a.py::test_x[3]", "crashed")
    ]


@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
def test_workers_that_are_not_replaced_are_followed_by_a_run_of_the_rest(project: Project) -> None:
    """xdist makes four new ones for each, or as many as the project says, and then goes on without."""
    project.write(
        test_a="""
        import os
        import pytest
        from hypothesis import given, strategies as st

        @pytest.mark.parametrize("i", range(6))
        @given(x=st.integers())
        def test_x(i, x):
            if i < 2:
                os._exit(1)
        """
    )
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = --max-worker-restart=0\n")
    document = project.document("--profile", "p=5", "-n", "2", status=1)
    assert {test["nodeid"] for test in document["measured"]} == {
        f"test_a.py::test_x[{i}]" for i in range(2, 6)
    }
    assert [test["outcome"] for test in document["failed"]] == ["crashed", "crashed"]
    assert is_complete(project.runs())
