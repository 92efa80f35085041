"""Suites whose database holds nine entries; the last one fails, and few examples must not mask it."""

KNOWN_FAILURE = """
    import pytest
    from hypothesis import given, settings, strategies as st
    from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes
    from hypothesis.internal.reflection import function_digest

    database = InMemoryExampleDatabase()
    number = st.integers(0, 10**9)

    @settings(database=database{pin})
    @given(number)
    def test_known(x): assert x != 900_000_001

    @pytest.mark.parametrize("k", [1])
    @settings(database=database{pin})
    @given(x=number)
    def test_parametrised(k, x): assert x != 900_000_001

    def save(test, nodeid=None):
        inner = test.hypothesis.inner_test
        if nodeid:
            inner._hypothesis_internal_add_digest = nodeid.encode()
        for value in [*range(8), 900_000_001]:
            database.save(function_digest(inner), choices_to_bytes((value,)))
        if nodeid:
            del inner._hypothesis_internal_add_digest

    save(test_known)
    save(test_parametrised, "test_x.py::test_parametrised[1]")
"""

KNOWN_FAILURE_OF_A_MACHINE = """
    from hypothesis import settings, strategies as st
    from hypothesis.database import InMemoryExampleDatabase, choices_to_bytes
    from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

    database = InMemoryExampleDatabase()
    own = settings(database=database, deadline=None, stateful_step_count=1)
    is_wrong = lambda value: value >= 1000

    class Machine(RuleBasedStateMachine):
        @rule(value=st.integers(0, 10**9))
        def step(self, value): assert not is_wrong(value)

    try:
        run_state_machine_as_test(Machine, settings=own)
    except AssertionError:
        pass  # and its smallest failure, 1000, is in the database
    key = min(database.data, key=len)
    for value in range(8):
        database.save(key, choices_to_bytes((value,)))
    is_wrong = lambda value: value == 1000

    class TestMachine(Machine.TestCase):
        settings = own
"""
