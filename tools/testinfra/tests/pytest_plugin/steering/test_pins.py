"""Every way to write a number of examples that a suite was seen to use, and some that only look like one."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.pytest_plugin.steering.pins import Pins
from atom_testinfra.pytest_plugin.steering.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pytest_plugin.conftest import Subject

    from atom_testinfra.core.records.measurement import Measurement, Run

    ByName = Callable[[Run], dict[str, Measurement]]

N, PROFILE = 12, 40
CONFTEST = f"""
    from hypothesis import settings

    settings.register_profile("suite", max_examples={PROFILE})
    settings.load_profile("suite")
"""
COMMON = """
    from hypothesis import settings

    SHARED = settings(max_examples=21)
    AS_THE_PROFILE = settings(max_examples=40, deadline=None)
    TWICE = settings(max_examples=2 * settings.default.max_examples)

    LATER = dict(deadline=None)
    LATER.update(max_examples=31)

    class Kinds:
        SLOW = settings(max_examples=22)
        KEYWORDS = {"max_examples": 23}

    class Further(Kinds):
        pass
"""
SUITE = """
    import hypothesis
    import common
    from common import SHARED, Further, Kinds
    from common import SHARED as OTHER, LATER
    from hypothesis import example, given, settings, settings as hs, strategies as st

    KEYWORDS = {"deadline": None, "max_examples": 24}
    HALF = settings.default.max_examples // 2
    profile = settings.default

    FILLED = {}
    if True:
        FILLED["max_examples"] = 29
    else:
        FILLED["max_examples"] = 290

    def some():
        return settings(max_examples=28)

    def share(factor):
        n = round(settings.default.max_examples * factor)
        return settings(max_examples=n)

    def count(factor):
        return int(profile.max_examples * factor)

    class Own:
        max_examples = 25

    def few(max_examples):
        return settings(max_examples=max_examples)

"""
CASES = {
    # The text, how many examples run with N asked for, and the file and the text of the pin's line.
    "direct": ("@settings(max_examples=20)", 20, "test_x.py", "max_examples=20"),
    "alias": ("@hs(max_examples=20)", 20, "test_x.py", "@hs(max_examples=20)"),
    "dotted": ("@hypothesis.settings(max_examples=20)", 20, "test_x.py", "hypothesis.settings("),
    "shared": ("@SHARED", 21, "common.py", "max_examples=21"),
    "renamed": ("@OTHER", 21, "common.py", "max_examples=21"),
    "parent": ("@settings(SHARED, deadline=None)", 21, "common.py", "max_examples=21"),
    "of_a_module": ("@common.SHARED", 21, "common.py", "max_examples=21"),
    "of_a_class": ("@Kinds.SLOW", 22, "common.py", "max_examples=22"),
    "of_a_class_above": ("@settings(Further.SLOW)", 22, "common.py", "max_examples=22"),
    "keywords": ("@settings(**Kinds.KEYWORDS)", 23, "common.py", '"max_examples": 23'),
    "union": ("@settings(**(Kinds.KEYWORDS | KEYWORDS))", 24, "test_x.py", '"max_examples": 24'),
    "nested": ("@settings(**{**KEYWORDS, 'deadline': 99})", 24, "test_x.py", '"max_examples": 24'),
    "dict_call": ("@settings(**dict(max_examples=26))", 26, "test_x.py", "max_examples=26"),
    "as_the_profile": ("@common.AS_THE_PROFILE", 40, "common.py", "max_examples=40"),
    "own_constant": ("@settings(max_examples=Own.max_examples)", 25, "test_x.py", "Own.max_examples"),
    "of_other_settings": ("@settings(max_examples=SHARED.max_examples)", 21, "test_x.py", "SHARED."),
    "a_function_made_it": ("@few(27)", 27, "test_x.py", "@few(27)"),
    "a_function_chose": ("@some()", 28, "test_x.py", "max_examples=28"),
    "a_function_scaled": ("@share(0.5)", N // 2, None, None),
    "a_function_counted": ("@settings(max_examples=count(0.5))", N // 2, None, None),
    "an_item": ("@settings(**FILLED)", 29, "test_x.py", "= 29"),
    "an_item_elsewhere": ("@settings(**common.LATER)", 31, "common.py", "LATER.update"),
    "an_item_imported": ("@settings(**LATER)", 31, "common.py", "LATER.update"),
    "computed": ("@settings(max_examples=min([30, 90]))", 30, "test_x.py", "min("),
    "free": ("", N, None, None),
    "free_with_settings": ("@settings(deadline=None)", N, None, None),
    "half": ("@settings(max_examples=HALF)", N // 2, None, None),
    "twice": ("@common.TWICE", 2 * N, None, None),
    "by_name": ("@settings(max_examples=profile.max_examples // 4)", N // 4, None, None),
    "by_call": ("@settings(max_examples=settings().max_examples // 4)", N // 4, None, None),
}
ARGUMENTS = """
    @given(max_examples=st.integers())
    def test_argument(max_examples):
        pass

    @given(max_examples=st.integers())
    @example(max_examples=3)
    def test_example(max_examples):
        pass
"""


@pytest.fixture
def records(subject: Subject, by_name: ByName) -> dict[str, Measurement]:
    """What one run of all the cases recorded."""
    tests = "".join(
        f"\n{text}\n@given(st.integers())\ndef test_{name}(x):\n    pass\n"
        for name, (text, *_) in CASES.items()
    )
    text = dedent(SUITE) + tests + dedent(ARGUMENTS)
    return by_name(
        subject.record("--testinfra-max-examples", str(N), conftest=CONFTEST, common=COMMON, test_x=text)
    )


def test_every_number_is_found_where_it_is_written(subject: Subject, records: dict[str, Measurement]) -> None:
    """What is pinned runs as often as it says, by file and line; all else follows what is asked for."""
    for name, (_, n, path, text) in CASES.items():
        cost = records[f"test_{name}"].hypothesis
        assert cost is not None
        assert (name, cost.effective) == (name, n)
        is_pinned = cost.pin is not None
        assert (name, is_pinned) == (name, path is not None)
        if cost.pin is not None:
            assert (name, cost.pin.max_examples, cost.pin.path) == (name, n, path)
        if cost.pin is not None and path is not None and text is not None:
            assert cost.pin.line is not None
            assert text in (subject.path / path).read_text().splitlines()[cost.pin.line - 1]


def test_an_argument_of_that_name_is_no_number(records: dict[str, Measurement]) -> None:
    """`@given(max_examples=...)` draws something; it sets nothing."""
    for name in ("test_argument", "test_example"):
        cost = records[name].hypothesis
        assert cost is not None
        assert (cost.effective, cost.pin) == (N, None)


@given(st.integers())
def a_property(x: int) -> None:
    pass


def test_no_library_is_read() -> None:
    """`given` is a function too: to read Hypothesis for each property doubled the cost of a small suite."""
    sources = Sources()
    inner = a_property.hypothesis.inner_test  # type: ignore[attr-defined]
    assert Pins(sources).find(inner, 100) is None
    assert [*sources._sources] == [__file__]
