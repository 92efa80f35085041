"""What is known of source files, on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from atom_testinfra.storage.known_files import UNKNOWN, KnownFile, KnownFiles


def test_what_is_known_is_read_back_for_the_same_content(tmp_path: Path) -> None:
    """For a file with another content, nothing is known."""
    path = tmp_path / "mutants/sources.json"
    files = KnownFiles(path, "one")
    known = files.of("a.py", "digest")
    known.imports, known.functions = ["shop.cart"], {"f": "1", "": "2"}
    known.same.add("083f1453b7db8b64")
    files.save()
    again = KnownFiles(path, "one")
    assert again.of("a.py", "digest") == known
    assert again.of("a.py", "other") == KnownFile(digest="other")
    assert KnownFile().mutants == UNKNOWN


@pytest.mark.parametrize("text", ["", '{"made_by":"one"', '{"made_by":"one","files":{"a.py":3}}'])
def test_what_another_version_wrote_is_not_used(tmp_path: Path, text: str) -> None:
    """A file of another version, or one that cannot be read, counts as empty and is replaced."""
    path = tmp_path / "sources.json"
    files = KnownFiles(path, "one")
    files.of("a.py", "digest").imports = ["shop.cart"]
    files.save()
    assert KnownFiles(path, "two").of("a.py", "digest").imports is None
    path.write_text(text, encoding="utf-8")
    broken = KnownFiles(path, "one")
    assert broken.of("a.py", "digest").imports is None
    broken.save()
    assert KnownFiles(path, "one").of("a.py", "digest") == KnownFile(digest="digest")
