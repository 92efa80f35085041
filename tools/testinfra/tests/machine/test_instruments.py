"""What changes how long code takes is found where it was switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.machine import instruments
from atom_testinfra.machine.instruments import find_faketime

if TYPE_CHECKING:
    from pathlib import Path

LOADED = {"LD_PRELOAD": "/usr/lib/faketime/libfaketime.so.1"}
FOUND = ["libfaketime at another speed"]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("+0 x3", FOUND),
        ("@2020-01-01 00:00:00 x0.5", FOUND),
        ("2020-01-01 00:00:00 i2.0", FOUND),
        ("+400d", []),
        ("", []),
    ],
)
def test_another_speed_is_found_wherever_libfaketime_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, found: list[str]
) -> None:
    """A variable may say it, name a file that does, or leave it to a file in the home folder."""
    home, named = tmp_path / ".faketimerc", tmp_path / "named"
    monkeypatch.setattr(instruments, "FAKETIME_FILES", [str(tmp_path / "none"), str(home)])
    assert find_faketime({**LOADED, "FAKETIME": told}) == found
    named.write_text(f"{told}\n", encoding="utf-8")
    assert find_faketime({**LOADED, "FAKETIME_TIMESTAMP_FILE": str(named)}) == found
    assert find_faketime(LOADED) == []
    home.write_text(told, encoding="utf-8")
    assert find_faketime(LOADED) == found
    assert find_faketime({}) == []  # nothing was loaded that would read it


def test_hypothesis_s_own_tool_is_not_one_that_the_suite_turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.12 on it is there while examples are observed, or a failure is explained."""
    tools = {1: "coverage", 3: "scrutineer"}
    monkeypatch.setattr(instruments, "_get_tool", tools.get)
    found = [name for name in instruments.find_instruments() if "sys.monitoring" in name]
    assert found == ["coverage (sys.monitoring)"]
