"""What real suites do that plugins stumble over: each is measured all the same, and runs as it would have."""

from __future__ import annotations

import os
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from _pytest import unraisableexception
from tests.versions import since_hypothesis

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.core.policies import SeedScheme
from atom_testinfra.core.records.session import without_hypothesis
from atom_testinfra.core.vocabulary import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pytest_plugin.conftest import Subject

    from atom_testinfra.core.records.measurement import Measurement, Property, Run

    ByName = Callable[[Run], dict[str, Measurement]]

pytestmark = pytest.mark.integration

N = 20
MAX = ("--testinfra-max-examples", str(N))
PROPERTY = """
    from hypothesis import given, strategies as st

    @given(st.integers())
    def test_property(x):
        pass
"""
DRAWS = """
    from hypothesis import given, strategies as st

    @given(st.integers())
    def test_property(x):
        with open("drawn.txt", "a") as file:
            print(x, file=file)
"""


def cost_of(record: Measurement) -> Property:
    """Return what Hypothesis did."""
    assert record.hypothesis is not None
    return record.hypothesis


class TestSettingsFromElsewhere:
    """A number of examples that is written in no decorator."""

    CONFTEST = """
        from hypothesis import settings

        def pytest_collection_modifyitems(items):
            for item in items:
                function = item.obj
                function._hypothesis_internal_use_settings = settings(
                    function._hypothesis_internal_use_settings, max_examples=3
                )
    """

    @pytest.mark.parametrize(("policy", "n"), [("respect", 3), ("override", N), ("scale", 1), ("cap", 3)])
    def test_a_conftest_that_rewrites_each_item_pins_it(
        self, subject: Subject, by_name: ByName, policy: str, n: int
    ) -> None:
        """It is a pin without a place, and the policy holds for it."""
        run = subject.record(*MAX, "--testinfra-pins", policy, conftest=self.CONFTEST, test_x=PROPERTY)
        cost = cost_of(by_name(run)["test_property"])
        assert (cost.requested, cost.configured, cost.effective) == (N, n, n)
        assert cost.pin is not None
        assert (cost.pin.max_examples, cost.pin.path) == (3, None)

    @pytest.mark.parametrize("name", ["default", "ci", "thorough"])
    def test_a_profile_of_the_suite_gives_way_to_the_number_asked_for(
        self, subject: Subject, by_name: ByName, name: str
    ) -> None:
        """Also under the names of Hypothesis's own profiles; what runs is what was asked for."""
        conftest = f"""
            from hypothesis import settings

            settings.register_profile("{name}", max_examples=7, derandomize=True, database=None)
            settings.load_profile("{name}")
        """
        run = subject.record(*MAX, conftest=conftest, test_x=PROPERTY)
        cost = cost_of(by_name(run)["test_property"])
        assert (cost.pin, cost.effective, cost.hypothesis_profile) == (None, N, name)
        assert cost.seed_scheme is SeedScheme.NODEID

    @since_hypothesis("6.131.4")
    def test_profiles_loaded_by_test_modules_give_way_too(self, subject: Subject, by_name: ByName) -> None:
        """Each test goes by the profile it was made under, which need not be the last one; none is a pin."""
        module = """
            from hypothesis import given, settings, strategies as st

            settings.register_profile("p{n}", max_examples={n})
            settings.load_profile("p{n}")

            @given(st.integers())
            def test_{n}(x):
                pass

            @settings(deadline=None)
            @given(st.integers())
            def test_undated_{n}(x):
                pass

            @settings(max_examples={pin})
            @given(st.integers())
            def test_pinned_{n}(x):
                pass
        """
        modules = {"test_a": module.format(n=7, pin=14), "test_b": module.format(n=10, pin=40)}
        records = by_name(subject.record(*MAX, "--testinfra-pins", "scale", **modules))
        found = {name: (cost_of(r).pin is not None, cost_of(r).effective) for name, r in records.items()}
        free, pinned = (False, N), {"test_pinned_7": (True, 2 * N), "test_pinned_10": (True, 4 * N)}
        names = ["test_7", "test_undated_7", "test_10", "test_undated_10"]
        assert found == dict.fromkeys(names, free) | pinned

    @since_hypothesis("6.131.4")
    @pytest.mark.parametrize("parent", ["", "parent=settings.get_profile('default'), "])
    def test_a_profile_that_is_registered_again_is_no_pin(
        self, subject: Subject, by_name: ByName, parent: str
    ) -> None:
        """By a folder's conftest, or by a module."""
        register = f"""
            from hypothesis import settings

            settings.register_profile("dev", {parent}max_examples={{}})
            settings.load_profile("dev")
        """
        test = """
            from hypothesis import given, settings, strategies as st

            @given(st.integers())
            def test_{0}(x):
                pass

            @settings(deadline=None)
            @given(st.integers())
            def test_undated_{0}(x):
                pass
        """
        subject.pytester.mkdir("testing")
        subject.pytester.mkdir("z")
        files = {
            "conftest": register.format(30),
            "testing/conftest": register.format(31),
            "test_a": test.format("a"),
            "test_b": register.format(32) + test.format("b"),
            "test_c": register.format(33) + test.format("c"),
            "z/conftest": register.format(34),
            "z/test_z": test.format("z"),
        }
        for name, text in files.items():
            (subject.path / f"{name}.py").write_text(dedent(text), encoding="utf-8")
        records = by_name(subject.record(*MAX))
        assert len(records) == 8
        found = {name: (cost_of(record).pin, cost_of(record).effective) for name, record in records.items()}
        assert found == dict.fromkeys(found, (None, N))

    def test_hypothesis_seed_does_not_replace_the_fixed_seeds(
        self, subject: Subject, by_name: ByName
    ) -> None:
        """The seed of a node id is the work that is compared; examples are the same with the option."""
        subject.record(*MAX, test_x=DRAWS)
        drawn = (subject.path / "drawn.txt").read_text()
        (subject.path / "drawn.txt").unlink()
        run = subject.record(*MAX, "--hypothesis-seed=3")
        assert cost_of(by_name(run)["test_property"]).seed_scheme is SeedScheme.NODEID
        assert (subject.path / "drawn.txt").read_text() == drawn


class TestOptionsOfTheSuite:
    """What a suite sets in its own configuration."""

    def test_warnings_as_errors_find_none_of_ours(self, subject: Subject) -> None:
        """An unclosed file of the recorder, or a deprecated call, would fail the run."""
        subject.pytester.makeini(
            "[pytest]\nfilterwarnings = error\naddopts = --strict-config --strict-markers"
        )
        run = subject.record(
            *MAX, "-p", "no:cacheprovider", test_x=PROPERTY + "\n    def test_plain(): pass\n"
        )
        assert subject.result is not None
        assert subject.result.ret == 0
        assert "warnings summary" not in subject.result.stdout.str()
        assert {record.outcome for record in run.measurements} == {Outcome.PASSED}

    def test_what_is_deselected_is_counted(self, subject: Subject) -> None:
        """`-m "not property"` in addopts leaves properties out: their number is in the record."""
        subject.pytester.makeini('[pytest]\naddopts = -m "not slow"\nmarkers = slow')
        text = f"{PROPERTY}\n    import pytest\n    test_slow = pytest.mark.slow(test_property)\n"
        run = subject.record(*MAX, test_x=text + "\n    def test_plain(): pass\n")
        assert run.collected is not None
        assert run.collected.n_deselected == 2
        assert [record.nodeid for record in run.measurements] == ["test_x.py::test_plain"]

    def test_stopping_at_the_first_failure_leaves_a_run_that_says_so(self, subject: Subject) -> None:
        """With `-x` in addopts the tests after the failure have no record, and the file has its end."""
        subject.pytester.makeini("[pytest]\naddopts = -x")
        run = subject.record(*MAX, test_x="def test_a(): assert False\ndef test_b(): pass\n")
        assert run.collected is not None
        assert run.end is not None
        assert (len(run.collected.nodeids), len(run.measurements), run.end.exit_status) == (2, 1, 1)


class TestHostileTests:
    """What a test does to the process that it shares with the recorder."""

    def test_odd_node_ids_are_written_and_read_back(self, subject: Subject) -> None:
        """Spaces, quotes, slashes, brackets, colons, text outside of ASCII, lone surrogates."""
        run = subject.record(
            *MAX,
            test_x="""
            import pytest
            from hypothesis import given, strategies as st

            IDS = ["a b", "q'", 'd"', "s/t", "b\\\\s", "x]y[", "::", "\\u00fc", "\\U0001f600", "", "n\\nl"]

            @pytest.mark.parametrize("odd", IDS, ids=IDS)
            @given(x=st.integers())
            def test_odd(odd, x):
                pass
            """,
        )
        assert run.collected is not None
        nodeids = [record.nodeid for record in run.measurements]
        assert nodeids == run.collected.nodeids
        assert len(set(nodeids)) == 11
        assert {record.outcome for record in run.measurements} == {Outcome.PASSED}
        assert len({cost_of(record).seed for record in run.measurements}) == 11

    @pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="file names are Unicode there")
    def test_a_file_whose_name_is_no_unicode_is_recorded(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the list of what was collected as in the records, in the command, and where a pin stands."""
        file = os.fsdecode(b"test_\xff.py")
        text = """
            from hypothesis import given, settings, strategies as st

            @settings(max_examples=7)
            @given(st.integers())
            def test_property(x):
                pass

            def test_wrong():
                raise ValueError("\\udcff")

            def test_interrupted():
                raise KeyboardInterrupt("\\udcff")
        """
        (subject.path / file).write_text(dedent(text))
        monkeypatch.setenv("PYTHONIOENCODING", "utf-8:backslashreplace")  # for pytester
        # Hypothesis's own plugin cannot tell of a test in such a file.
        run = subject.record(*MAX, "-p", "no:hypothesispytest", f"--ignore=no_{file}")
        names = [rf"test_\udcff.py::{name}" for name in ("test_property", "test_wrong", "test_interrupted")]
        assert run.collected is not None
        assert run.collected.nodeids == [record.nodeid for record in run.measurements] == names
        outcomes = [record.outcome for record in run.measurements]
        assert outcomes == [Outcome.PASSED, Outcome.FAILED, Outcome.INTERRUPTED]
        assert r"--ignore=no_test_\udcff.py" in run.header.provenance.command
        cost = cost_of(run.measurements[0])
        assert cost.pin is not None
        assert (cost.effective, cost.pin.path) == (7, r"test_\udcff.py")

    def test_closed_files_lose_nothing(self, subject: Subject, by_name: ByName) -> None:
        """A test that closes all files it did not open, and one whose files take their numbers."""
        without_files_of_its_own = ("-s", "-p", "no:faulthandler")
        run = subject.record(
            *MAX,
            *without_files_of_its_own,
            test_x="""
            import os

            from hypothesis import given, settings, strategies as st

            FILES = []

            @settings(database=None)
            @given(st.integers())
            def test_property(x):
                pass

            def test_closes():
                os.closerange(3, 256)

            def test_opens():
                FILES.extend(open(f"{name}.txt", "w") for name in "abcdefgh")

            def test_says_nothing():
                for file in FILES:
                    file.close()
                    assert os.path.getsize(file.name) == 0
            """,
        )
        assert run.end is not None
        assert len(run.measurements) == 4
        assert {record.outcome for record in run.measurements} == {Outcome.PASSED}

    def test_what_hypothesis_refuses_fails_as_it_would_have(self, subject: Subject, by_name: ByName) -> None:
        """`@given` that does not fit its function: nothing is steered, and the error is Hypothesis's."""
        run = subject.record(
            *MAX,
            test_x="""
            import pytest
            from hypothesis import given, strategies as st
            from hypothesis.errors import InvalidArgument

            @pytest.mark.xfail(raises=InvalidArgument, strict=True)
            @given(y=st.integers())
            def test_expected(x):
                pass

            @given(st.integers(), st.integers())
            def test_unexpected(x):
                pass
            """,
        )
        records = by_name(run)
        assert records["test_expected"].outcome is Outcome.XFAILED
        assert records["test_unexpected"].outcome is Outcome.FAILED
        assert "Too many positional arguments" in (records["test_unexpected"].reason or "")
        assert {record.kind for record in records.values()} == {Kind.FUNCTION}

    def test_a_changed_folder_loses_nothing(self, subject: Subject, by_name: ByName) -> None:
        """A test that never goes back: the file is where it was begun."""
        run = subject.record(
            *MAX,
            test_x="""
            import os
            from hypothesis import given, strategies as st

            @given(st.integers())
            def test_away(x):
                os.chdir("/")

            @given(st.integers())
            def test_after(x):
                pass
            """,
        )
        assert cost_of(by_name(run)["test_after"]).effective == N
        assert by_name(run)["test_after"].path == "test_x.py"

    def test_an_in_process_pytest_is_not_recorded(self, subject: Subject) -> None:
        """A suite that tests plugins: what runs inside its tests is not a test of its own."""
        run = subject.record(
            *MAX,
            "-p",
            "pytester",
            test_x='''
            def test_nested(pytester):
                pytester.makepyfile("""
                    from hypothesis import given, strategies as st

                    @given(st.integers())
                    def test_inner(x):
                        pass

                    def test_fails():
                        assert False
                """)
                pytester.inline_run().assertoutcome(passed=1, failed=1)

            def test_after():
                pass
            ''',
        )
        names = [record.nodeid for record in run.measurements]
        assert names == ["test_x.py::test_nested", "test_x.py::test_after"]
        assert {record.outcome for record in run.measurements} == {Outcome.PASSED}

    def test_random_state_and_collector_callbacks_are_as_without_the_plugin(self, subject: Subject) -> None:
        """Both suites of assertions hold with the recorder and without it."""
        text = """
            import gc
            import random
            from hypothesis import given, strategies as st

            @given(st.integers())
            def test_first(x):
                pass

            def test_seeds():
                random.seed(5)

            def test_the_state_is_as_it_was_left():
                assert random.random() == random.Random(5).random()

            def test_callbacks():
                assert [c for c in gc.callbacks if "hypothesis" not in getattr(c, "__module__", "")] == []
        """
        run = subject.record(*MAX, test_x=text)
        assert {record.outcome for record in run.measurements} == {Outcome.PASSED}
        subject.pytester.runpytest_subprocess("-p", "no:atom_testinfra").assert_outcomes(passed=4)

    def test_sources_of_randomness_are_registered_as_without_the_plugin(
        self, subject: Subject, by_name: ByName
    ) -> None:
        """Hypothesis warns of a source that nothing refers to: a heap set aside does not hide it."""
        subject.pytester.makeini("[pytest]\nfilterwarnings = error")
        run = subject.record(
            *MAX,
            test_x="""
            import random
            from hypothesis import given, register_random, strategies as st

            SOURCE = random.Random()

            @given(st.integers())
            def test_first(x):
                register_random(SOURCE)
                SOURCE.random()

            @given(st.integers())
            def test_second(x):
                register_random(SOURCE)
            """,
        )
        assert [record.outcome for record in run.measurements] == [Outcome.PASSED, Outcome.PASSED]

    def test_what_a_finalizer_raises_is_its_own_tests(self, subject: Subject, by_name: ByName) -> None:
        """Garbage is collected between two properties: pytest blames the first for what comes of it."""
        subject.pytester.makeini("[pytest]\nfilterwarnings = error")
        run = subject.record(
            *MAX,
            test_x="""
            import socket
            import pytest
            from hypothesis import HealthCheck, given, settings, strategies as st

            class Leak:
                def __init__(self):
                    self.itself = self
                    self.socket = socket.socket()

            @pytest.fixture
            def leaky():
                yield
                Leak()

            @settings(suppress_health_check=list(HealthCheck))
            @given(x=st.integers())
            def test_leaves(leaky, x):
                pass

            @given(st.integers())
            def test_next(x):
                pass

            def test_plain():
                pass
            """,
        )
        records = by_name(run)
        assert records["test_next"].outcome is Outcome.PASSED
        # Before 8.4 pytest takes no notice of what is collected between two tests.
        is_noticed = hasattr(unraisableexception, "collect_unraisable")
        assert records["test_leaves"].outcome is (Outcome.ERROR if is_noticed else Outcome.PASSED)

    def test_seeded_helpers_run_as_they_would_have(self, subject: Subject, by_name: ByName) -> None:
        """Failures are saved, two calls draw other values, a repeat draws the same, and no seed is forced."""
        text = """
            from hypothesis import core, given, settings, strategies as st
            from hypothesis.database import InMemoryExampleDatabase

            def draws():
                drawn = []

                @settings(database=None)
                @given(st.integers())
                def helper(x):
                    drawn.append(x)

                helper()
                return drawn

            def test_draws():
                first, second = draws(), draws()
                assert core.global_force_seed is None
                assert first != second
                with open("drawn.txt", "a") as file:
                    print(first, second, file=file)

            def test_saves():
                database = InMemoryExampleDatabase()

                @settings(database=database)
                @given(st.integers())
                def helper(x):
                    assert x < 100

                try:
                    helper()
                except AssertionError:
                    pass
                assert database.data
        """
        for _ in range(2):
            records = by_name(subject.record(*MAX, test_x=text))
            assert {record.outcome for record in records.values()} == {Outcome.PASSED}
            assert {cost_of(record).seed_scheme for record in records.values()} == {SeedScheme.NODEID}
        first, second = (subject.path / "drawn.txt").read_text().splitlines()
        assert first == second

    def test_the_first_to_import_hypothesis_is_no_plain_test(
        self, cold_subject: Subject, by_name: ByName
    ) -> None:
        """What it ran cannot be seen any more: it says so, and is measured again with the others."""
        text = """
            def run():
                from hypothesis import given, strategies as st

                given(st.integers())(lambda x: None)()

            def test_before():
                pass

            def test_first():
                run()

            def test_second():
                run()
        """
        run = cold_subject.record(test_x=text)
        records = by_name(run)
        kinds = {name: record.kind for name, record in records.items()}
        assert kinds == {"test_before": Kind.PLAIN, "test_first": Kind.PLAIN, "test_second": Kind.HELPER}
        assert "first to import Hypothesis" in records["test_first"].problems[0]
        assert without_hypothesis([run]) == {records["test_before"].nodeid}
        (unmeasured,) = summarise_session([run], Targets()).unmeasured
        assert (unmeasured.nodeid, unmeasured.outcome) == (records["test_first"].nodeid, Outcome.PASSED)

    def test_machines_in_plain_tests_are_attributed(self, subject: Subject, by_name: ByName) -> None:
        """Their time is that of the test, split by phase, and it is said that they cannot be steered."""
        run = subject.record(
            *MAX,
            test_x="""
            from hypothesis import HealthCheck, settings, strategies as st
            from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

            class Machine(RuleBasedStateMachine):
                @rule(x=st.integers())
                def step(self, x):
                    pass

            def test_machines():
                unhurried = settings(database=None, suppress_health_check=[HealthCheck.too_slow])
                for n in (4, 6):
                    run_state_machine_as_test(Machine, settings=settings(unhurried, max_examples=n))
            """,
        )
        record = by_name(run)["test_machines"]
        cost = cost_of(record)
        assert (record.kind, cost.n_engine_runs) == (Kind.HELPER, 2)
        assert cost.generate is not None
        assert cost.generate.n_valid == 10
        assert 0 < cost.generate.duration_s < record.call.wall_s
        assert any("nothing sets their number of examples" in problem for problem in record.problems)


class TestMovedInternals:
    """A Hypothesis whose internals are elsewhere: it is named, and what can be measured still is."""

    def test_without_the_collector_the_call_is_timed(self, subject: Subject, by_name: ByName) -> None:
        """Only the split of the time is lost."""
        conftest = """
            import hypothesis.core
            import hypothesis.statistics

            del hypothesis.statistics.collector
            hypothesis.core.note_statistics = lambda statistics: None
        """
        run = subject.record(*MAX, "-p", "no:hypothesispytest", conftest=conftest, test_x=PROPERTY)
        record = by_name(run)["test_property"]
        cost = cost_of(record)
        assert (record.outcome, cost.n_engine_runs, cost.configured) == (Outcome.PASSED, 0, N)
        assert record.call.wall_s > 0
        assert cost.body_cpu is not None
        (problem,) = record.problems
        assert "has no hypothesis.statistics.collector: the time is not split" in problem

    def test_an_override_that_hypothesis_does_not_follow_is_an_error(
        self, subject: Subject, by_name: ByName
    ) -> None:
        """What was set is checked against what Hypothesis says it stopped at."""
        conftest = """
            from hypothesis import settings

            def pytest_runtest_call(item):
                function = item.obj
                function._hypothesis_internal_use_settings = settings(max_examples=5, database=None)
        """
        run = subject.record(*MAX, conftest=conftest, test_x=PROPERTY)
        record = by_name(run)["test_property"]
        assert (cost_of(record).configured, cost_of(record).effective) == (N, 5)
        assert record.problems == [f"max_examples={N} was set, but Hypothesis stopped at 5"]


class TestDeadlines:
    """A property that has to miss its deadline: measured without one, it says why it fails."""

    MODULE = """
        import functools, time
        import pytest
        from hypothesis import given, settings, strategies as st
        from hypothesis.errors import DeadlineExceeded

        def raises(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                with pytest.raises(DeadlineExceeded):
                    function(*args, **kwargs)
            return wrapper

        @raises
        @settings(deadline=5)
        @given(st.just(1))
        def test_raises(x):
            time.sleep(0.02)

        @pytest.mark.xfail(raises=DeadlineExceeded, strict=True)
        @settings(deadline=5)
        @given(st.just(1))
        def test_marked(x):
            time.sleep(0.02)

        @pytest.mark.xfail(strict=True)
        @settings(deadline=5)
        @given(st.just(1))
        def test_any_reason(x):
            time.sleep(0.02)

        @pytest.mark.xfail(strict=True)
        @settings(deadline=60_000)
        @given(st.just(1))
        def test_quick(x):
            pass

        @settings(deadline=5)
        @given(st.just(1))
        def test_other(x):
            assert x == 2
    """

    def test_the_reason_says_that_the_tool_took_it_out(self, subject: Subject, by_name: ByName) -> None:
        """A test that fails for another reason says nothing of it."""
        records = by_name(subject.record(*MAX, test_x=self.MODULE))
        assert {record.outcome for record in records.values()} == {Outcome.FAILED}
        said = "testinfra took its deadline of 5 ms out, as of every property; it stays in a profile with"
        found = {name: said in (record.reason or "") for name, record in records.items()}
        assert found == {
            "test_raises": True,
            "test_marked": True,
            "test_any_reason": True,
            "test_quick": False,
            "test_other": False,
        }
        assert (records["test_raises"].reason or "").startswith("Failed: DID NOT RAISE")


def test_the_reason_names_the_fixture_that_is_missing(subject: Subject, by_name: ByName) -> None:
    """And not the line of the test that asks for it, which pytest prints above."""
    module = """
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_asks(databse, x):
            pass
    """
    record = by_name(subject.record(*MAX, test_x=module))["test_asks"]
    assert record.outcome is Outcome.ERROR
    assert record.reason == "fixture 'databse' not found"
