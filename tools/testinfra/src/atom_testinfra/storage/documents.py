"""Read and write documents that carry managed blocks, byte for byte."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath

from atom_testinfra.core.errors import ConfigError, DocumentError

DEFAULT_DOCUMENTS = ("*.md", "docs/**/*.md")
"""What is looked at where the settings name no documents."""


def leaves_project(name: str) -> bool:
    """Return whether a path, taken from the root of a project, can lead out of it."""
    return PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts


def find_documents(root: Path, patterns: list[str]) -> list[Path]:
    """
    Return the files that the patterns name, sorted, each once.

    A pattern of the settings that names no file is an error: it would look like a document that is current.
    """
    found: set[Path] = set()
    for pattern in patterns or DEFAULT_DOCUMENTS:
        if leaves_project(pattern):
            raise ConfigError(f"docs: {pattern!r} leaves the project; patterns are relative to {str(root)!r}")
        try:
            files = {path for path in root.glob(pattern) if path.is_file()}
        except (ValueError, NotImplementedError) as exc:
            raise ConfigError(f"docs: {pattern!r} is not a pattern of file names: {exc}") from exc
        files = {path for path in files if not _is_hidden(path, root, pattern)}
        if not files and patterns:
            raise ConfigError(f"docs: no file matches {pattern!r} in {str(root)!r}")
        found |= files
    return sorted(found)


def _is_hidden(path: Path, root: Path, pattern: str) -> bool:
    """Whether a file lies in a folder like `.pytest_cache`, which only a pattern that spells it out means."""
    spelled = PurePosixPath(pattern).parts
    return any(part.startswith(".") and part not in spelled for part in path.relative_to(root).parts)


def read_document(path: Path) -> str:
    """Return the text of a document, with its line endings and its byte order mark."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as exc:
        raise DocumentError(f"{str(path)!r} is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    except OSError as exc:
        raise DocumentError(f"cannot read {str(path)!r}: {exc.strerror}") from exc


def write_document(path: Path, text: str) -> None:
    """
    Replace a document by `text`, whole or not at all.

    A new document gets its folder; an old one keeps its mode, and a link to one stays a link.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise DocumentError(f"cannot write {str(path)!r}: {exc.strerror or exc}") from exc


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
