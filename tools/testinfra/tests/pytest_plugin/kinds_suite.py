"""The text of a suite with every kind of test, and what each is called in `docs/kinds.md`."""

from __future__ import annotations

CONFTEST = """
    import time
    import pytest

    @pytest.fixture
    def frozen_time(monkeypatch):
        for name in ("time", "perf_counter", "process_time", "thread_time", "monotonic"):
            monkeypatch.setattr(time, name, lambda: 0.0)
            monkeypatch.setattr(time, f"{name}_ns", lambda: 0)
"""

SUITE = """
    import asyncio
    import os
    import signal
    import threading
    import time
    import unittest

    import pytest
    from hypothesis import HealthCheck, Phase, assume, example, find, given, seed, settings, target
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

    SHARED = settings(max_examples=11)
    BUILT = {"max_examples": 12}

    def spin():
        sum(range(20_000))

    @given(st.integers())
    def test_function(x):
        spin()

    class TestMethods:
        @given(st.integers())
        def test_method(self, x):
            pass

    class Inherited:
        @given(st.integers())
        def test_inherited(self, x):
            pass

    class TestChild(Inherited):
        pass

    @pytest.mark.parametrize("odd", ["a b", "q'/", "\\u00fc"])
    @given(x=st.integers())
    def test_parametrised(odd, x):
        pass

    @example(1)
    @example(2)
    @given(st.integers())
    def test_example(x):
        spin()

    @settings(phases=[Phase.explicit])
    @example(1)
    @given(st.integers())
    def test_only_examples(x):
        spin()

    class TestCase(unittest.TestCase):
        @given(st.integers())
        def test_unittest(self, x):
            pass

    @pytest.mark.asyncio
    @given(st.integers())
    async def test_asyncio(x):
        await asyncio.sleep(0)
        spin()

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    @given(x=st.integers())
    async def test_anyio(x):
        spin()

    class Machine(RuleBasedStateMachine):
        @rule(x=st.integers())
        def step(self, x):
            spin()

        @invariant()
        def holds(self):
            assert True

    TestMachine = Machine.TestCase

    @settings(suppress_health_check=[check for check in HealthCheck if check.name == "nested_given"])
    @given(st.integers())
    def test_nested(x):
        @settings(max_examples=3, database=None)
        @given(st.integers())
        def inner(y):
            pass

        inner()

    def test_helper():
        @given(st.integers())
        def helper(x):
            pass

        helper()
        helper()

    def test_unhealthy_helper():
        @given(st.integers().filter(lambda x: False))
        def helper(x):
            pass

        helper()

    def test_find():
        assert find(st.integers(), lambda x: x > 10) == 11

    @pytest.fixture
    def found():
        return find(st.integers(), lambda x: x > 10)

    def test_fixture(found):
        assert found == 11

    def test_machine_as_test():
        unhurried = settings(database=None, suppress_health_check=[HealthCheck.too_slow])
        run_state_machine_as_test(Machine, settings=settings(unhurried, max_examples=5))

    @given(st.data())
    def test_data(data):
        data.draw(st.integers())

    @given(st.integers(0, 1000))
    def test_target(x):
        target(float(x))

    @given(st.booleans())
    def test_exhausted(x):
        pass

    @settings(suppress_health_check=[HealthCheck.filter_too_much])
    @given(st.integers())
    def test_filtered(x):
        assume(x % 7 == 0)

    @settings(suppress_health_check=[HealthCheck.filter_too_much])
    @given(st.integers())
    def test_unsatisfiable(x):
        assume(False)

    @given(st.integers())
    def test_failing(x):
        assert x < 10

    CALLS = []

    @given(st.integers())
    def test_flaky(x):
        CALLS.append(x)
        assert len(CALLS) != 5

    @pytest.mark.skip(reason="not here")
    @given(st.integers())
    def test_skipped(x):
        pass

    @given(st.integers())
    def test_skips_itself(x):
        pytest.skip("no such thing")

    @pytest.mark.xfail(reason="known")
    @given(st.integers())
    def test_xfail(x):
        assert x < 10

    @given(x=st.integers())
    def test_function_scoped_fixture(tmp_path, x):
        pass

    @pytest.fixture
    def broken():
        raise RuntimeError("no database")

    @settings(suppress_health_check=list(HealthCheck))
    @given(x=st.integers())
    def test_setup_error(broken, x):
        pass

    @settings(deadline=1)
    @given(st.just(0))
    def test_deadline(x):
        time.sleep(0.01)

    @pytest.fixture
    def timeout():
        def expire(signum, frame):
            pytest.fail("Timeout")

        before = signal.signal(signal.SIGALRM, expire)
        yield
        signal.signal(signal.SIGALRM, before)

    TICKS = []

    @settings(suppress_health_check=list(HealthCheck))
    @given(x=st.integers())
    def test_times_out(timeout, x):
        TICKS.append(x)
        if len(TICKS) == 3:
            signal.raise_signal(signal.SIGALRM)  # as a timer would, at a moment that is always the same

    @settings(max_examples=7)
    @given(st.integers())
    def test_pinned(x):
        pass

    @SHARED
    @given(st.integers())
    def test_shared_pin(x):
        pass

    @settings(**BUILT)
    @given(st.integers())
    def test_built_pin(x):
        pass

    @settings(max_examples=settings.default.max_examples // 2)
    @given(st.integers())
    def test_scaled(x):
        pass

    @seed(4)
    @given(st.integers())
    def test_own_seed(x):
        pass

    @settings(derandomize=True)
    @given(st.integers())
    def test_derandomized(x):
        pass

    def test_in_a_thread():
        @given(st.integers())
        def inner(x):
            pass

        thread = threading.Thread(target=inner)
        thread.start()
        thread.join()

    @given(st.integers())
    def test_forks(x):
        if not hasattr(test_forks, "done"):
            test_forks.done = True
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)

    @given(st.integers())
    def test_chdir(x):
        before = os.getcwd()
        os.chdir("/")
        os.chdir(before)

    @settings(suppress_health_check=list(HealthCheck))
    @given(x=st.just(0))
    def test_frozen_time(frozen_time, x):
        pass

    def test_plain():
        pass
"""

TITLES = {
    "test_function": "function",
    "test_method": "method",
    "test_inherited": "inherited method",
    "test_parametrised[a b]": "parametrised, odd node ids",
    "test_example": "with `@example`",
    "test_only_examples": "only `@example`, phase explicit",
    "test_unittest": "`unittest.TestCase`",
    "test_asyncio": "asyncio (pytest-asyncio)",
    "test_anyio[asyncio]": "anyio",
    "runTest": "`RuleBasedStateMachine`",
    "test_nested": "nested `@given`",
    "test_helper": "helper `@given` in a plain test",
    "test_unhealthy_helper": "helper `@given` that fails a health check",
    "test_find": "`find()` in a plain test",
    "test_fixture": "`find()` in a fixture of a plain test",
    "test_machine_as_test": "`run_state_machine_as_test`",
    "test_data": "`data()`",
    "test_target": "`target()`",
    "test_exhausted": "exhausted search space",
    "test_filtered": "heavy filtering",
    "test_unsatisfiable": "Unsatisfiable",
    "test_failing": "failing",
    "test_flaky": "flaky",
    "test_skipped": "skipped by a marker",
    "test_skips_itself": "skips itself",
    "test_xfail": "expected to fail",
    "test_function_scoped_fixture": "failed health check before it runs",
    "test_setup_error": "set-up fails",
    "test_deadline": "slower than its own deadline",
    "test_times_out": "stopped by a timeout",
    "test_pinned": "own `max_examples`",
    "test_shared_pin": "pinned by a shared settings object",
    "test_built_pin": "pinned by settings from a dict",
    "test_scaled": "scaled from the profile",
    "test_own_seed": "own `@seed`",
    "test_derandomized": "own `derandomize=True`",
    "test_in_a_thread": "property in another thread",
    "test_forks": "forks",
    "test_chdir": "changes the folder",
    "test_frozen_time": "a fixture patches `time.*`",
    "test_plain": "no Hypothesis",
}
