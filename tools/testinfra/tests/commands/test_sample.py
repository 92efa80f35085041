"""`testinfra sample`: the tutorial's project in a folder of the reader's."""

from __future__ import annotations

from pathlib import Path

import pytest

from atom_testinfra.cli import main
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.storage.sample import copy_sample


def test_the_project_is_written_and_its_files_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is made, and every file in it is printed."""
    folder = tmp_path / "new" / "shop"

    assert main(["sample", str(folder)]) == ExitStatus.OK
    listed = capsys.readouterr().out.splitlines()
    assert sorted(listed) == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    assert {".gitignore", "pyproject.toml", "src/shop/cart.py", "tests/test_cart.py"} <= set(listed)


def test_a_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of the reader's is written over: the status is 2, and the message names the folder."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")

    assert main(["sample", str(tmp_path)]) == ExitStatus.ERROR
    assert f"{str(tmp_path)!r} is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """A folder that exists already may be used while it is empty."""
    assert "tests/test_sales.py" in copy_sample(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file where the folder should go is an error with the place and the next step."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    assert main(["sample", str(tmp_path / "file" / "shop")]) == ExitStatus.ERROR
    captured = capsys.readouterr().err
    assert "cannot write the sample project" in captured
    assert "hint: name another folder" in captured
