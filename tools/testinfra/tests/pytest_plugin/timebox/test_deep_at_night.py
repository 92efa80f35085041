"""What a deep run finds at night fails the quick run of the next day, which has only its database."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.versions import since_hypothesis

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [since_hypothesis("6.131.4"), pytest.mark.integration]

SUITE = """
    import os
    from conftest import calls, now
    from hypothesis import given, settings, strategies as st

    is_night, is_mended = "NIGHT" in os.environ, "MENDED" in os.environ

    @settings(deadline=None)
    @given(x=st.integers(0, 2**64))
    def test_rare(x):
        now.s += 1.0
        is_deep = is_night and calls["test_rare"] > 2
        largest_good = 12_345_678_912 * 98_765_432
        is_bad = x > largest_good if is_deep else x == largest_good + 1
        assert is_mended or not is_bad

    @settings(deadline=None)
    @given(x=st.integers())
    def test_steady(x):
        now.s += 1.0
"""
"""
Of two to the sixty-fourth numbers, the quick run has to draw the one that the night found. Hypothesis prefers
powers of two, their neighbours, and numbers that stand in the source; this number is not one of them.
"""
CONFTEST = """
    import os
    from collections import Counter
    from types import SimpleNamespace
    from hypothesis import settings
    from hypothesis.database import (
        DirectoryBasedExampleDatabase, GitHubArtifactDatabase, MultiplexedDatabase, ReadOnlyDatabase,
    )
    from atom_testinfra.machine.clocks import Clocks

    now = SimpleNamespace(s=0.0)
    Clocks.wall = staticmethod(lambda: now.s)
    calls = Counter()

    database = DirectoryBasedExampleDatabase("examples")
    if "ARTIFACT" in os.environ:
        artifact = GitHubArtifactDatabase("someone", "project", path=os.environ["ARTIFACT"])
        database = MultiplexedDatabase(database, ReadOnlyDatabase(artifact))
    settings.register_profile("quick", derandomize=False, database=database)
    settings.load_profile("quick")

    def pytest_runtest_setup(item):
        calls[item.name] += 1
"""


@pytest.mark.parametrize("way", ["directory", "artifact"])
def test_a_find_of_the_night_fails_the_quick_run(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    few_plugins: None,
    tmp_path: Path,
    way: str,
) -> None:
    """The folder is restored as it was, or zipped like an artifact and read by Hypothesis's own class."""
    for name in ("CI", "TESTINFRA_TIME"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\nfilterwarnings = error")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_x=SUITE)
    quick = ("--testinfra-time=30s", "-p", "no:cacheprovider")

    pytester.runpytest_subprocess(*quick).assert_outcomes(passed=2)

    monkeypatch.setenv("NIGHT", "1")
    night = pytester.runpytest_subprocess("--testinfra-time=300s", "--testinfra-rounds")
    night.stdout.fnmatch_lines("testinfra: rounds: found in round *: test_x.py::test_rare")
    monkeypatch.delenv("NIGHT")

    examples = pytester.path / "examples"
    if way == "artifact":
        cache = tmp_path / "artifacts"
        stamp = datetime.now(UTC).isoformat().replace(":", "_")
        shutil.make_archive(str(cache / stamp), "zip", examples)
        shutil.rmtree(examples)
        monkeypatch.setenv("ARTIFACT", str(cache))
        monkeypatch.setenv("GITHUB_TOKEN", "none, as nothing is downloaded")
    else:
        shutil.move(examples, tmp_path / "kept")
        pytester.runpytest_subprocess(*quick).assert_outcomes(passed=2)
        shutil.rmtree(examples, ignore_errors=True)
        shutil.copytree(tmp_path / "kept", examples)

    found = pytester.runpytest_subprocess(*quick)
    found.assert_outcomes(passed=1, failed=1)
    assert f"x = {12_345_678_912 * 98_765_432 + 1}" in found.stdout.str()

    monkeypatch.setenv("MENDED", "1")
    pytester.runpytest_subprocess(*quick).assert_outcomes(passed=2)
