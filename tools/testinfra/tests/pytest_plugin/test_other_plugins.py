"""Plugins that run tests in a way of their own, as far as it matters here: each test has one true record."""

from __future__ import annotations

from importlib.util import find_spec
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from tests.grouping import CONFTEST as GROUPS

from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.core.records.session import is_complete, without_hypothesis
from atom_testinfra.core.vocabulary import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pytest_plugin.conftest import Subject

    from atom_testinfra.core.records.measurement import Measurement, Run

    ByName = Callable[[Run], dict[str, Measurement]]

pytestmark = pytest.mark.integration

N = 20
MAX = ("--testinfra-max-examples", str(N))


class TestForks:
    """pytest-forked: a test runs in a child of the process, which sees no more of it than its reports."""

    CONFTEST = """
        import marshal
        import os

        import pytest
        from _pytest import runner

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            if "stays" in item.name:
                return None
            for report in run_forked(item):
                item.ihook.pytest_runtest_logreport(report=report)
            return True

        def run_forked(item):
            reader, writer = os.pipe()
            if os.fork() == 0:
                reports = runner.runtestprotocol(item, log=False)
                os.write(writer, marshal.dumps([tell(report) for report in reports]))
                os._exit(0)
            os.close(writer)
            with open(reader, "rb") as file:
                told = file.read()
            os.wait()
            if told:
                place = {"nodeid": item.nodeid, "location": item.location, "keywords": {}}
                return [pytest.TestReport(**place, **values) for values in marshal.loads(told)]
            call = pytest.CallInfo.from_call(lambda: 0 / 0, "???")
            call.excinfo = "running the test CRASHED with signal 9 (SIGKILL)"
            return [runner.pytest_runtest_makereport(item, call)]

        def tell(report):
            names = ("outcome", "when", "duration")
            return {name: getattr(report, name) for name in names} | {"longrepr": str(report.longrepr)}
    """
    SUITE = """
        import os
        import signal

        import pytest
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_property(x):
            pass

        @given(st.integers())
        def test_wrong(x):
            assert x < 10

        @pytest.mark.skip(reason="not here")
        @given(st.integers())
        def test_skipped(x):
            pass

        @given(st.integers())
        def test_dies(x):
            os.kill(os.getpid(), signal.SIGKILL)

        def test_plain():
            pass

        def test_plain_dies():
            os.kill(os.getpid(), signal.SIGKILL)
    """

    @pytest.mark.parametrize("arguments", [(), ("-n1",)])
    def test_a_test_in_another_process_is_recorded_as_what_it_is(
        self, subject: Subject, by_name: ByName, arguments: tuple[str, ...]
    ) -> None:
        """Its kind is known, its outcome and wall times too; all else could not be seen, and that is said."""
        run = subject.record(*MAX, *arguments, conftest=self.CONFTEST, test_x=self.SUITE)
        records = by_name(run)
        assert {name: (record.kind, record.outcome) for name, record in records.items()} == {
            "test_property": (Kind.FUNCTION, Outcome.PASSED),
            "test_wrong": (Kind.FUNCTION, Outcome.FAILED),
            "test_skipped": (Kind.FUNCTION, Outcome.SKIPPED),
            "test_dies": (Kind.FUNCTION, Outcome.CRASHED),
            "test_plain": (Kind.PLAIN, Outcome.PASSED),
            "test_plain_dies": (Kind.UNKNOWN, Outcome.CRASHED),
        }
        assert len(run.measurements) == 6
        assert records["test_property"].call.wall_s > 0
        for record in records.values():
            assert record.hypothesis is None
            assert "ran in another process" in record.problems[0]
            assert record.setup.cpu_s + record.call.cpu_s + record.teardown.cpu_s == 0
        assert records["test_dies"].reason == "running the test CRASHED with signal 9 (SIGKILL)"

    def test_a_forked_test_is_neither_measured_nor_plain(self, subject: Subject) -> None:
        """Whatever may have run Hypothesis is listed, and the run came to its end."""
        run = subject.record(*MAX, conftest=self.CONFTEST, test_x=self.SUITE)
        assert is_complete([run])
        assert without_hypothesis([run]) == set()
        summary = summarise_session([run], Targets())
        assert (len(summary.measured), len(summary.failed), len(summary.unmeasured)) == (0, 3, 3)

    def test_a_test_after_a_forked_one_is_measured(self, subject: Subject, by_name: ByName) -> None:
        """Only some tests fork, by a mark; what one process saw is never told of another's test."""
        suite = """
            from hypothesis import given, strategies as st

            @given(st.integers())
            def test_stays(x):
                pass

            @given(st.integers())
            def test_forked(x):
                pass

            @given(st.integers())
            def test_stays_too(x):
                pass
        """
        records = by_name(subject.record(*MAX, conftest=self.CONFTEST, test_x=suite))
        assert [record.problems == [] for record in records.values()] == [True, False, True]
        assert [record.hypothesis is None for record in records.values()] == [False, True, False]
        assert records["test_forked"].call.cpu_s == 0
        assert records["test_stays_too"].call.cpu_s > 0


@pytest.mark.skipif(find_spec("_pytest.subtests") is None, reason="pytest has subtests from 9.0 on")
class TestSubtests:
    """Parts of a test that have reports of their own; each report says `call` while the call goes on."""

    SUITE = """
        import time
        import unittest

        import pytest
        {imports}

        def spin():
            began = time.process_time()
            while time.process_time() - began < 0.05:
                pass

        def test_parts(subtests):
            spin()
            with subtests.test("passes"):
                pass
            with subtests.test("is left out"):
                pytest.skip("not here")
            with subtests.test("is known"):
                pytest.xfail("known")

        def test_wrong_part(subtests):
            with subtests.test():
                assert 1 == 2
            with subtests.test():
                pytest.skip("not here")

        def test_wrong_before_it_skips(subtests):
            with subtests.test():
                assert 1 == 2
            pytest.skip("not here")

        class TestCase(unittest.TestCase):
            def test_unittest(self):
                spin()
                for n in range(3):
                    with self.subTest(n=n):
                        if n == 1:
                            self.skipTest("not here")

            def test_wrong_unittest(self):
                for n in range(3):
                    with self.subTest(n=n):
                        assert n != 1

        def test_after():
            pass
    """

    @pytest.mark.parametrize("imports", ["", "import hypothesis"])
    def test_only_failures_of_subtests_count_for_the_test(
        self, subject: Subject, by_name: ByName, imports: str
    ) -> None:
        """A part that is skipped is not the test skipped, and what came before it is part of the call."""
        run = subject.record(test_x=self.SUITE.format(imports=imports))
        records = by_name(run)
        wrong = (Outcome.FAILED, "assert 1 == 2")
        assert {name: (record.outcome, record.reason) for name, record in records.items()} == {
            "test_parts": (Outcome.PASSED, None),
            "test_wrong_part": wrong,
            "test_wrong_before_it_skips": wrong,
            "test_unittest": (Outcome.PASSED, None),
            "test_wrong_unittest": (Outcome.FAILED, "assert 1 != 1"),
            "test_after": (Outcome.PASSED, None),
        }
        assert len(run.measurements) == 6
        assert min(records[name].call.cpu_s for name in ("test_parts", "test_unittest")) >= 0.05


class TestRunsAgain:
    """Plugins that run a test again when it has failed: the first run does not make a record of the test."""

    CONFTEST = """
        import os

        import pytest
        from _pytest import runner

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            for run in ("first", "second"):
                os.environ["RUN"] = run
                reports = runner.runtestprotocol(item, log=False, nextitem=nextitem)
                is_again = run == "first" and any(report.failed for report in reports)
                for report in reports:
                    if not (is_again and report.failed) or {tells_of_failures}:
                        report.outcome = "rerun" if is_again and report.failed else report.outcome
                        item.ihook.pytest_runtest_logreport(report=report)
                if not is_again or item.name == "test_gone":
                    return True

        @pytest.hookimpl(tryfirst=True)
        def pytest_report_teststatus(report):
            return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
    """
    SUITE = """
        import os

        import pytest
        from hypothesis import given, strategies as st

        def check():
            assert os.environ["RUN"] == "second"

        @pytest.fixture
        def broken():
            check()

        @given(st.integers())
        def test_property(x):
            check()

        def test_plain():
            check()

        def test_setup(broken):
            pass

        def test_wrong():
            assert False

        def test_gone():
            assert False

        def test_right():
            pass
    """

    @pytest.mark.parametrize("arguments", [(), ("-n1",)])
    @pytest.mark.parametrize("tells_of_failures", [True, False], ids=["rerunfailures", "flaky"])
    def test_one_record_tells_of_the_last_run(
        self, subject: Subject, by_name: ByName, arguments: tuple[str, ...], tells_of_failures: bool
    ) -> None:
        """One of the plugins gives a failure an outcome of its own, the other does not report it at all."""
        conftest = self.CONFTEST.format(tells_of_failures=tells_of_failures)
        run = subject.record(*MAX, *arguments, conftest=conftest, test_x=self.SUITE)
        records = by_name(run)
        assert len(run.measurements) == len(records)
        assert {name: (record.outcome, len(record.problems)) for name, record in records.items()} == {
            "test_property": (Outcome.PASSED, 1),
            "test_plain": (Outcome.PASSED, 1),
            "test_setup": (Outcome.PASSED, 1),
            "test_wrong": (Outcome.FAILED, 1),
            "test_right": (Outcome.PASSED, 0),
        }
        assert "more than once" in records["test_property"].problems[0]
        assert records["test_property"].hypothesis is not None
        assert records["test_property"].hypothesis.effective == N
        (gone,) = [test for test in summarise_session([run], Targets()).unmeasured if test.outcome is None]
        assert gone.nodeid.endswith("::test_gone")


class TestFakeFileSystems:
    """pyfakefs: in every module the names of the file system stand for one that is empty."""

    CONFTEST = """
        import builtins
        import os
        import pathlib
        import sys

        import pytest

        class FakeOs:
            def __getattr__(self, name):
                return refuse if name in REFUSED else getattr(os, name)

        class FakePath(type(pathlib.Path())):
            def open(self, *args, **kwargs):
                refuse()

            read_bytes = read_text = open

        REFUSED = {"open", "read", "write", "close", "fstat", "stat", "access", "unlink"}

        def refuse(*args, **kwargs):
            raise OSError(9, "Bad file descriptor")

        @pytest.fixture(scope="SCOPE")
        def fs():
            fakes = {os: FakeOs(), pathlib.Path: FakePath, open: refuse}
            with pytest.MonkeyPatch.context() as patch:
                for module in [module for name, module in sys.modules.items() if "atom_testinfra" in name]:
                    for name, value in list(vars(module).items()):
                        if callable(getattr(value, "__hash__", None)) and value in fakes:
                            patch.setattr(module, name, fakes[value])
                patch.setattr(builtins, "open", refuse)
                yield
    """
    SUITE = """
        from hypothesis import HealthCheck, given, settings, strategies as st

        @settings(max_examples=7, suppress_health_check=list(HealthCheck))
        @given(x=st.integers())
        def test_property(fs, x):
            pass

        def test_plain(fs):
            pass

        @settings(max_examples=8)
        @given(x=st.integers())
        def test_after(x):
            pass
    """

    @pytest.mark.parametrize("scope", ["function", "module", "session"])
    def test_what_is_recorded_is_on_the_disk(self, subject: Subject, by_name: ByName, scope: str) -> None:
        """Digests and pins come from the files that are there, and the record goes to one, all the while."""
        conftest = self.CONFTEST.replace("SCOPE", scope)
        run = subject.record(*MAX, conftest=conftest, test_x=self.SUITE)
        assert run.end is not None
        records = by_name(run)
        assert {name: record.outcome for name, record in records.items()} == dict.fromkeys(
            ("test_property", "test_plain", "test_after"), Outcome.PASSED
        )
        for name, n in (("test_property", 7), ("test_after", 8)):
            cost = records[name].hypothesis
            assert cost is not None
            assert cost.digest is not None
            assert cost.pin is not None
            assert (cost.pin.max_examples, cost.pin.path) == (n, "test_x.py")


@pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
class TestGroups:
    """xdist's `loadgroup`: the tests of a group run in one worker, and their node ids end in its name."""

    SUITE = """
        import pytest
        from hypothesis import given, strategies as st

        @pytest.mark.xdist_group("one")
        @given(x=st.integers())
        @pytest.mark.parametrize("odd", ["a", "b@c", "d::e"])
        def test_first(odd, x):
            pass

        @pytest.mark.xdist_group("a@b")
        class TestClass:
            @given(st.integers())
            def test_method(self, x):
                pass

            def test_plain(self):
                pass

        @given(x=st.integers())
        @pytest.mark.parametrize("odd", ["f@g"])
        def test_of_no_group(odd, x):
            pass
    """

    def test_names_and_seeds_are_those_of_a_serial_run(self, subject: Subject) -> None:
        """Or nothing of a run with groups could be compared with one without."""
        folder = subject.pytester.mkdir("a@b")
        for name, text in {"conftest.py": GROUPS, "test_x.py": self.SUITE}.items():
            (folder / name).write_text(dedent(text), encoding="utf-8")
        serial = subject.record(*MAX)
        grouped = subject.record(*MAX, "-n2", "--dist=loadgroup")
        assert serial.collected is not None
        assert grouped.collected is not None
        assert grouped.collected.nodeids == serial.collected.nodeids
        assert seeds_of(grouped) == seeds_of(serial)
        assert len(seeds_of(grouped)) == 6
        workers = {record.worker for record in grouped.measurements if "test_first" in record.nodeid}
        assert len(workers) == 1

    def test_a_test_of_a_lost_group_worker_keeps_its_name(self, subject: Subject, by_name: ByName) -> None:
        """Its worker died, and with it what it would have told."""
        suite = """
            import os
            import signal
            import pytest

            @pytest.mark.xdist_group("one")
            def test_dies():
                os.kill(os.getpid(), signal.SIGKILL)
        """
        run = subject.record("-n1", "--dist=loadgroup", conftest=GROUPS, test_x=suite)
        assert by_name(run)["test_dies"].outcome is Outcome.CRASHED


def seeds_of(run: Run) -> dict[str, str | None]:
    """Return the seeds by node id."""
    return {
        record.nodeid: None if record.hypothesis is None else record.hypothesis.seed
        for record in run.measurements
    }
