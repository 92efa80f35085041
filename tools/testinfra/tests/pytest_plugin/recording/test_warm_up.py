"""No property pays for what Hypothesis builds once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.versions import since_hypothesis

from atom_testinfra.core.vocabulary import Outcome

if TYPE_CHECKING:
    from tests.pytest_plugin.conftest import Subject

pytestmark = [pytest.mark.integration, since_hypothesis("6.126")]

LOOKS = """
    from hypothesis import given, strategies as st
    from hypothesis.internal import charmap
    from hypothesis.internal.conjecture import providers

    def test_looks():
        assert (charmap._charmap is not None, bool(providers._seen_modules)) == {built}
"""
TEXT = """
    @given(st.text())
    def test_property(value):
        pass
"""
NUMBERS = TEXT.replace("text", "integers")


@pytest.fixture
def folder(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where Hypothesis keeps its tables: a folder that is not there yet."""
    place = str(subject.path / "fresh")
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", place)
    return place


def passes(subject: Subject, properties: str, built: tuple[bool, bool]) -> bool:
    """Return whether the first test found what was built as it should be."""
    run = subject.record(test_x=LOOKS.format(built=built) + properties)
    return {record.outcome for record in run.measurements} == {Outcome.PASSED}


@pytest.mark.usefixtures("folder")
def test_tables_are_there_before_the_first_test_if_there_is_use_for_them(subject: Subject) -> None:
    """In a fresh checkout always, later for suites that draw text; constants are always collected."""
    assert passes(subject, NUMBERS, (True, True))
    assert (subject.path / "fresh" / "unicode_data").is_dir()
    assert passes(subject, NUMBERS, (False, True))
    assert passes(subject, TEXT, (True, True))


@pytest.mark.usefixtures("folder")
def test_a_suite_without_a_property_pays_for_no_table(subject: Subject) -> None:
    """A suite that only imports Hypothesis does not build the tables."""
    assert passes(subject, "", (False, False))
    assert not (subject.path / "fresh" / "unicode_data").exists()


def test_no_property_pays_for_an_import_of_hypothesis(cold_subject: Subject) -> None:
    """Each of these was imported in the first test that drew from it, the first of them in any test."""
    run = cold_subject.record(
        test_x="""
    import sys
    from hypothesis import given, strategies as st

    BEFORE = set()

    def test_looks():
        BEFORE.update(sys.modules)

    @given(st.integers().flatmap(st.just), st.uuids())
    def test_property(number, uuid):
        pass

    def test_nothing_was_imported():
        assert [name for name in set(sys.modules) - BEFORE if name.startswith("hypothesis")] == []
    """
    )
    assert [record.outcome for record in run.measurements] == [Outcome.PASSED] * 3
