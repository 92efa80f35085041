"""Reading and writing documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from atom_testinfra.core.errors import ConfigError, DocumentError
from atom_testinfra.storage.documents import find_documents, read_document, write_document


def test_a_document_is_written_byte_for_byte(tmp_path: Path) -> None:
    """Line endings and a byte order mark come back as they went."""
    path = tmp_path / "a.md"
    path.write_bytes(b"\xef\xbb\xbfa  \r\nb\r\rc")

    write_document(path, read_document(path))

    assert path.read_bytes() == b"\xef\xbb\xbfa  \r\nb\r\rc"


def test_a_document_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    """Writing changes the text and nothing else."""
    path, link = tmp_path / "a.md", tmp_path / "link.md"
    path.write_text("a", encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)

    write_document(link, "b")

    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == "b"
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "link.md"]


def test_a_new_document_gets_its_folder_and_is_readable(tmp_path: Path) -> None:
    """A report can be sent to a folder that does not exist yet."""
    path = tmp_path / "new" / "page.html"

    write_document(path, "x")

    assert path.stat().st_mode & 0o400


def test_what_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    """A folder in the place of a file is an error with a name, not a traceback."""
    (tmp_path / "page.html").mkdir()

    with pytest.raises(DocumentError, match=r"cannot write .*page\.html"):
        write_document(tmp_path / "page.html", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_document_that_is_not_utf_8_is_named_with_the_byte(tmp_path: Path) -> None:
    """A file in another encoding is left alone."""
    path = tmp_path / "a.md"
    path.write_bytes(b"abc\xff")

    with pytest.raises(DocumentError, match=r"a\.md' is not UTF-8: .* at byte 3"):
        read_document(path)


def test_patterns_name_files_once_and_in_order(tmp_path: Path) -> None:
    """Two patterns that meet do not write a file twice."""
    for name in ("b.md", "a.md", "docs/c.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")

    found = find_documents(tmp_path, ["*.md", "a.md", "docs/**/*.md"])

    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.md", "b.md", "docs/c.md"]
    assert find_documents(tmp_path, []) == found


def test_hidden_folders_are_left_alone_unless_they_are_named(tmp_path: Path) -> None:
    """A cache's README is nobody's document; a planning folder may well be hidden."""
    for name in (".pytest_cache/README.md", ".planning/a.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("", encoding="utf-8")

    assert find_documents(tmp_path, [".planning/*.md"]) == [tmp_path / ".planning" / "a.md"]
    with pytest.raises(ConfigError, match="no file matches"):
        find_documents(tmp_path, ["**/README.md"])


@pytest.mark.parametrize("pattern", ["gone.md", "/etc/*.md", "../*.md", ""])
def test_a_pattern_that_names_nothing_of_the_project_is_an_error(tmp_path: Path, pattern: str) -> None:
    """A check over no document would always be green."""
    with pytest.raises(ConfigError, match="docs: "):
        find_documents(tmp_path, [pattern])
