"""
Test the tool as others install it: from its wheel, in an environment of its own.

`--lowest` installs the oldest version of each dependency that the package claims to work with; `--python`
names another interpreter. Run by `make test-lowest` and in CI.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
BESIDE = ["pytest-asyncio", "anyio", "pytest-env", "jsonschema"]
"""What the tests need in addition, in the newest versions that fit the rest."""
TESTS = [
    "tests/pytest_plugin",
    "tests/core/test_arguments.py",
    *(
        f"tests/commands/test_{name}.py"
        for name in ("measure", "measure_arguments", "measure_ends", "explain")
    ),
]


def main() -> int:
    """Make the environment and run the tests of what touches pytest and Hypothesis; their exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lowest", action="store_true", help="the oldest versions that are claimed")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the environment")
    parser.add_argument("pytest_arguments", nargs="*", default=TESTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = folder / "venv" / "bin" / "python"
        wheel = _build_wheel(folder)
        _run([arguments.python, "-m", "venv", str(folder / "venv")])
        pins = lowest_versions() if arguments.lowest else []
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, f"{wheel}[xdist]", *BESIDE, *pins])
        _run([str(python), "-m", "pip", "list", "--disable-pip-version-check"])
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        tests = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments.pytest_arguments]
        done = subprocess.run(tests, cwd=PACKAGE, env=environment, check=False)  # noqa: S603 (no shell)
        return done.returncode


def lowest_versions() -> list[str]:
    """Return a pin to the lower bound of each dependency that is needed to measure."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = [*project["dependencies"], *project["optional-dependencies"]["xdist"]]
    return [bound.replace(">=", "==") for bound in bounds]


def _build_wheel(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*pip, "--no-build-isolation", "--wheel-dir", str(folder), str(PACKAGE)])
    (wheel,) = folder.glob("*.whl")
    return wheel


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)  # noqa: S603 (our own commands, without a shell)


if __name__ == "__main__":
    raise SystemExit(main())
