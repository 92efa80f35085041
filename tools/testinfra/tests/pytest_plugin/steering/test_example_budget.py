"""`testinfra_budget` on real suites, with warnings as errors."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import hypothesis
import pytest
from tests.pytest_plugin.steering.known_failures import KNOWN_FAILURE, KNOWN_FAILURE_OF_A_MACHINE
from tests.versions import HYPOTHESIS, since_hypothesis

from atom_testinfra.core.advice.losses import release
from atom_testinfra.storage.example_budget import (
    CorpusEntry,
    make_budget_file,
    make_corpus_file,
    save_budget,
)

KINDS = """
    import unittest
    import pytest
    from hypothesis import given, settings, strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule

    @given(st.lists(st.integers()))
    def test_function(xs): pass

    @settings(max_examples=1000)
    @given(st.integers())
    def test_pinned(x): pass

    @given(st.booleans())
    def test_exhausted(b): pass

    @pytest.mark.parametrize("k", [1, 2])
    @given(x=st.integers())
    def test_parametrised(k, x): pass

    class TestUnit(unittest.TestCase):
        @given(st.integers())
        def test_unittest(self, x): pass

    class Machine(RuleBasedStateMachine):
        @rule()
        def step(self): pass

    class TestOwn(Machine.TestCase):
        settings = settings(max_examples=30, deadline=None, stateful_step_count=3)

    def test_plain(): pass
"""
NAMES = (
    "test_function",
    "test_pinned",
    "test_exhausted",
    "test_parametrised[1]",
    "test_parametrised[2]",
    "TestUnit::test_unittest",
    "TestOwn::runTest",
)


UNHURRIED = """
    from hypothesis import HealthCheck, settings

    settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("unhurried")
"""


class Suite:
    """A small suite with a budget; a busy machine makes none of its tests fail."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        pytester.makeini("[pytest]\nfilterwarnings = error\ntestinfra_budget = budget.json\n")
        pytester.makeconftest(UNHURRIED)

    def write(self, text: str, numbers: dict[str, int], *, version: str = hypothesis.__version__) -> None:
        """Write the tests, and a budget that rests on their file."""
        path = self._pytester.makepyfile(test_x=text)
        nodeids = {f"test_x.py::{name}": n for name, n in numbers.items()}
        budget = make_budget_file(
            nodeids,
            {nodeid: [path] for nodeid in nodeids},
            path=self._pytester.path / "budget.json",
            command="",
            hypothesis=version,
            seconds=1.0,
        )
        save_budget(self._pytester.path / "budget.json", budget)

    def run(self, *arguments: str) -> str:
        """Run it; return what pytest printed."""
        options = ("-p", "no:cacheprovider", "--hypothesis-show-statistics")
        self.result = self._pytester.runpytest_subprocess(*options, *arguments)
        return self.result.stdout.str()


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None, warm: None) -> Suite:
    for name in ("CI", "TESTINFRA_TIME", "TESTINFRA_BUDGET"):
        monkeypatch.delenv(name, raising=False)
    return Suite(pytester)


def test_every_kind_of_property_runs_its_number(suite: Suite) -> None:
    """
    Pins, parametrised tests and machines too; Hypothesis's own words say so.

    Of a machine, old versions do not tell how many failures are saved: it runs as it would, and is named.
    """
    suite.write(KINDS, dict(zip(NAMES, range(11, 18), strict=True)))
    text = suite.run()
    suite.result.assert_outcomes(passed=8)
    has_machines = release("6.131.4") <= HYPOTHESIS
    for n in (11, 12, 14, 15, 16, *([17] if has_machines else [])):
        assert f"Stopped because settings.max_examples={n}" in text
    n_ran = 6 + has_machines
    assert f"testinfra: budget: {n_ran} of 7 properties ran the number of examples that it gives" in text
    refused = "the number is not in force for test_x.py::TestOwn::runTest: how many failures"
    assert text.count("not in force") == text.count(refused) == 1 - has_machines


@pytest.mark.integration
def test_workers_tell_what_became_of_the_numbers(suite: Suite) -> None:
    """The process that a person looks at counts what the workers ran."""
    pytest.importorskip("xdist")
    suite.write(KINDS, dict.fromkeys(NAMES[:3], 9))
    text = suite.run("-n", "2")
    suite.result.assert_outcomes(passed=8)
    assert "testinfra: budget: 3 of 7 properties ran the number of examples that it gives" in text
    assert "the file does not name it" in text


def test_a_stale_budget_is_named_and_the_property_keeps_its_number(suite: Suite) -> None:
    """Both for a file that changed and for another Hypothesis."""
    suite.write(KINDS, dict.fromkeys(NAMES, 9), version="0.1")
    text = suite.run("-k", "test_function or test_pinned")
    assert f"stale, because Hypothesis is {hypothesis.__version__}, and was 0.1" in text
    assert "max_examples=1000" in text
    suite.write(KINDS, dict.fromkeys(NAMES, 9))
    with Path("test_x.py").open("a") as file:
        file.write("# edited\n")
    text = suite.run("-k", "test_pinned")
    assert "the number is not in force for test_x.py::test_pinned: stale, because test_x.py changed" in text
    assert "max_examples=1000" in text


@since_hypothesis("6.131.4")
@pytest.mark.parametrize(
    ("text", "names"),
    [
        (KNOWN_FAILURE.format(pin=""), ["test_known", "test_parametrised[1]"]),
        (KNOWN_FAILURE_OF_A_MACHINE, ["TestMachine::runTest"]),
    ],
    ids=["functions", "machine"],
)
def test_no_known_failure_is_masked(suite: Suite, text: str, names: list[str]) -> None:
    """The last of nine saved entries fails, and a budget of one example still finds it."""
    suite.write(text, dict.fromkeys(names, 1))
    text = suite.run()
    suite.result.assert_outcomes(failed=len(names))
    assert text.count(": it failed") == 1


def test_a_recorded_run_and_a_timed_run_keep_their_own_numbers(suite: Suite) -> None:
    """That is said above the tests."""
    suite.write(KINDS, dict.fromkeys(NAMES, 9))
    recorded = suite.run("--testinfra-record", "run.jsonl", "-k", "test_pinned")
    assert (
        "testinfra_budget is not in force, because a run that is recorded has numbers of its own" in recorded
    )
    assert "max_examples=1000" in recorded
    timed = suite.run("--testinfra-time", "1cpu-s", "-k", "test_exhausted")
    assert "testinfra_budget is not in force, because the run has a time" in timed


def test_a_missing_file_is_a_usage_error(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable wins over the configuration, and `none` takes the budget away."""
    suite.write(KINDS, dict.fromkeys(NAMES, 9))
    monkeypatch.setenv("TESTINFRA_BUDGET", "nosuch.json")
    suite.run()
    assert suite.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "$TESTINFRA_BUDGET: cannot read" in suite.result.stderr.str()
    monkeypatch.setenv("TESTINFRA_BUDGET", "none")
    assert "max_examples=1000" in suite.run("-k", "test_pinned")


def test_a_suite_without_properties_says_so(suite: Suite) -> None:
    """Nothing is steered, and nothing is silent about it."""
    suite.write("def test_plain(): pass", {})
    assert "testinfra: budget: 0 of 0 properties ran the number of examples that it gives" in suite.run()
    assert json.loads(Path("budget.json").read_text())["properties"] == {}


REPLAYED = """
    from hypothesis import given, settings, strategies as st
    from hypothesis.database import InMemoryExampleDatabase

    SEEN = []
    database = InMemoryExampleDatabase()

    @settings({settings})
    @given(st.integers(0, 10**9))
    def test_replayed(x): SEEN.append(x)

    def test_after():
        import json, pathlib
        kept = sum(map(len, database.data.values()))
        pathlib.Path("seen.json").write_text(json.dumps([kept, SEEN]))
"""


def write_corpus(pytester: pytest.Pytester, values: list[int]) -> None:
    """Write a corpus of these arguments."""
    from hypothesis.database import choices_to_bytes

    choices = [base64.b64encode(choices_to_bytes((value,))).decode() for value in values]
    entries = [CorpusEntry(choices=one, text="", notices=1) for one in choices]
    path = pytester.path / "corpus.json"
    corpus = make_corpus_file(
        {"test_x.py::test_replayed": entries},
        {"test_x.py::test_replayed": [pytester.path / "test_x.py"]},
        path=path,
        command="",
        hypothesis=hypothesis.__version__,
    )
    save_budget(path, corpus)


def seen(pytester: pytest.Pytester) -> tuple[int, list[int]]:
    """Return how many entries the property's own database holds, and the arguments in their order."""
    kept, values = json.loads((pytester.path / "seen.json").read_text())
    return kept, values


@since_hypothesis("6.131.4")
def test_recorded_test_cases_come_first_and_stay(suite: Suite, pytester: pytest.Pytester) -> None:
    """Fresh examples follow, as many as ever; what is replayed and passes is still there for the next run."""
    suite.write(REPLAYED.format(settings="database=database, max_examples=20"), {})
    write_corpus(pytester, [7, 900_001])
    for _ in range(2):
        text = suite.run("-o", "testinfra_budget=corpus.json", "-p", "no:randomly")
        assert "2 recorded test cases of 1 properties were replayed first" in text
        assert "Stopped because settings.max_examples=22" in text
        kept, values = seen(pytester)
        assert (kept, values[:2], len(values)) == (0, [7, 900_001], 22)


@since_hypothesis("6.131.4")
def test_a_derandomized_run_replays_them_and_stays_the_same(suite: Suite, pytester: pytest.Pytester) -> None:
    """Its fresh examples are those that it has without the corpus, apart from what was replayed already."""
    suite.write(REPLAYED.format(settings="derandomize=True, max_examples=20"), {})
    suite.run("-o", "testinfra_budget=budget.json")
    _, alone = seen(pytester)
    write_corpus(pytester, [7, 900_001])
    runs = []
    for _ in range(2):
        suite.run("-o", "testinfra_budget=corpus.json")
        runs.append(seen(pytester)[1])
    assert runs[0] == runs[1]
    assert (runs[0][:2], len(runs[0])) == ([7, 900_001], 22)
    assert runs[0][2:5] == alone[:3]


@since_hypothesis("6.131.4")
def test_a_corpus_says_why_it_is_not_in_force(suite: Suite, pytester: pytest.Pytester) -> None:
    """A seed for all tests, and an edited test: each is named, and nothing is replayed."""
    suite.write(REPLAYED.format(settings="max_examples=20"), {})
    write_corpus(pytester, [7])
    corpus = ("-o", "testinfra_budget=corpus.json")
    assert "--hypothesis-seed turns Hypothesis's database off" in suite.run(*corpus, "--hypothesis-seed=1")
    suite.write(REPLAYED.format(settings="max_examples=21"), {})
    text = suite.run(*corpus)
    assert "the corpus is not in force for test_x.py::test_replayed: stale, because test_x.py changed" in text
    assert "0 recorded test cases of 0 properties" in text
    assert "max_examples=21" in text


@since_hypothesis("6.131.4")
def test_entries_that_do_not_fit_are_counted(suite: Suite, pytester: pytest.Pytester) -> None:
    """A test case that the test now refuses is dropped with a word."""
    text = REPLAYED.replace("SEEN.append(x)", "(__import__('hypothesis').assume(x != 7), SEEN.append(x))")
    suite.write(text.format(settings="max_examples=20"), {})
    write_corpus(pytester, [7, 8])
    printed = suite.run("-o", "testinfra_budget=corpus.json")
    suite.result.assert_outcomes(passed=2)
    assert "2 recorded test cases of 1 properties were replayed first; 1 of them no longer fit" in printed


def test_two_files_of_one_kind_are_refused(suite: Suite) -> None:
    """Which of them is to win cannot be told."""
    suite.write(KINDS, {})
    suite.run("-o", "testinfra_budget=budget.json budget.json")
    assert suite.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "two files of one kind" in suite.result.stderr.str()
