"""Reports of shards, merged: JUnit files and coverage data."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from atom_testinfra.core.errors import ShardError
from atom_testinfra.storage.coverage_data import merge_coverage
from atom_testinfra.storage.junit import count_junit, merge_junit

JUNIT = (
    '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">'
    '<testsuite name="pytest" errors="0" failures="{failures}" skipped="0" tests="{n}" time="1.5">'
    "{cases}</testsuite></testsuites>"
)


def write_junit(path: Path, names: list[str], failures: int = 0) -> Path:
    cases = "".join(f'<testcase classname="t" name="{name}" time="0.1" />' for name in names)
    path.write_text(JUNIT.format(n=len(names), failures=failures, cases=cases), encoding="utf-8")
    return path


class TestJunit:
    """One document with every suite."""

    def test_cases_and_counts_add_up(self, tmp_path: Path) -> None:
        """Nothing is lost, names outside of ASCII included."""
        paths = [write_junit(tmp_path / "1.xml", ["a", "ü"], 1), write_junit(tmp_path / "2.xml", ["b"], 1)]
        root = ET.fromstring(merge_junit(paths))
        assert [case.get("name") for case in root.iter("testcase")] == ["a", "ü", "b"]
        assert (root.get("tests"), root.get("failures"), root.get("time")) == ("3", "2", "3.000")
        assert sum(map(count_junit, paths)) == 3

    @pytest.mark.parametrize(("text", "reason"), [("<a", "is not XML"), ("<a/>", "is not a JUnit file")])
    def test_another_file_is_refused(self, tmp_path: Path, text: str, reason: str) -> None:
        """The message names the file."""
        (tmp_path / "odd.xml").write_text(text)
        with pytest.raises(ShardError, match=reason) as error:
            merge_junit([tmp_path / "odd.xml"])
        assert "odd.xml" in str(error.value)


class TestCoverage:
    """One data file with all lines."""

    def test_merged_coverage_has_the_lines_of_all_shards(self, tmp_path: Path) -> None:
        """What one shard executed and another did not is executed; merging again gives the same."""
        coverage: Any = pytest.importorskip("coverage")
        paths = [tmp_path / ".coverage.1", tmp_path / ".coverage.2"]
        for path, lines in zip(paths, ([1, 2], [2, 5]), strict=True):
            data = coverage.CoverageData(basename=str(path))
            data.add_lines({"/a.py": lines})
            data.write()
        for _ in range(2):
            merge_coverage(paths, tmp_path / "merged")
            merged = coverage.CoverageData(basename=str(tmp_path / "merged"))
            merged.read()
            assert sorted(merged.lines("/a.py")) == [1, 2, 5]

    def test_a_file_that_is_not_coverage_data_is_refused(self, tmp_path: Path) -> None:
        """The message names the file."""
        pytest.importorskip("coverage")
        (tmp_path / ".coverage").write_text("text")
        with pytest.raises(ShardError, match="cannot merge"):
            merge_coverage([tmp_path / ".coverage"], tmp_path / "merged")

    def test_coverage_data_without_coverage_installed_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Data that cannot be merged is an error, and not left out."""
        monkeypatch.setitem(__import__("sys").modules, "coverage", None)
        with pytest.raises(ShardError, match=r"coverage\.py is not installed"):
            merge_coverage([tmp_path / ".coverage"], tmp_path / "merged")
