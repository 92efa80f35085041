"""pytest's arguments, read before pytest reads them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from atom_testinfra.core.arguments import (
    find_option_without_tests,
    name_places,
    relocate,
    rename_outputs,
    stop_at_failure,
)


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        (["tests"], ["tests"]),
        (["-v", "tests/a.py::test_x", "b"], ["tests/a.py::test_x", "b"]),
        (["-k", "tests"], []),
        (["-ktests"], []),
        (["-vk", "tests", "b"], ["b"]),
        (["--deselect", "tests", "--tb=short", "b"], ["b"]),
        (["--deselect=tests", "b"], ["b"]),
        (["--of-some-plugin", "tests"], ["tests"]),
        (["--", "-k", "tests"], ["-k", "tests"]),
        (["-k"], []),
        (["", "-"], ["-"]),
    ],
)
def test_the_value_of_an_option_names_no_place(arguments: list[str], places: list[str]) -> None:
    """Beside it, behind it, or in the same word."""
    assert name_places(arguments) == places


@pytest.mark.parametrize(
    "arguments", [["-x"], ["-vx"], ["-xvs"], ["--exitfirst"], ["--maxfail", "2"], ["--maxfail=2"]]
)
def test_a_run_stops_at_a_failure_when_it_is_told_to(arguments: list[str]) -> None:
    """`-x` and `--maxfail` are found in any spelling that pytest takes."""
    assert stop_at_failure(["-q", *arguments, "tests"])


@pytest.mark.parametrize(
    "arguments", [["-rx"], ["-kx"], ["-k", "-x"], ["-m", "x"], ["--", "-x"], ["x"], ["-v"]]
)
def test_an_x_elsewhere_stops_nothing(arguments: list[str]) -> None:
    """`-rx` reports expected failures, `-kx` selects by name."""
    assert not stop_at_failure(arguments)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--co"], "--co"),
        (["-qh"], "-h"),
        (["--cache-show=x"], "--cache-show"),
        (["-k", "--co"], None),
        (["-x"], None),
    ],
)
def test_an_option_that_runs_no_test_is_found(arguments: list[str], option: str | None) -> None:
    """Among others, but not as a value."""
    assert find_option_without_tests(["tests", *arguments]) == option


def test_all_options_with_a_value_are_known(tmp_path: Path) -> None:
    """Those that pytest, xdist and Hypothesis list in their help."""
    plugins = ["hypothesispytest", *(["xdist"] if find_spec("xdist") else [])]
    text = subprocess.run(
        [sys.executable, "-m", "pytest", *(word for name in plugins for word in ("-p", name)), "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    named = [line.strip().partition("  ")[0] for line in text.splitlines() if re.match(r"  --?\w", line)]
    taking = [
        found[1]
        for spelling in ", ".join(named).split(", ")
        if (found := re.match(r"(-\w|--[\w-]+)[ =][^\[]", spelling))
    ]
    assert {"-k", "--maxfail", "--hypothesis-seed"} <= set(taking)
    assert [option for option in taking if name_places([option, "value"])] == []


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (["a", "b::c"], ["<a>", "<b::c>"]),
        (["-k", "a", "--ignore", "b", "--ignore=c"], ["-k", "a", "--ignore", "<b>", "--ignore=<c>"]),
        (["-c", "a.ini", "-vca.ini", "-x"], ["-c", "<a.ini>", "-vc<a.ini>", "-x"]),
        (["--rootdir", ".", "--deselect", "a::b"], ["--rootdir", "<.>", "--deselect", "a::b"]),
        (["-q", "--", "-x"], ["-q", "--", "<-x>"]),
        (["-", "-k"], ["<->", "-k"]),
        (["--junitxml"], ["--junitxml"]),
    ],
)
def test_paths_are_moved_and_nothing_else(given: list[str], moved: list[str]) -> None:
    """Places, and the values of options that take a file or a folder, wherever they stand."""
    wrap = "<{}>".format
    assert relocate(given, move_place=wrap, move_path=lambda _, path: wrap(path)) == moved


@pytest.mark.parametrize(
    ("given", "renamed"),
    [
        (["tests", "--junitxml=out/a.xml"], ["tests", "--junitxml=out/a-ci-r1.xml"]),
        (["--junit-xml", "a.b/c", "-q"], ["--junit-xml", "a.b/c-ci-r1", "-q"]),
        (["--ignore=a.py", "--log-file", ".log"], ["--ignore=a.py", "--log-file", ".log-ci-r1"]),
    ],
)
def test_a_further_run_writes_files_of_its_own(given: list[str], renamed: list[str]) -> None:
    """What pytest wrote for the run before is left as it is; what it only reads keeps its name."""
    assert rename_outputs(given, "ci-r1") == renamed
