"""Every advice is followed once, and what that wins is measured: in CPU time or in counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from msgspec.structs import replace
from tests.commands.test_measure import Project
from tests.made_runs import make_run

from atom_testinfra.core.advice.advice import Advice, Remedy, advise
from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.cost import combine_runs
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.reports.rows import split_cost
from atom_testinfra.storage.runs import load_run

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import ProfileCost
    from atom_testinfra.core.records.measurement import Measurement

pytestmark = pytest.mark.integration

CONFTEST = """
    import pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item):
        if item.name == "test_look_outside":
            sum(range(30_000_000))
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(item):
        if item.name == "test_look_before":
            sum(range(30_000_000))
        return (yield)
"""

SUITE = """
    import pytest
    from hypothesis import HealthCheck, assume, example, given, settings, strategies as st

    large = settings(suppress_health_check=list(HealthCheck))
    work = lambda n: sum(range(n * 1000))

    @given(st.integers(0, 1000), st.integers(0, 1000))
    @large
    def test_build_data(a, b):
        assume(a % 3 == 0 and b % 3 == 0)

    @given(st.integers(0, 333).map(lambda n: n * 3), st.integers(0, 333).map(lambda n: n * 3))
    def test_build_data_followed(a, b):
        assume(a % 3 == 0 and b % 3 == 0)

    def draw_blocks(data, most):
        for _ in range(data.draw(st.integers(1, most))):
            data.draw(st.binary(min_size=1000, max_size=1000))

    @given(st.data())
    @large
    def test_shrink_data(data):
        draw_blocks(data, 64)

    @given(st.data())
    @large
    def test_shrink_data_followed(data):
        draw_blocks(data, 6)

    @pytest.fixture
    def costly():
        work(20_000)

    @pytest.fixture(scope="session")
    def shared():
        work(20_000)

    @pytest.fixture(scope="session")
    def cheap():
        work(1)

    @given(st.integers())
    @large
    def test_share_fixture(costly, x):
        pass

    @given(st.integers())
    @large
    def test_cheaper_fixture(shared, x):
        pass

    @given(st.integers())
    @large
    def test_share_fixture_followed(shared, x):
        pass

    @given(st.integers())
    @large
    def test_cheaper_fixture_followed(cheap, x):
        pass

    @given(st.lists(st.integers(0, 9).map(lambda n: work(20)), min_size=40, max_size=40))
    @large
    def test_draw_less(xs):
        pass

    @given(st.lists(st.integers(0, 9).map(lambda n: work(20)), min_size=4, max_size=4))
    def test_draw_less_followed(xs):
        pass

    @given(st.binary(min_size=5000, max_size=5000))
    @large
    def test_smaller_cases(data):
        pass

    @given(st.binary(min_size=50, max_size=50))
    def test_smaller_cases_followed(data):
        pass

    @given(st.integers())
    def test_fewer_examples(x):
        pass

    @given(st.integers())
    @settings(max_examples=50)
    def test_fewer_examples_followed(x):
        pass

    @given(st.integers())
    def test_cheaper_body(x):
        work(100)

    @given(st.integers())
    def test_cheaper_body_followed(x):
        work(1)

    def with_examples(n):
        @given(st.integers(0, 9))
        def test(x):
            work(1000 if x < 0 else 0)

        for negative in range(-n, 0):
            test = example(negative)(test)
        return test

    test_fewer_explicit = with_examples(40)
    test_fewer_explicit_followed = with_examples(1)

    @given(st.integers())
    def test_look_outside(x):
        pass

    @given(st.integers())
    def test_look_outside_followed(x):
        pass

    @given(st.integers())
    def test_look_before(x):
        pass

    @given(st.integers())
    def test_look_before_followed(x):
        pass
"""

AT_LEAST = {
    Remedy.BUILD_DATA: 2.5,
    Remedy.SHRINK_DATA: 1.5,
    Remedy.SHARE_FIXTURE: 2.0,
    Remedy.CHEAPER_FIXTURE: 2.0,
    Remedy.LOOK_BEFORE: 3.0,
    Remedy.DRAW_LESS: 3.0,
    Remedy.SMALLER_CASES: 3.0,
    Remedy.FEWER_EXAMPLES: 2.0,
    Remedy.CHEAPER_BODY: 3.0,
    Remedy.FEWER_EXPLICIT: 2.0,
    Remedy.LOOK_OUTSIDE: 3.0,
}
"""CPU seconds before over those after; about half of what it is on an idle machine."""


class Measured(NamedTuple):
    """A test's cost, and what is advised."""

    cost: ProfileCost
    advice: Advice


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Measurement]:
    """Measure the suite once."""
    project = Project(tmp_path_factory.mktemp("advice"))
    (project.root / "pyproject.toml").write_text("[tool.testinfra]\n")
    project.write(test_a=SUITE, conftest=CONFTEST)
    project.measure("--profile", "p=200", "--repeats", "1")
    (path,) = (project.root / ".testinfra" / "runs").glob("*.jsonl")
    return load_run(path).measurements


@pytest.fixture(scope="module")
def tests(records: list[Measurement]) -> dict[str, Measured]:
    """Return each test of the suite by its name."""
    costs = {record.nodeid.partition("::test_")[2]: combine_runs([record]) for record in records}
    return {name: Measured(cost, advise(cost)) for name, cost in costs.items()}


@pytest.mark.parametrize("remedy", AT_LEAST)
def test_what_is_advised_makes_the_test_cheaper(tests: dict[str, Measured], remedy: Remedy) -> None:
    """The test before has the advice, and the one that follows it costs a fraction."""
    name = remedy.value.replace("-", "_")
    before, after = tests[name], tests[f"{name}_followed"]

    assert before.advice.remedy is remedy, before.advice.text
    assert before.cost.cpu_s / after.cost.cpu_s > AT_LEAST[remedy]


@pytest.mark.parametrize("name", ["build_data", "shrink_data"])
def test_following_advice_saves_the_share_that_it_names(tests: dict[str, Measured], name: str) -> None:
    """The share of the time that test cases without a result take is the share that is saved without them."""
    before, after = tests[name], tests[f"{name}_followed"]

    assert before.cost.calls_per_valid > 1.5
    assert after.cost.calls_per_valid < 1.2
    worth = before.advice.part_s / before.cost.duration_s
    saved = 1 - after.cost.cpu_s / before.cost.cpu_s
    assert saved > worth - 0.2


def test_measure_and_report_split_a_test_alike(records: list[Measurement]) -> None:
    """What the table of `measure` says of each part is what a report says of it, for every test."""
    summary = summarise_session([make_run(records)], Targets())
    shown = {test.nodeid: test for test in summary.measured}
    for record in records:
        split, test = split_cost(combine_runs([record])), shown[record.nodeid]
        for part in ("generate", "body", "engine", "filtered"):
            each_s = getattr(test, f"{part}_s")
            assert each_s * test.n_examples == pytest.approx(split.part(part), abs=1e-5)


def test_one_overrun_is_not_filtering(tests: dict[str, Measured]) -> None:
    """Test cases that ask for too much data and those that a filter rejects have different advice."""
    overrun, rejected = tests["shrink_data"].cost, tests["build_data"].cost

    assert overrun.overruns_per_valid == pytest.approx(overrun.calls_per_valid - 1, abs=1e-3)
    assert rejected.overruns_per_valid == 0.0
    assert "filter" not in tests["shrink_data"].advice.text


def test_an_older_baseline_says_what_it_knows(tests: dict[str, Measured]) -> None:
    """It does not say why test cases were given up, and so the advice does not either; the worth stays."""
    known = tests["build_data"]
    older = replace(known.cost, overrun_us=None, overruns_per_valid=None, filtered_draw_us=None)
    advice = advise(older)

    assert advice.remedy is Remedy.KEEP_MORE
    assert advice.part_s == pytest.approx(known.advice.part_s)
    for name in ("share_fixture", "cheaper_fixture"):
        assert advise(replace(tests[name].cost, wide_setup_s=None)).remedy is Remedy.CHEAPER_SET_UP


def test_every_advice_is_followed_here(tests: dict[str, Measured]) -> None:
    """A remedy that nobody has tried is not given."""
    assert tests
    assert set(Remedy) == set(AT_LEAST) | {Remedy.KEEP_MORE, Remedy.CHEAPER_SET_UP}
