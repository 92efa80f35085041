"""
Print what a package needs of a lock file, each with its hashes: `select_requirements.py PYPROJECT LOCK`.

The lock file serves the whole repository, and a service does not need what its tests do. pip says which
locked packages need which others: it resolves against the lock file and installs nothing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")


def main(pyproject: str, lock: str) -> int:
    """Print the part of the lock file that the package needs, and what builds it."""
    document = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))
    wanted = [*document["project"]["dependencies"], *document["build-system"]["requires"]]
    entries = entries_of(Path(lock).read_text(encoding="utf-8"))
    for name in sorted(resolve(wanted, entries)):
        sys.stdout.write(f"{entries[name]}\n")
    return 0


def entries_of(text: str) -> dict[str, str]:
    """Return the entries of a lock file by name: a requirement and the lines of its hashes."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        match = NAME.match(entry)
        if match:
            lines = [line for line in entry.splitlines() if not line.lstrip().startswith("#")]
            found[canonical(match[1])] = "\n".join(lines)
    return found


def resolve(wanted: list[str], entries: dict[str, str]) -> set[str]:
    """Return the names of the locked packages that the wanted ones are made of."""
    pins = "\n".join(entry.split("\\")[0].strip() for entry in entries.values())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(pins)
        constraints.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", "-", "--constraint", constraints.name, *wanted]
        ran = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - names of pyproject.toml
        report = json.loads(ran.stdout)
    names = {canonical(each["metadata"]["name"]) for each in report["install"]}
    missing = names - entries.keys()
    if missing:
        raise SystemExit(f"not in the lock file: {', '.join(sorted(missing))}; run `make lock`")
    return names


def canonical(name: str) -> str:
    """Return the name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
