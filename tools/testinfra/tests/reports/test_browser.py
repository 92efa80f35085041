"""What a person does with the page in a browser."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from tests.browser import PATIENCE_S, Page, write_page
from tests.samples import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.integration]

MARKUP = HOSTILE[0]
STEPPED = "tests/property_tests/analytics/test_analytics_invariants.py::test_rule_00000"


def page_data_of(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Return the node ids of a page's rows, and its curves."""
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>',
        path.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    data = json.loads(text)
    rows = data["rows"]
    nodeids = [rows["files"][file] + name for file, name in zip(rows["file"], rows["name"], strict=True)]
    return nodeids, data["curves"]


@pytest.fixture(scope="module")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50,000 tests."""
    return write_page(tmp_path_factory.mktemp("pages"), 50_000)


def test_it_loads_without_a_network_and_without_a_complaint(page: Page, hostile_page: Path) -> None:
    """The page asks for nothing, every plot is drawn, and the console stays empty."""
    page.open(hostile_page)
    plots = "document.querySelectorAll('.histogram, .split, main .lines')"
    sizes = f"return [...{plots}].map((node) => node.clientWidth)"

    assert page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert len(page.run(sizes)) > 20
    assert min(page.run(sizes)) > 0
    assert page.complaints == []


def test_the_answers_come_in_the_order_of_the_questions(page: Page, hostile_page: Path) -> None:
    """Targets, time, work, history, provenance: from the top to the bottom."""
    page.open(hostile_page)

    assert page.texts("main h2") == [
        "Are we inside the targets?",
        "Where does the time go?",
        "Which tests to work on first?",
        "What would more examples find?",
        "What got slower?",
        "How was it measured?",
        "All tests",
    ]
    assert page.find("h1").text == "✗ 1 property failed; 2 of 7 targets missed"


def test_the_contents_say_where_the_reader_is(page: Page, hostile_page: Path) -> None:
    """At the top it is the first section, further down the one that is being read, and back again."""
    page.open(hostile_page)
    here = ".contents [aria-current]"
    assert page.texts(here) == ["Are we inside the targets?"]

    page.run("document.getElementById('history').scrollIntoView()")
    page.until(lambda: page.texts(here) == ["What got slower?"])
    page.run("scrollTo(0, 0)")
    page.until(lambda: page.texts(here) == ["Are we inside the targets?"])


def test_every_plot_has_its_figures_as_a_table(page: Page, hostile_page: Path) -> None:
    """What a person cannot see, a person can read."""
    page.open(hostile_page)
    figures = page.driver.find_elements(By.CSS_SELECTOR, ".plot-figure")

    assert len(figures) >= 5
    for figure in figures:
        assert figure.find_element(By.CSS_SELECTOR, "[role=img]").accessible_name
        page.click(figure.find_element(By.CSS_SELECTOR, "summary"))
        assert figure.find_element(By.CSS_SELECTOR, "table tbody td").is_displayed()


def test_a_column_sorts_both_ways_and_says_so(page: Page, hostile_page: Path) -> None:
    """The first click on a figure puts the largest on top, the second the smallest."""
    page.open(hostile_page)
    times = "#tests-rows td:nth-child(3)"
    assert page.find("#tests-columns th:nth-child(3)").get_attribute("aria-sort") == "descending"
    slowest = page.names[0]

    page.sort_by("Time")
    assert page.find("#tests-columns th:nth-child(3)").get_attribute("aria-sort") == "ascending"
    assert page.names[0] != slowest
    assert page.texts(times)[0].endswith("ms")

    page.sort_by("Test")
    assert page.find("#tests-columns th:nth-child(1)").get_attribute("aria-sort") == "ascending"
    assert page.find("#tests-columns th:nth-child(3)").get_attribute("aria-sort") is None
    page.sort_by("Test")
    assert page.names[0].startswith("test_template")


def test_the_search_narrows_to_tests_with_all_the_words(page: Page, hostile_page: Path) -> None:
    """Words of a path and of a name, in any order and case; none found is said."""
    page.open(hostile_page)

    page.search("CHAT rule_0000")
    page.shown("2 of 60 tests")
    assert sorted(page.names) == ["test_rule_00001", "test_rule_00008"]

    page.search("<script>")
    page.shown("1 of 60 tests")

    page.search("no such test")
    page.shown("0 of 60 tests")
    assert page.find("#nothing").is_displayed()

    page.click(page.find("button[type=reset]"))
    page.shown("60 tests")
    assert not page.find("#nothing").is_displayed()


def test_tiers_and_profiles_are_chosen(page: Page, hostile_page: Path) -> None:
    """Unticking a tier hides its tests; the other profile has other figures."""
    page.open(hostile_page)

    page.click(page.find("input[name=tier][value=fast]"))
    page.shown("2 of 60 tests")
    assert set(page.texts("#tests-rows td:nth-child(2)")) == {"medium"}

    before = page.texts("#tests-rows td:nth-child(3)")
    page.run(
        "const choice = document.getElementById('profile'); choice.value = 'ci';"
        "choice.dispatchEvent(new Event('input', { bubbles: true }))"
    )
    page.until(lambda: page.texts("#tests-rows td:nth-child(3)") != before)
    assert set(page.texts("#tests-rows td:nth-child(10)")) == {"50"}


def background(page: Page) -> str:
    return str(page.run("return getComputedStyle(document.body).backgroundColor"))


def test_dark_and_light_follow_the_person_and_then_the_switch(page: Page, hostile_page: Path) -> None:
    """Without a choice the system decides; a choice wins, reaches the plots, and can be taken back."""
    page.open(hostile_page)
    light = background(page)
    color = "return getComputedStyle(document.querySelector('main .lines polyline')).stroke"
    light_color = page.run(color)

    page.emulate(scheme="dark")
    page.until(lambda: background(page) != light)
    page.until(lambda: page.run(color) != light_color)
    dark = background(page)

    page.run("document.querySelector('input[name=theme][value=light]').click()")
    page.until(lambda: background(page) == light)
    page.until(lambda: page.run(color) == light_color)
    page.run("document.querySelector('input[name=theme][value=auto]').click()")
    page.until(lambda: background(page) == dark)
    assert page.complaints == []


def test_a_hostile_name_stays_text(page: Page, hostile_page: Path) -> None:
    """Markup in a node id is shown letter by letter, in the table, in the dialog and in the plots."""
    page.open(hostile_page, f"#test={quote(MARKUP, safe='')}")

    assert page.find("#detail-title").text == MARKUP
    assert page.run("return document.querySelectorAll('img, body script[src], iframe, object').length") == 0
    assert page.run("return window.hacked") is None
    assert any("_image[<img src=x" in text for text in page.texts("#figure-slowest .name"))
    assert page.complaints == []


def test_a_test_has_a_link(page: Page, hostile_page: Path) -> None:
    """A click on a test opens it and changes the address; Escape closes it and takes the address back."""
    page.open(hostile_page)
    page.search("test_rule_00007")
    page.shown("1 of 60 tests")
    page.click(page.find("#tests-rows a"))

    page.until(lambda: page.find("#detail").is_displayed())
    assert page.driver.current_url.endswith("test_rule_00007")
    assert page.find("#detail-title").text.endswith("::test_rule_00007")
    assert page.texts("#detail-columns th") == ["Cost", "ci", "local"]

    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.until(lambda: not page.find("#detail").is_displayed())
    assert "#test=" not in page.driver.current_url


def test_the_keyboard_is_enough(page: Page, hostile_page: Path) -> None:
    """Slash searches, down goes on to the rows, arrows go through them, Enter opens one."""
    page.open(hostile_page)
    page.find("body").send_keys("/")
    search = page.driver.switch_to.active_element
    assert search.get_attribute("id") == "search"
    assert search.get_attribute("value") == ""

    search.send_keys(Keys.ARROW_DOWN)
    row = "return document.activeElement.closest('tr').getAttribute('aria-rowindex')"
    assert page.run(row) == "2"
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert page.run(row) == "3"
    page.driver.switch_to.active_element.send_keys(Keys.END)
    assert page.run(row) == "61"
    page.driver.switch_to.active_element.send_keys(Keys.HOME)
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_UP)
    assert page.driver.switch_to.active_element.get_attribute("id") == "search"
    search.send_keys(Keys.ARROW_DOWN)
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.until(lambda: page.find("#detail").is_displayed())


def test_the_top_says_whose_figures_of_which_commit_and_how_old(page: Page, hostile_page: Path) -> None:
    """A reader who was sent the page knows what it is about before any figure."""
    page.open(hostile_page)
    top = page.find(".masthead").text

    assert "example/shop" in top
    assert "0123456789ab, 24 commits before fedcba987654, which is checked out" in top
    assert "2026-11-20 09:20 UTC, " in top
    assert top.count("targets") == 1


def test_the_address_holds_the_filters(page: Page, hostile_page: Path) -> None:
    """A copied address shows another person the same rows in the same order; clearing them clears it."""
    page.open(hostile_page)
    page.search("analytics")
    page.click(page.find("input[name=tier][value=medium]"))
    page.sort_by("Set-up")
    page.until(lambda: page.driver.current_url.endswith("#q=analytics&tier=fast&sort=-setup_s"))
    names, address = page.names, page.driver.current_url

    page.open(hostile_page, "#" + address.partition("#")[2])
    assert page.names == names
    assert page.find("#tests-columns [aria-sort]").text == "Set-up \u2193"

    page.click(page.find("#tests-rows a"))
    page.until(lambda: "&test=" in page.driver.current_url)
    assert page.names == names
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.click(page.find("button[type=reset]"))
    page.until(lambda: page.driver.current_url.endswith("#sort=-setup_s"))


@pytest.mark.parametrize(
    ("nodeid", "told"),
    [
        ("tests/test_gone.py::test_gone", "No test of this name"),
        ("tests/test_a.py::test_fails", "Falsifying example: test_fails(\n    x=0,\n)"),
        ("tests/test_a.py::test_fails", "No figures under local: it failed: AssertionError"),
    ],
)
def test_a_link_to_a_test_without_figures_says_why(
    page: Page, hostile_page: Path, nodeid: str, told: str
) -> None:
    """A test that is gone, or that failed, is not passed over in silence."""
    page.open(hostile_page, f"#test={quote(nodeid, safe='')}")

    assert page.find("#detail-title").text == nodeid
    assert told in page.find("#detail").text
    assert not page.find("#detail-frame").is_displayed()
    assert not page.find("#detail-history").is_displayed()


def test_a_tests_dialog_has_its_past_its_command_and_its_source(page: Page, hostile_page: Path) -> None:
    """What a reader does next is one click away."""
    page.open(hostile_page, f"#test={quote(STEPPED, safe='')}")

    assert page.find("#detail-pytest").text == f"cd backend && pytest {STEPPED}"
    assert len(page.texts("#detail-lines .dot title")) == 6
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#detail-lines .marked")) == 1
    assert page.texts("#detail-points td:last-child") == ["", "another level: 1.80x", "", "", "", ""]
    (link,) = page.driver.find_elements(By.CSS_SELECTOR, "#detail-links a")
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert link.get_attribute("href") == (
        f"https://github.com/example/shop/blob/{commit}/backend/{STEPPED.partition('::')[0]}"
    )

    page.click(page.find("#detail-copy"))
    page.until(lambda: page.find("#detail-copied").text)
    assert page.complaints == []


def test_a_tests_dialog_has_its_detection_curve(page: Page, hostile_page: Path) -> None:
    """A line with its band up to what was tried, a dot at today's number, and all of it in words."""
    rows, curves = page_data_of(hostile_page)
    place, (own, words, flat) = next((int(at), one) for at, one in curves["fresh"].items() if one[0] == 100)
    page.open(hostile_page, f"#test={quote(rows[place], safe='')}")

    assert page.find("#detail-curve").is_displayed()
    assert page.find("#detail-curve-says").text == words
    assert page.find("#detail-curve-now").text.startswith(f"{own} examples now: ")
    assert page.texts("#detail-curve-ticks span") == ["1", "10", "100", "500"]
    assert page.run("return document.querySelector('#detail-curve-lines polyline').points.length") == len(
        [n for n in flat[::4] if n <= curves["most"]]
    )
    dot, tick = (
        page.run(f"return document.querySelector({selector!r}).getBoundingClientRect()")
        for selector in ("#detail-curve-lines .today .dot", "#detail-curve-ticks span:nth-child(3)")
    )
    assert dot["x"] + dot["width"] / 2 == pytest.approx(tick["x"] + tick["width"] / 2, abs=2)
    page.click(page.find("#detail-curve-plot summary"))
    assert f"{own} (now)" in page.texts("#detail-curve-points td:first-child")
    assert page.complaints == []


def test_a_stale_curve_is_said_and_one_that_is_not_there_is_not(page: Page, hostile_page: Path) -> None:
    """The dialog of a test says that its curve is stale; without a curve it says nothing about any."""
    rows, curves = page_data_of(hostile_page)
    (stale,) = curves["stale"]
    page.open(hostile_page, f"#test={quote(rows[stale], safe='')}")
    assert "Its curve is stale" in page.find("#detail-curve-says").text
    assert not page.find("#detail-curve-plot").is_displayed()

    without = next(
        at for at, _ in enumerate(rows) if at not in curves["stale"] and str(at) not in curves["fresh"]
    )
    page.open(hostile_page, f"#test={quote(rows[without], safe='')}")
    assert page.find("#detail-frame").is_displayed()
    assert not page.find("#detail-curve").is_displayed()
    assert page.complaints == []


def test_a_command_survives_a_shell(page: Page, hostile_page: Path) -> None:
    """A parameter with a quote or a space in it is one argument."""
    nodeid = next(name for name in HOSTILE if "mention" in name)
    page.open(hostile_page, f"#test={quote(nodeid, safe='')}")

    assert page.find("#detail-pytest").text == f"cd backend && pytest '{nodeid}'"


def test_rows_fold_by_folder(page: Page, hostile_page: Path) -> None:
    """A folder's row has the sum of its tests, opens and closes; a search opens all."""
    page.open(hostile_page, "#by=folder")
    buttons = page.texts(".folder button")
    assert len(buttons) == 8
    assert page.names == []
    assert "\u25b8 tests/ (10)" in buttons

    button = page.find(".folder button[title='tests/']")
    page.click(button)
    assert len(page.names) == 10
    total = page.texts(".folder:has(button[title='tests/']) td")[1]
    assert total == "30.0 s"
    assert page.find(".folder button[title='tests/']").get_attribute("aria-expanded") == "true"
    page.click(page.find(".folder button[title='tests/']"))
    assert page.names == []

    page.search("rule_00007")
    page.shown("1 of 60 tests")
    assert page.names == ["test_rule_00007"]


def test_parameters_are_not_cut_away(page: Page, hostile_page: Path) -> None:
    """Tests that differ in their parameters can be told apart, however long their name is."""
    page.open(hostile_page, "#q=test_x")
    params = "[...document.querySelectorAll('#tests-rows .params')]"
    cut_off = f"return {params}.filter((node) => node.scrollWidth > node.clientWidth).length"
    too_long = page.run(cut_off)

    assert page.run(f"return {params}.length") == 10
    page.run(
        "for (const node of document.querySelectorAll('#tests-rows .name')) {"
        "  node.textContent += '_and_more'.repeat(9);"
        "}"
    )
    assert page.run(cut_off) == too_long <= 2
    assert page.run(f"return Math.min(...{params}.map((node) => node.clientWidth))") > 60


def test_all_rows_are_printed(page: Page, hostile_page: Path) -> None:
    """Paper does not scroll: while the page is printed every row is there, in folded folders too."""
    for fragment, n_before in (("", None), ("#by=folder", 0)):
        page.open(hostile_page, fragment)
        page.run(
            "addEventListener('beforeprint', () => {"
            "  window.printed = document.querySelectorAll('#tests-rows .name').length;"
            "})"
        )
        before = len(page.names)

        assert page.print().startswith(b"%PDF-")
        assert page.run("return window.printed") == 60
        assert before == len(page.names) == (before if n_before is None else n_before)


def test_the_rows_can_be_saved(page: Page, hostile_page: Path, tmp_path: Path) -> None:
    """The rows that are shown, in their order, for a spreadsheet and for a script."""
    page.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.open(hostile_page, "#q=analytics")
    for button, name in (("#save-csv", "tests.csv"), ("#save-json", "tests.json")):
        page.click(page.find(button))
        page.until((tmp_path / name).exists)
    with (tmp_path / "tests.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    records = json.loads((tmp_path / "tests.json").read_text(encoding="utf-8"))

    assert [row["test"].rpartition("::")[2] for row in rows] == page.names
    assert [record["test"] for record in records] == [row["test"] for row in rows]
    assert [record["duration_s"] for record in records] == [float(row["duration_s"]) for row in rows]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(page: Page, hostile_page: Path, scheme: str) -> None:
    """Nothing makes the page scroll sideways, and no table column is cut off."""
    page.emulate(width=360, height=740, scheme=scheme)
    page.open(hostile_page)

    assert page.run("return document.documentElement.scrollWidth") <= 360
    for table in page.driver.find_elements(By.CSS_SELECTOR, "main .cards"):
        assert page.run("return arguments[0].scrollWidth <= arguments[0].parentElement.clientWidth", table)
    names = "[...document.querySelectorAll('#figure-slowest .name, #tests-rows .name')]"
    assert page.run(f"return Math.min(...{names}.map((node) => node.getBoundingClientRect().width))") > 60


def test_without_scripts_the_verdicts_are_still_there(page: Page, hostile_page: Path) -> None:
    """Where scripts are off, everything but plots and the long table can be read."""
    page.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.driver.get(hostile_page.as_uri())
        assert page.find("#table-verdicts tbody tr").is_displayed()
        assert "needs JavaScript" in page.find("noscript").text
    finally:
        page.command("Emulation.setScriptExecutionDisabled", value=False)


def test_fifty_thousand_tests_scroll(page: Page, large_page: Path) -> None:
    """Of any number of rows only those in sight exist, and each can be reached, sorted and found."""
    page.open(large_page)

    assert page.find("#table-tests").get_attribute("aria-rowcount") == "50001"
    assert len(page.names) < 120
    first = page.names[0]

    started = time.perf_counter()
    page.run("const view = document.getElementById('viewport'); view.scrollTop = view.scrollHeight")
    page.until(lambda: page.run("return document.querySelector('[aria-rowindex=\"50001\"]') !== null"))
    page.sort_by("Time")
    page.until(lambda: page.names[0] != first)
    page.search("rule_0499")
    page.shown("10 of 50,000 tests")
    elapsed_s = time.perf_counter() - started

    assert len(page.names) == 10
    assert elapsed_s < PATIENCE_S
    assert page.complaints == []
