"""The list of environment variables in the documents is whole, and names nothing that is not read."""

from __future__ import annotations

import re
from pathlib import Path

import atom_testinfra
from atom_testinfra.core.variables import Variable

SOURCES = Path(atom_testinfra.__file__).parent
READ = re.compile(
    r"""environ(?:\.get\(|\[)\s*"(?P<read>[A-Z_]+)"|"(?P<asked>[A-Z_]+)"\s(?:not\s)?in\s(?:os\.)?environ"""
    r"""|_VARIABLE\s=\s"(?P<constant>[A-Z_]+)\""""
)
OWN = {"TESTINFRA_FOREIGN_ROOT", "TESTINFRA_ORIGINS"}
"""What the tool sets for processes of its own."""
OTHERS = {"FAKETIME", "FAKETIME_TIMESTAMP_FILE", "PYTEST_CURRENT_TEST"}
"""What libfaketime and pytest set for themselves; nobody sets these for the tool."""


def test_every_variable_that_the_code_reads_is_listed() -> None:
    """A variable that the code reads, by its name or by a constant, is listed or set by the tool itself."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    read = {found["read"] or found["asked"] or found["constant"] for found in READ.finditer(text)}

    assert {"PYTHONPATH", "TESTINFRA_TIME"} <= read
    assert read - OWN - OTHERS <= {variable.value for variable in Variable}


def test_every_listed_variable_is_in_the_code() -> None:
    """A variable that no module names any more has to leave the list."""
    modules = [path for path in SOURCES.rglob("*.py") if path.name != "variables.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in modules)

    assert [name for name in Variable if name.value not in text and name.value.lower() not in text] == []
