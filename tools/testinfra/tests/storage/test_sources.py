"""What pytest's settings and the test files say before anything is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atom_testinfra.core.advice.diagnosis import Pinned
from atom_testinfra.storage.sources import read_pytest_options, scan_tests


class TestReadPytestOptions:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("pytest.ini", "[pytest]\naddopts = -n auto\n    --dist load\n"),
            ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-n auto --dist load'\n"),
            ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = ['-n', 'auto', '--dist', 'load']\n"),
            ("pyproject.toml", "[tool.pytest]\naddopts = ['-n', 'auto', '--dist', 'load']\n"),
            ("tox.ini", "[pytest]\naddopts = -n auto --dist load\n"),
            ("setup.cfg", "[tool:pytest]\naddopts = -n auto --dist load\n"),
        ],
    )
    def test_reads_every_place_that_pytest_reads(self, tmp_path: Path, name: str, text: str) -> None:
        """Each file that may hold settings is found from a folder below its own."""
        (tmp_path / name).write_text(text)
        (tmp_path / "sub").mkdir()
        assert read_pytest_options(tmp_path / "sub", {}) == {name: ["-n", "auto", "--dist", "load"]}

    def test_the_first_file_wins(self, tmp_path: Path) -> None:
        """An empty pytest.ini is pytest's choice, whatever pyproject.toml says."""
        (tmp_path / "pytest.ini").write_text("")
        (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-n 4'\n")
        assert read_pytest_options(tmp_path, {}) == {}

    def test_a_file_without_settings_is_passed_over(self, tmp_path: Path) -> None:
        """A pyproject.toml for other tools does not hide a tox.ini."""
        (tmp_path / "pyproject.toml").write_text("[tool.ruff]\n")
        (tmp_path / "tox.ini").write_text("[pytest]\naddopts = -x\n")
        assert read_pytest_options(tmp_path, {}) == {"tox.ini": ["-x"]}

    def test_the_environment_counts(self, tmp_path: Path) -> None:
        """The options of PYTEST_ADDOPTS are returned beside those of the file."""
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -ra\n")
        found = read_pytest_options(tmp_path, {"PYTEST_ADDOPTS": "-n 2 'quoted words'"})
        assert found == {"PYTEST_ADDOPTS": ["-n", "2", "quoted words"], "pytest.ini": ["-ra"]}

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.binary(max_size=60), name=st.sampled_from(["pytest.ini", "pyproject.toml", "setup.cfg"]))
    def test_any_file_is_read_or_passed_over(self, tmp_path: Path, data: bytes, name: str) -> None:
        """Broken settings are pytest's to complain about; nothing is raised here."""
        (tmp_path / name).write_bytes(b"[tool.pytest.ini_options]\naddopts = " + data)
        for options in read_pytest_options(tmp_path, {"PYTEST_ADDOPTS": "'"}).values():
            assert all(isinstance(option, str) for option in options)
        (tmp_path / name).unlink()


class TestScanTests:
    def test_finds_pins_with_their_places(self, tmp_path: Path) -> None:
        """As a decorator, by attribute, in a shared object; a computed number may follow the profile."""
        (tmp_path / "test_a.py").write_text(
            "import hypothesis\n"
            "from hypothesis import settings\n"
            "SHARED = settings(max_examples=7)\n"
            "@settings(deadline=None)\n"
            "def test_free(): ...\n"
            "@hypothesis.settings(max_examples=30)\n"
            "def test_pinned(): ...\n"
            "@settings(max_examples=settings().max_examples // 2)\n"
            "def test_scaled(): ...\n"
        )
        assert scan_tests(tmp_path).pins == [
            Pinned(path="test_a.py", line=3, max_examples=7),
            Pinned(path="test_a.py", line=6, max_examples=30),
        ]

    def test_profiles_belong_into_a_conftest(self, tmp_path: Path) -> None:
        """Loading one there is how it is meant; elsewhere it depends on the order of imports."""
        text = "from hypothesis import settings\nsettings.load_profile('ci')\n"
        (tmp_path / "tests").mkdir()
        (tmp_path / "tests" / "conftest.py").write_text(text)
        (tmp_path / "tests" / "helpers.py").write_text(text)
        assert scan_tests(tmp_path).profile_loads == ["tests/helpers.py:2"]

    def test_what_cannot_be_parsed_is_named(self, tmp_path: Path) -> None:
        """Python 2, NUL bytes, bad encodings: named, and the rest is read."""
        (tmp_path / "test_a.py").write_text("print 'x'\n")
        (tmp_path / "test_b.py").write_bytes(b"x = '\xff'\n")
        (tmp_path / "test_c.py").write_bytes(b"\0")
        (tmp_path / "test_d.py").write_text("settings(max_examples=1)\n")
        sources = scan_tests(tmp_path)
        assert sources.unreadable == ["test_a.py", "test_b.py", "test_c.py"]
        assert len(sources.pins) == 1

    def test_environments_are_not_searched(self, tmp_path: Path) -> None:
        """Other people's tests in a virtual environment are not the project's."""
        for folder in (".venv/lib", "node_modules", "lib/site-packages"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "test_x.py").write_text("settings(max_examples=1)\n")
        assert scan_tests(tmp_path).pins == []
