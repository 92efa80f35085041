"""The files for running the service name what is there: settings, paths, locked packages."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from atom import cli
from atom.settings import Settings, variable_of

ROOT = Path(__file__).parents[4]
DEPLOY = ROOT / "backend" / "deploy"
GUIDE = ROOT / "backend" / "docs" / "running.md"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
SETTINGS = {variable_of(each): each for each in fields(Settings)}


@pytest.mark.parametrize("path", [GUIDE, *FILES], ids=lambda path: path.name)
def test_only_settings_that_exist_are_named(path: Path) -> None:
    """A variable in an example is one that the service reads: another would stop its start."""
    named = set(re.findall(r"\bATOM_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    assert named <= SETTINGS.keys()


def test_the_guide_names_every_setting_with_its_default() -> None:
    """A limit that the table gives is the one in force."""
    text = GUIDE.read_text(encoding="utf-8")
    assert [name for name in SETTINGS if name not in text] == []
    table = dict(re.findall(r"^\| `(ATOM_\w+)` \| (\d+) \|", text, re.MULTILINE))
    assert len(table) >= 9
    assert table == {name: str(SETTINGS[name].default) for name in table}
    assert f"`3 * ATOM_THREADS + 1` connections, {Settings().database_connections} by default" in text


def test_only_commands_that_exist_are_named() -> None:
    """Each `atom VERB` of the guide and of the files is a command."""
    texts = [path.read_text(encoding="utf-8") for path in (GUIDE, *FILES)]
    verbs = set(re.findall(r"(?:`|^|bin/|\.\.\. )atom ([a-z-]+)", "\n".join(texts), re.MULTILINE))
    assert verbs >= {"serve", "migrate", "backup", "restore"}
    assert verbs <= cli.atom.commands.keys()


def test_the_containers_files_are_there() -> None:
    """What the Containerfile copies from the repository exists, and it starts a command of ours."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert len(sources) >= 5
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert "--require-hashes" in text
    (uid,) = re.findall(r"^USER (\w+)$", text, re.MULTILINE)
    assert uid != "root"


def test_the_unit_is_one_that_systemd_reads() -> None:
    """Its stop is given longer than the service takes; systemd's own check is asked where there is one."""
    path = DEPLOY / "atom.service"
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # names as they are written
    unit.read_string(path.read_text(encoding="utf-8"))
    assert int(unit["Service"]["TimeoutStopSec"]) > Settings().stop_timeout_s
    assert unit["Service"]["ExecStart"].endswith("atom serve")
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        said = subprocess.run([analyze, "verify", path], check=False, capture_output=True, text=True).stderr
        complaints = [line for line in said.splitlines() if "atom.service" in line]
        assert [line for line in complaints if "is not executable" not in line] == []


def test_the_proxy_closes_first() -> None:
    """The proxy gives up an idle connection before the service does, or a request could meet a closed one."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    (idle_s,) = re.findall(r"keepalive_timeout (\d+)s;", text)
    assert int(idle_s) < Settings().keep_alive_s
    assert text.count("{") == text.count("}")


@pytest.fixture(scope="module")
def selecting() -> ModuleType:
    """The script that takes the service's part of the lock file."""
    spec = importlib.util.spec_from_file_location("select_requirements", DEPLOY / "select_requirements.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_dependency_is_locked_with_a_hash(selecting: ModuleType) -> None:
    """The entries of the lock file are read whole: a pin, and at least one hash."""
    entries = selecting.entries_of((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    document = tomllib.loads((ROOT / "backend" / "pyproject.toml").read_text(encoding="utf-8"))
    names = {
        selecting.canonical(re.split(r"[\[<>=]", each)[0]) for each in document["project"]["dependencies"]
    }
    assert names <= entries.keys()
    assert all(re.search(r"==\S+", entry) and "--hash=sha256:" in entry for entry in entries.values())


@pytest.mark.integration
def test_the_service_runs_on_its_part_of_the_lock_file(tmp_path: Path) -> None:
    """What the Containerfile does, in a virtual environment: install hash by hash, and migrate a database."""
    locked = tmp_path / "locked.txt"
    script: list[str | Path] = [
        sys.executable,
        DEPLOY / "select_requirements.py",
        ROOT / "backend" / "pyproject.toml",
    ]
    with locked.open("w") as written:
        subprocess.run([*script, ROOT / "requirements.txt"], check=True, stdout=written)
    assert "hypothesis" not in locked.read_text()
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip: list[str | Path] = [tmp_path / "venv" / "bin" / "pip", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "-r", locked], check=True)
    source = tmp_path / "backend"
    shutil.copytree(ROOT / "backend", source, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", source], check=True)
    url = f"sqlite:///{tmp_path / 'atom.sqlite3'}"
    command: list[str | Path] = [tmp_path / "venv" / "bin" / "atom", "migrate"]
    subprocess.run(command, check=True, env={"ATOM_DATABASE_URL": url}, cwd=tmp_path)
