"""`[tool.testinfra]` on disk: what is refused when it is read, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from atom_testinfra.core.errors import ConfigError
from atom_testinfra.storage.project import load_project


def load(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    load_project(folder)


@pytest.mark.parametrize("name", ["ci", "ci-fast", "py3.11_local", "0", "a" * 64])
def test_a_profile_has_a_name_that_can_be_part_of_a_file_s(tmp_path: Path, name: str) -> None:
    """A name has letters, digits, dots, dashes and underscores only."""
    load(tmp_path, f'[tool.testinfra.profiles."{name}"]\nmax_examples = 5\n')


@pytest.mark.parametrize("name", ["", "a/b", "..", "-a", "a b", "a=b", "a'b", "ä", "a" * 65])
def test_another_name_is_refused_when_it_is_read(tmp_path: Path, name: str) -> None:
    """Not when the first run's file is to be made: file, key and name are told, and what would do."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f'[tool.testinfra.profiles."{name}"]\nmax_examples = 5\n')
    place = f"'{tmp_path}/pyproject.toml': [tool.testinfra]: profiles: "
    assert str(caught.value) == f"{place}a profile cannot be named {name!r}"
    assert caught.value.hint is not None
    assert "dashes" in caught.value.hint


@pytest.mark.parametrize("key", ["local_profile", "ci_profile"])
def test_targets_are_for_profiles_that_there_can_be(tmp_path: Path, key: str) -> None:
    """`history` goes by the name."""
    with pytest.raises(ConfigError, match=f"targets.{key}: a profile cannot be named"):
        load(tmp_path, f"[tool.testinfra.targets]\n{key} = 'a\"b'\n")


def test_no_profile_at_all_is_refused(tmp_path: Path) -> None:
    """An empty table leaves nothing to measure; the message says what to write in it."""
    with pytest.raises(ConfigError, match="profiles: the table is empty") as caught:
        load(tmp_path, "[tool.testinfra.profiles]\n")
    assert caught.value.hint is not None
    assert "max_examples" in caught.value.hint


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1", "2592001"])
@pytest.mark.parametrize("setting", ["time_budget_s", "targets.suite_s", "targets.fast.local_s"])
def test_a_time_that_has_no_end_is_refused(tmp_path: Path, setting: str, seconds: str) -> None:
    """The error comes when the settings are read, not when somebody computes with the time."""
    table, _, key = f"tool.testinfra.{setting}".rpartition(".")
    limits = "ci_s = 3\n" if key == "local_s" else ""
    with pytest.raises(ConfigError, match=key):
        load(tmp_path, f"[{table}]\n{limits}{key} = {seconds}\n")


@pytest.mark.parametrize("entry", ['"A=B" = "x"', '"" = "x"', r'"A\u0000" = "x"', r'A = "x\u0000"'])
def test_a_variable_that_no_process_can_have_is_refused(tmp_path: Path, entry: str) -> None:
    """The error comes when the settings are read, not when a process is started with the variable."""
    profile = "[tool.testinfra.profiles.ci]\nmax_examples = 5\n"
    with pytest.raises(ConfigError, match=r"profiles\.ci\.env: no environment can hold"):
        load(tmp_path, f"{profile}[tool.testinfra.profiles.ci.env]\n{entry}\n")


@pytest.mark.parametrize(
    "setting", [r'suite = ["-k", "\u0000"]', r'rootdir = "\u0000"', r'baseline = "a\u0000"']
)
def test_an_argument_that_no_process_can_have_is_refused(tmp_path: Path, setting: str) -> None:
    """The same holds for the arguments of pytest, and for the names of files and folders."""
    with pytest.raises(ConfigError, match="can hold the character NUL"):
        load(tmp_path, f"[tool.testinfra]\n{setting}\n")
