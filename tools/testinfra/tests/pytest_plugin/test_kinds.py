"""What is recorded for every kind of test; `docs/kinds.md` is made from this run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from jsonschema import Draft202012Validator
from tests.conftest import PLUGINS_ONLY
from tests.pytest_plugin.kinds_suite import CONFTEST, SUITE, TITLES
from tests.versions import HYPOTHESIS

from atom_testinfra.core.policies import SeedScheme
from atom_testinfra.core.records.measurement import Measurement, Property, Run
from atom_testinfra.core.records.session import is_complete
from atom_testinfra.core.vocabulary import Kind, Outcome
from atom_testinfra.storage.runs import load_run, run_schema

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[2] / "docs" / "kinds.md"
WRITE = "TESTINFRA_WRITE_KINDS"
N = 20

Records = dict[str, Measurement]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of one recorded run of all kinds."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "conftest.py").write_text(dedent(CONFTEST), encoding="utf-8")
    (folder / "test_kinds.py").write_text(dedent(SUITE), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    options = ["-q", "-p", "no:cacheprovider", "--testinfra-max-examples", str(N)]
    left_out = {"CI", *PLUGINS_ONLY}  # pytest-asyncio and anyio take part
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--testinfra-record", "run.jsonl"],
        cwd=folder,
        env=environment | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1, done.stdout  # some of its tests fail, and it came to its end
    return folder / "run.jsonl"


@pytest.fixture(scope="module")
def run(path: Path) -> Run:
    """One recorded run of all kinds."""
    return load_run(path)


@pytest.fixture
def lines(path: Path) -> list[str]:
    """The lines of its file."""
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def records(run: Run) -> Records:
    """The records by the last part of their node ids."""
    return {record.nodeid.rpartition("::")[2]: record for record in run.measurements}


def test_every_line_is_as_the_schema_says(lines: list[str]) -> None:
    """The schema that the package ships, compared with what the plugin writes by hand."""
    validator = Draft202012Validator(run_schema())
    assert [error.message for line in lines for error in validator.iter_errors(json.loads(line))] == []
    records = [json.loads(line)["record"] for line in lines]
    assert records == ["run", "collected", *["test"] * (len(lines) - 3), "end"]


def cost_of(records: Records, name: str) -> Property:
    """Return what Hypothesis did for a test."""
    cost = records[name].hypothesis
    assert cost is not None, name
    return cost


def test_nothing_is_dropped(run: Run) -> None:
    """Each collected test has exactly one record, and the document names each kind."""
    nodeids = [record.nodeid for record in run.measurements]
    assert run.collected is not None
    assert nodeids == run.collected.nodeids
    assert is_complete([run])
    names = {nodeid.rpartition("::")[2] for nodeid in nodeids if "test_parametrised" not in nodeid}
    assert names <= set(TITLES)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("test_function", Kind.FUNCTION),
        ("test_method", Kind.METHOD),
        ("test_inherited", Kind.METHOD),
        ("test_unittest", Kind.UNITTEST),
        ("test_asyncio", Kind.ASYNC),
        ("test_anyio[asyncio]", Kind.ASYNC),
        ("runTest", Kind.STATEFUL),
        ("test_data", Kind.FUNCTION),
        ("test_target", Kind.FUNCTION),
        ("test_nested", Kind.FUNCTION),
        ("test_forks", Kind.FUNCTION),
        ("test_chdir", Kind.FUNCTION),
    ],
)
def test_every_property_is_steered_and_its_body_timed(records: Records, name: str, kind: Kind) -> None:
    """It runs the examples that were asked for, and each of them has a CPU time."""
    record, cost = records[name], cost_of(records, name)
    assert (record.kind, record.outcome, record.problems) == (kind, Outcome.PASSED, [])
    assert (cost.requested, cost.configured, cost.effective) == (N, N, N)
    assert cost.generate is not None
    assert cost.generate.n_valid == N
    assert cost.body_cpu is not None
    assert cost.body_cpu.n == N


def test_times_add_up(records: Records) -> None:
    """The body is part of a test case, test cases of their phase, and the phase of the call."""
    record, cost = records["test_function"], cost_of(records, "test_function")
    assert cost.generate is not None
    assert cost.body_cpu is not None
    assert cost.run is not None
    assert cost.body_cpu.total_s <= cost.run.total_s <= cost.generate.duration_s <= record.call.wall_s


def test_a_state_machine_counts_its_steps(records: Records) -> None:
    """At the usual 50 steps a machine, but for a rare early end."""
    steps = cost_of(records, "runTest").n_steps
    assert steps is not None
    # Old versions end more of them early: 486 steps of 1,000 under 6.56.0.
    least = 0.9 if HYPOTHESIS >= (6, 131, 0) else 0.3
    assert least * N * 50 <= steps <= (N + 10) * 50


def test_explicit_examples_stand_apart(records: Records) -> None:
    """Their cost is not mixed with the generated ones."""
    cost = cost_of(records, "test_example")
    assert (cost.n_explicit, cost.effective) == (2, N)
    assert cost.explicit_s > 0
    only = cost_of(records, "test_only_examples")
    assert (only.n_explicit, only.n_engine_runs) == (1, 0)
    assert records["test_only_examples"].problems == []


def test_nested_properties_do_not_count_twice(records: Records) -> None:
    """The outer one's own statistics are kept; the inner runs are counted."""
    cost = cost_of(records, "test_nested")
    assert cost.n_engine_runs >= N + 1
    assert cost.effective == N


@pytest.mark.parametrize(
    ("name", "n_runs"),
    [("test_helper", 2), ("test_find", 1), ("test_fixture", 1), ("test_machine_as_test", 1)],
)
def test_properties_inside_plain_tests_are_attributed(records: Records, name: str, n_runs: int) -> None:
    """They are measured with a fixed seed, and it is said that their number cannot be set."""
    record, cost = records[name], cost_of(records, name)
    assert (record.kind, cost.n_engine_runs, cost.seed_scheme) == (Kind.HELPER, n_runs, SeedScheme.NODEID)
    assert any("nothing sets their number of examples" in problem for problem in record.problems)


def test_a_property_inside_a_plain_test_that_fails_a_health_check_is_attributed(records: Records) -> None:
    """Hypothesis reports no statistics of such a run, but the test is not a plain one."""
    record, cost = records["test_unhealthy_helper"], cost_of(records, "test_unhealthy_helper")
    assert (record.kind, record.outcome, cost.n_engine_runs) == (Kind.HELPER, Outcome.FAILED, 0)


def test_a_property_in_another_thread_is_not_seen(records: Records) -> None:
    """The limit that the document names: its time is in the call's, and nothing else is known of it."""
    record = records["test_in_a_thread"]
    assert (record.kind, record.hypothesis) == (Kind.PLAIN, None)
    assert record.call.wall_s > 0


def test_an_exhausted_space_is_marked(records: Records) -> None:
    """Two values, two examples, never to be extrapolated."""
    cost = cost_of(records, "test_exhausted")
    assert cost.is_exhausted
    assert cost.effective is None
    assert cost.generate is not None
    assert cost.generate.n_valid == 2


def test_filtering_is_counted(records: Records) -> None:
    """Test cases that were given up have a number and a cost."""
    cost = cost_of(records, "test_filtered")
    assert cost.generate is not None
    assert cost.generate.n_valid == N
    assert cost.generate.n_invalid > N
    assert 0 < cost.generate.filtered_s < cost.generate.run_s
    assert cost.body_s is not None
    assert cost.given_up_body_s is not None
    assert 0 < cost.given_up_body_s < cost.body_s
    assert cost_of(records, "test_exhausted").given_up_body_s is None


def test_shrinking_stands_apart(records: Records) -> None:
    """A failing test has its shrink phase by itself, and its outcome keeps it out of every baseline."""
    cost = cost_of(records, "test_failing")
    assert records["test_failing"].outcome is Outcome.FAILED
    assert cost.phases["shrink"].duration_s > 0
    assert cost_of(records, "test_flaky").is_flaky


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("test_unsatisfiable", Outcome.FAILED, "Unsatisfiable"),
        ("test_skipped", Outcome.SKIPPED, "not here"),
        ("test_skips_itself", Outcome.SKIPPED, "no such thing"),
        ("test_xfail", Outcome.XFAILED, "known"),
        ("test_function_scoped_fixture", Outcome.FAILED, "unction-scoped fixture"),
        ("test_times_out", Outcome.FAILED, "Flaky"),
        ("test_setup_error", Outcome.ERROR, "no database"),
    ],
)
def test_what_has_no_figure_has_a_reason(records: Records, name: str, outcome: Outcome, reason: str) -> None:
    """And is known to be a property, though it may never have run."""
    record = records[name]
    assert (record.outcome, record.kind) == (outcome, Kind.FUNCTION)
    assert reason in (record.reason or "")


def test_a_deadline_is_recorded_and_not_enforced(records: Records) -> None:
    """On a loaded machine it would fail without a counterexample."""
    assert records["test_deadline"].outcome is Outcome.PASSED
    assert cost_of(records, "test_deadline").deadline_ms == 1.0


@pytest.mark.parametrize(("name", "n"), [("test_pinned", 7), ("test_shared_pin", 11), ("test_built_pin", 12)])
def test_a_pin_is_found_where_it_is_written(records: Records, name: str, n: int) -> None:
    """In the decorator, in a shared settings object, in a dict."""
    cost = cost_of(records, name)
    assert cost.pin is not None
    assert (cost.pin.max_examples, cost.effective, cost.pin.path) == (n, n, "test_kinds.py")
    assert cost.pin.line is not None
    line = dedent(SUITE).splitlines()[cost.pin.line - 1]
    assert str(n) in line


def test_a_number_that_follows_the_profile_is_no_pin(records: Records) -> None:
    """Half of the profile's number is half of the number that was asked for."""
    cost = cost_of(records, "test_scaled")
    assert (cost.pin, cost.effective) == (None, N // 2)


def test_own_seeds_stay(records: Records) -> None:
    """Everything else is seeded by its node id."""
    assert cost_of(records, "test_function").seed_scheme is SeedScheme.NODEID
    assert cost_of(records, "test_own_seed").seed_scheme is SeedScheme.OWN
    assert cost_of(records, "test_own_seed").seed == "4"
    assert cost_of(records, "test_derandomized").seed_scheme is SeedScheme.DERANDOMIZED


def test_a_patched_clock_does_not_fool_the_recorder(records: Records) -> None:
    """A fixture set every clock to zero; the call still took time."""
    record = records["test_frozen_time"]
    assert record.outcome is Outcome.PASSED
    assert record.call.wall_s > 0
    assert record.setup.wall_s > 0


def test_the_document_is_current(run: Run) -> None:
    """`docs/kinds.md` says what this run found."""
    text = render(run)
    if os.environ.get(WRITE):
        DOCUMENT.write_text(text, encoding="utf-8")
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == text, f"write it anew: {WRITE}=1 python -m pytest tests/pytest_plugin/test_kinds.py"


def render(run: Run) -> str:
    """Return the document."""
    rows = [
        "| " + " | ".join([TITLES[name], *_cells(record)]) + " |"
        for record in run.measurements
        if (name := record.nodeid.rpartition("::")[2]) in TITLES
    ]
    head = dedent(
        f"""\
        # What is measured for each kind of test

        One run of a suite with every kind, asked for {N} examples; made by
        `tests/pytest_plugin/test_kinds.py`, which fails when this page is not current. Every collected test
        has a record. Examples are the bound in force. Body CPU is the time in the test's own function, or in
        a state machine's rules and invariants. Only a test that passed and whose note names no loss has
        figures that may enter a baseline.

        | test | kind | outcome | examples | body CPU | seed from | note |
        | --- | --- | --- | --- | --- | --- | --- |
        """
    )
    return head + "\n".join(rows) + "\n"


def _cells(record: Measurement) -> list[str]:
    cost = record.hypothesis
    outcome = [record.kind.value, record.outcome.value]
    if cost is None:
        return [*outcome, "", "", "", _note(record)]
    bound = cost.configured if cost.configured is not None else cost.effective
    examples = "" if bound is None else str(bound)
    if cost.is_exhausted:
        examples += " (exhausted)"
    return [
        *outcome,
        examples,
        "yes" if cost.body_cpu is not None else "no",
        cost.seed_scheme.value,
        _note(record),
    ]


def _note(record: Measurement) -> str:
    cost = record.hypothesis
    notes = list(record.problems)
    if record.nodeid.endswith("::test_in_a_thread"):
        notes.append("not seen: what Hypothesis reports stays in the thread that ran it")
    if cost is not None and cost.pin is not None:
        notes.append("the pin is respected, and recorded with its line")
    if cost is not None and cost.n_explicit:
        notes.append(f"{cost.n_explicit} explicit, timed apart")
    if cost is not None and cost.n_steps is not None:
        notes.append("steps are counted")
    if cost is not None and cost.deadline_ms == 1.0:
        notes.append("its deadline is recorded, and not enforced")
    if record.outcome is not Outcome.PASSED:
        notes.append("no figures; the record has the reason")
    return "; ".join(notes)
