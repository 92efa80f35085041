"""The page's colours: every text can be read, in light and in dark."""

from __future__ import annotations

import re

import pytest

from atom_testinfra.reports.html import TEMPLATES

TEXT_CONTRAST = 4.5
"""WCAG 2, level AA, for text."""
GRAPHIC_CONTRAST = 3.0
"""The same for what is not text: bars against the page."""


def palettes() -> dict[str, dict[str, tuple[float, ...]]]:
    """Return each theme's colours by name."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root(\[data-theme=\"\w+\"\])? \{(.*?)\}", style, flags=re.DOTALL)
    found = {}
    for selector, body in blocks:
        colors = re.findall(r"--([\w-]+): #([0-9a-f]{6})", body)
        name = re.sub(r"\W|data-theme", "", selector) or "light"
        found[name] = {key: tuple(byte / 255 for byte in bytes.fromhex(value)) for key, value in colors}
    return found


def luminance(color: tuple[float, ...]) -> float:
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


def test_the_dark_colours_are_the_same_by_preference_and_by_choice() -> None:
    """Who chooses dark sees what who prefers dark sees."""
    themes = palettes()

    assert sorted(themes) == ["auto", "dark", "light"]
    assert themes["auto"] == themes["dark"]
    assert themes["light"].keys() == themes["dark"].keys()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "soft", "accent", "good", "bad", "warn"])
def test_text_can_be_read(theme: str, name: str) -> None:
    """Every colour of text stands out from the page and from the tables."""
    colors = palettes()[theme]

    for ground in ("bg", "surface"):
        assert contrast(colors[name], colors[ground]) >= TEXT_CONTRAST


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_parts_of_a_bar_can_be_seen(theme: str) -> None:
    """Bars and lines stand out from the page; they also differ by hatching, dashes and marks."""
    colors = palettes()[theme]
    drawn = [name for name in colors if name.startswith(("part-", "tier-", "series-"))]

    assert len(drawn) == 16
    faint = {name: contrast(colors[name], colors["bg"]) for name in drawn}
    assert {name: ratio for name, ratio in faint.items() if ratio < GRAPHIC_CONTRAST} == {}
