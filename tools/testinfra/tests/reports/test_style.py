"""The page's colours: every text can be read, in light and in dark."""

from __future__ import annotations

import re

import pytest

from atom_testinfra.reports.html import TEMPLATES

TEXT_CONTRAST = 4.5
"""WCAG 2, level AA, for text."""
GRAPHIC_CONTRAST = 3.0
"""The same for what is not text: bars against the page."""


THEMES = ("light", "dark")


def palettes() -> dict[str, dict[str, tuple[float, ...]]]:
    """Return each theme's colours by name."""
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    found: dict[str, dict[str, tuple[float, ...]]] = {theme: {} for theme in THEMES}
    for name, *colors in re.findall(r"--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)", style):
        for theme, value in zip(THEMES, colors, strict=True):
            found[theme][name] = tuple(byte / 255 for byte in bytes.fromhex(value))
    return found


def luminance(color: tuple[float, ...]) -> float:
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["ink", "soft", "accent", "good", "bad", "warn"])
def test_text_has_enough_contrast(theme: str, name: str) -> None:
    """Every colour of text stands out from the page and from the tables."""
    colors = palettes()[theme]

    for ground in ("bg", "surface"):
        assert contrast(colors[name], colors[ground]) >= TEXT_CONTRAST


@pytest.mark.parametrize("theme", THEMES)
def test_the_parts_of_a_bar_can_be_seen(theme: str) -> None:
    """Bars and lines stand out from the page; bars also differ by hatching."""
    colors = palettes()[theme]
    drawn = [name for name in colors if name.startswith(("part-", "tier-", "series"))]

    assert len(drawn) == 11
    faint = {name: contrast(colors[name], colors["bg"]) for name in drawn}
    assert {name: ratio for name, ratio in faint.items() if ratio < GRAPHIC_CONTRAST} == {}
