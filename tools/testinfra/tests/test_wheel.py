"""The wheel: what is in it, what it asks for, and that it measures a project that knows nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.integration

PACKAGE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(PACKAGE)], check=True)
    (path,) = folder.glob("*.whl")
    return path


def metadata_of(wheel: Path) -> str:
    """Return what the wheel says about itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return archive.read(name).decode()


def test_it_is_typed_and_holds_its_schemas(wheel: Path) -> None:
    """What the code reads is in it, and nothing of the tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {
        "py.typed",
        "storage/schemas/run.schema.json",
        "storage/schemas/performance_baseline.schema.json",
    }
    assert {f"atom_testinfra/{name}" for name in wanted} <= names
    assert {name.partition("/")[0] for name in names} == {"atom_testinfra", "atom_testinfra-0.1.0.dist-info"}


def test_it_asks_for_little_and_caps_nothing(wheel: Path) -> None:
    """Lower bounds only, and nothing of the backend."""
    requirements = re.findall(r"^Requires-Dist: (.+)$", metadata_of(wheel), re.MULTILINE)
    unconditional = [text for text in requirements if "extra ==" not in text]
    names = {re.split(r"[<>=!~ ;\[]", text)[0] for text in unconditional}
    assert names == {"click", "filelock", "hypothesis", "msgspec", "pluggy", "pytest", "rich"}
    assert [text for text in requirements if re.search(r"<|~=|==\d|!=", text)] == []


def test_it_measures_a_foreign_project(wheel: Path, tmp_path: Path) -> None:
    """Installed beside the dependencies, with no other file of this repository on the path."""
    site, project = tmp_path / "site", tmp_path / "project"
    project.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True)
    (project / "test_foreign.py").write_text(
        dedent(
            """
            import atom_testinfra
            from hypothesis import given, strategies as st

            def test_origin():
                assert "site" in atom_testinfra.__file__

            @given(st.integers())
            def test_property(x):
                pass
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [str(site / "bin" / "testinfra"), "measure", "--profile", "p=7", "--repeats", "1"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(site), "COLUMNS": "200"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_foreign.py::test_property" in done.stdout
    assert "1 test without Hypothesis" in done.stdout
