"""What the code says about itself."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec
import pytest

from atom_testinfra.core.config import Config
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.reports.reference import (
    TABLES,
    attribute_docstrings,
    render_exit_codes,
    render_settings,
    type_name,
)


class Sample(IntEnum):
    """Documented."""

    ONE = 1
    """The first,
    over two lines."""
    TWO = 2

    THREE = 3
    """The last."""


def test_a_docstring_belongs_to_the_attribute_above_it() -> None:
    """Only text directly under an attribute documents it."""
    assert attribute_docstrings(Sample) == {"ONE": "The first, over two lines.", "THREE": "The last."}


def test_every_exit_status_is_in_the_table() -> None:
    """A script's author finds each status and what it means."""
    table = render_exit_codes()

    assert table.count("\n") == len(ExitStatus) + 1
    assert "| 3 | Nothing was measured, or there was nothing to compare with. |" in table


@pytest.mark.parametrize("prefix", TABLES)
def test_every_setting_is_documented(prefix: str) -> None:
    """A key without an explanation is a key nobody sets."""
    struct = TABLES[prefix]
    documented = attribute_docstrings(struct)

    assert sorted(set(struct.__struct_fields__) - set(documented)) == []


def test_every_key_of_the_settings_is_in_the_table() -> None:
    """The table is made from what is parsed."""
    table = render_settings()

    for name in Config.__struct_fields__:
        assert f"| `{name}` |" in table
    assert "| `targets.fast.local_s` | number |" in table
    assert '| `pins` | "respect" or "scale" or "cap" or "override" | `"respect"` |' in table


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (str, "text"),
        (int | None, "whole number or not set"),
        (list[str], "list of text"),
        (dict[str, Literal["a", "b"]], 'table of "a" or "b"'),
        (msgspec.Struct, "table"),
        (bool, "true or false"),
    ],
)
def test_a_type_is_named_as_toml_has_it(annotation: object, text: str) -> None:
    """Somebody who writes TOML does not have to know Python's types."""
    assert type_name(annotation) == text
