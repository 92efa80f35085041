"""What makes two checkouts equal, and what is said where they differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from atom_testinfra.mutation.cluster.checkouts import Checkout, describe_checkout, find_difference

FILES = {
    "src/shop.py": "def price():\n    return 1\n",
    "tests/test_shop.py": "import shop\n",
    "tests/conftest.py": "",
    "pyproject.toml": "[tool.testinfra]\n",
}


def write(root: Path, files: dict[str, str]) -> Checkout:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return describe_checkout(root, root, ["src/shop.py"])


def test_the_same_files_elsewhere_are_the_same(tmp_path: Path) -> None:
    """Where a checkout lies does not matter, nor do files that no verdict depends on."""
    here = write(tmp_path / "here", FILES)
    there = write(tmp_path / "there" / "deeper", FILES | {"README.md": "of another branch"})
    assert set(here.files) == set(FILES)
    assert here == there
    assert find_difference(here, there) is None


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_differs_is_named(tmp_path: Path, name: str) -> None:
    """Product, tests, helpers and settings of pytest all count."""
    here = write(tmp_path / "here", FILES)
    there = write(tmp_path / "there", FILES | {name: FILES[name] + "\n# edited\n"})
    assert find_difference(here, there) == f"its checkout differs in {name!r}"


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    """Also one that only the worker has."""
    here = write(tmp_path / "here", FILES)
    there = write(tmp_path / "there", {other: text for other, text in FILES.items() if other != name})
    assert find_difference(here, there) == f"its checkout differs in {name!r}"
    assert find_difference(there, here) == f"its checkout differs in {name!r}"


def test_more_files_are_counted(tmp_path: Path) -> None:
    here = write(tmp_path / "here", FILES)
    there = write(tmp_path / "there", {name: text + "\n" for name, text in FILES.items()})
    assert find_difference(here, there) == "its checkout differs in 'pyproject.toml' and 3 other files"


def test_versions_are_compared_before_files(tmp_path: Path) -> None:
    """Python first, then the tool, then every package in order, also one that is missing."""
    here = write(tmp_path, FILES)
    for versions, said in (
        ({"Python": "2.7", "pytest": "1.0"}, "it has Python 2.7, and this machine has Python "),
        ({"atom-testinfra": "0 (digest 1)", "click": "0"}, "it has atom-testinfra 0 (digest 1), and "),
        ({"pytest": "1.0", "click": "0"}, "it has click 0, and this machine has click "),
        ({"aardvark": "3"}, "it has aardvark 3, and this machine has no aardvark"),
    ):
        there = msgspec.structs.replace(here, versions=here.versions | versions, files={})
        assert (find_difference(here, there) or "").startswith(said)


def test_the_tool_does_not_import_dask() -> None:
    """It is an extra, which takes half a second to import."""
    code = (
        "import sys; import atom_testinfra.commands.mutate, atom_testinfra.mutation.cluster.client; "
        "sys.exit('distributed' in sys.modules or 'dask' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
