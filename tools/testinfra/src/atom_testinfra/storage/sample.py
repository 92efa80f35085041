"""The sample project of the tutorial, which comes with the package."""

from __future__ import annotations

import os
import shutil
from importlib import resources
from typing import TYPE_CHECKING

from atom_testinfra.core.errors import InfraError

if TYPE_CHECKING:
    from pathlib import Path

MADE_BY_PYTHON = shutil.ignore_patterns("__pycache__")


def copy_sample(folder: Path) -> list[str]:
    """
    Copy the sample project into a folder, and return the names of its files.

    Raises:
        InfraError: the folder holds something already, or cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise InfraError(
                f"{os.fspath(folder)!r} is not empty", hint="name a folder that does not exist yet"
            )
        with resources.as_file(resources.files("atom_testinfra") / "sample") as source:
            shutil.copytree(source, folder, ignore=MADE_BY_PYTHON, dirs_exist_ok=True)
    except OSError as exc:
        raise InfraError(
            f"cannot write the sample project to {os.fspath(folder)!r}: {exc.strerror}",
            hint="name another folder",
        ) from exc
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)
