"""The plugin reads and writes plain JSON: what it says has to be what the structs of the core say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import core
from tests.pytest_plugin.conftest import Subject
from tests.strategies import a_measurement, a_run
from tests.versions import HYPOTHESIS

from atom_testinfra.core.records.measurement import RunPlan
from atom_testinfra.core.records.session import MOST_SEED_SET
from atom_testinfra.core.vocabulary import RUN_SCHEMA_VERSION
from atom_testinfra.measuring import session
from atom_testinfra.pytest_plugin import options
from atom_testinfra.pytest_plugin.internals import TRACED_SINCE, Internals
from atom_testinfra.pytest_plugin.plan import SCHEMA_VERSION, Plan, load_plan
from atom_testinfra.pytest_plugin.recording import journal
from atom_testinfra.storage.session_specs import save_plan


def test_the_plugin_writes_the_current_schema() -> None:
    """The number is there twice, so that the plugin imports less; it is the same number."""
    assert SCHEMA_VERSION == RUN_SCHEMA_VERSION


def test_both_sides_know_the_status_of_a_run_that_could_not_write() -> None:
    """The plugin and the command each have the exit status, and it is the same."""
    assert journal.CANNOT_WRITE == session.CANNOT_WRITE


def test_both_sides_know_the_largest_set_of_seeds() -> None:
    """The plugin and the command each have the largest seed set, and it is the same."""
    assert options.MOST_SEED_SET == MOST_SEED_SET


@pytest.mark.parametrize("number", ["-1", "٣", str(2**63)])
def test_a_set_of_seeds_that_no_record_can_name_is_a_usage_error(subject: Subject, number: str) -> None:
    """Nothing is recorded, because nothing could read it."""
    result = subject.run(f"--testinfra-seed-set={number}", test_x="def test_a():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--testinfra-seed-set: '*' is not a whole number from 0 to *"])
    assert not list(subject.path.glob("*.jsonl"))


def test_a_plan_arrives_as_it_was_handed_over(tmp_path: Path) -> None:
    """Every field of the struct is understood on the other side."""
    header = a_run([a_measurement()]).header
    plan = RunPlan(
        path="run.jsonl",
        header=header,
        skip=["a"],
        keep_values=True,
        only_properties=True,
        only=["b"],
        is_explained=True,
        parent_pid=1,
    )
    save_plan(plan, tmp_path / "plan.json")
    loaded = load_plan(tmp_path / "plan.json")
    assert (str(loaded.path), loaded.skip, loaded.only) == ("run.jsonl", frozenset("a"), frozenset("b"))
    assert (loaded.keep_values, loaded.only_properties) == (True, True)
    assert loaded.is_explained
    assert (loaded.max_examples, loaded.pins, loaded.steering) == (
        header.max_examples,
        header.pins,
        header.steering,
    )


def test_a_run_is_called_off_when_its_plan_is_gone_or_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the tests have gone to, and whatever they have put in place of the file system."""
    path = tmp_path / "plan.json"
    header = a_run([a_measurement()]).header
    monkeypatch.chdir(tmp_path)

    def load(parent_pid: int) -> Plan:
        save_plan(RunPlan(path="run.jsonl", header=header, parent_pid=parent_pid), path)
        return load_plan(Path("plan.json"))

    assert load(os.getppid() + 1).is_called_off
    plan = load(os.getppid())
    monkeypatch.chdir("/")
    with monkeypatch.context() as patch:
        patch.setattr("os.path.exists", lambda _: False)
        patch.setattr("os.getppid", lambda: 0)
        assert not plan.is_called_off
    path.unlink()
    assert plan.is_called_off


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"path": "x"}', '{"path": "x", "header": {}}'])
def test_a_file_that_is_not_a_plan_is_a_usage_error(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(pytest.UsageError, match=r"plan\.json' is not the plan of a run"):
        load_plan(path)


class TestInternals:
    """Internals that moved are noticed before anything relies on them."""

    def test_this_version_of_hypothesis_has_all_internals(self) -> None:
        """The version that the tests run on."""
        internals = Internals()
        assert internals.problems == []
        assert internals.can_listen
        assert internals.can_steer
        assert internals.can_time
        assert internals.can_seed
        assert internals.can_trace is (HYPOTHESIS >= TRACED_SINCE)

    def test_a_source_of_seeds_that_moved_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Helpers then run unseeded, and nobody believes that they did not."""
        monkeypatch.setattr(core, "threadlocal", object(), raising=False)
        internals = Internals("9.0.0")
        assert not internals.can_seed
        (problem,) = internals.problems
        assert problem.startswith("Hypothesis 9.0.0 has no hypothesis.core._hypothesis_global_random: ")

    def test_what_moved_is_named_with_the_version_and_the_loss(self) -> None:
        """A decorator whose functions carry nothing of what we read."""

        def given(_: object) -> object:
            return lambda _: object()

        internals = Internals("9.0.0", given)
        assert not internals.can_steer
        assert not internals.can_time
        assert internals.can_listen
        steer, time = internals.problems
        names = "_hypothesis_internal_use_settings and no _hypothesis_internal_use_seed"
        assert steer == f"Hypothesis 9.0.0 has no {names}: the number of examples and the seed are not set"
        lost = "the CPU time of the test's own function is not known"
        assert time == f"Hypothesis 9.0.0 has no hypothesis.inner_test: {lost}"
