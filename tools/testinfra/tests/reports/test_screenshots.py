"""
Thirteen pictures of the page for a person to look at, and the page as it is printed: `make screenshots`.

What no assertion sees, a person sees at once: a label over a bar, a column of nothing, a colour that hurts.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from tests.browser import Page, write_page
from tests.samples import make_baseline

from atom_testinfra.reports.data import build_report
from atom_testinfra.reports.html import render_html

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.nightly]

FOLDER = Path(__file__).parents[2] / ".testinfra" / "screenshots"
STEPPED = "tests/property_tests/analytics/test_analytics_invariants.py::test_rule_00000"
PNG = b"\x89PNG\r\n"


class Shot(NamedTuple):
    """One picture: which page, on what screen, and where on the page."""

    name: str
    n: int
    """Tests on the page; 0 is an empty baseline."""
    width: int
    height: int
    scheme: str = "light"
    fragment: str = ""
    script: str = ""


SHOW_CURVE = "document.getElementById('detail-curve').scrollIntoView()"

SHOTS = [
    Shot("01-failing-light", 50, 1280, 2400),
    Shot("02-failing-dark", 50, 1280, 2400, "dark"),
    Shot("03-phone", 50, 390, 2800),
    Shot("04-phone-tests", 50, 390, 844, "dark", "#sort=name"),
    Shot("05-dialog", 50, 1280, 1000, fragment=f"#test={STEPPED}"),
    Shot("06-filter", 50, 1280, 900, fragment="#q=test_x&sort=-body_s"),
    Shot("07-history", 50, 1280, 1000, script="document.getElementById('history').scrollIntoView()"),
    Shot("11-curve", 50, 1280, 1000, script="document.getElementById('detection').scrollIntoView()"),
    Shot(
        "12-curve-dark",
        50,
        1280,
        1000,
        "dark",
        script="document.getElementById('detection').scrollIntoView()",
    ),
    Shot("13-curve-of-a-test", 50, 1280, 1000, "dark", f"#test={STEPPED}", SHOW_CURVE),
    Shot(
        "08-thousand-by-folder",
        1000,
        1280,
        900,
        "dark",
        "#by=folder",
        "document.querySelector('.folder button').click()",
    ),
    Shot("09-gone", 1000, 390, 844, fragment="#test=tests/test_gone.py::test_gone"),
    Shot("10-empty", 0, 1280, 1200),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The pages by their number of tests."""
    folder = tmp_path_factory.mktemp("pages")
    empty = folder / "empty.html"
    empty.write_text(render_html(build_report(make_baseline(0, suite=None), "perf.json")), encoding="utf-8")
    return {0: empty, 50: write_page(folder, 50, is_hostile=True), 1000: write_page(folder, 1000)}


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_a_picture_is_taken(page: Page, pages: dict[int, Path], shot: Shot) -> None:
    """The page opens there without a complaint and without scrolling sideways, and the picture is kept."""
    page.emulate(width=shot.width, height=shot.height, scheme=shot.scheme)
    page.open(pages[shot.n], shot.fragment)
    page.run(shot.script)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{shot.name}.png"

    assert page.driver.save_screenshot(str(path))
    assert path.read_bytes().startswith(PNG)
    assert page.run("return document.documentElement.scrollWidth") <= shot.width
    assert page.complaints == []


def test_the_printed_page_is_kept(page: Page, pages: dict[int, Path]) -> None:
    """The same file as a person gets from the browser's print dialog."""
    page.open(pages[50])
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "printed.pdf"
    path.write_bytes(page.print())

    assert path.read_bytes().startswith(b"%PDF-")
    assert path.read_bytes().count(b"/Type /Page\n") >= 8
