"""The page in a real browser: Debian's Chromium, driven by Selenium, without a network."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from samples import HOSTILE, make_baseline, make_history
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from atom_testinfra.core.origin import Origin
from atom_testinfra.reports.data import build_report
from atom_testinfra.reports.html import render_html

pytestmark = [pytest.mark.browser, pytest.mark.integration]

SCREENSHOTS = Path(__file__).parents[2] / ".testinfra" / "screenshots"
PATIENCE_S = 60
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
)
MARKUP = HOSTILE[0]
ORIGIN = Origin(
    project="example/shop",
    head="fedcba9876543210fedcba9876543210fedcba98",
    n_commits_since=24,
    rootdir="backend",
    files="https://github.com/example/shop/blob/0123456789abcdef0123456789abcdef01234567/backend",
)


class Page:
    """A page in the browser, and what a person does with it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file and wait until its script has run; what earlier pages logged is forgotten."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(f"{path.as_uri()}{fragment}")
        self.until(lambda: self.run("return document.documentElement.dataset.ready === 'true'"))

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def until(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.driver, PATIENCE_S).until(lambda _: condition())

    def command(self, name: str, **values: object) -> None:
        """Send a command to the browser itself, beside the page."""
        self.driver.execute_cdp_cmd(name, values)

    def emulate(self, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Show the page on a screen of a size, to a person with a preference."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        self.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, element: WebElement) -> None:
        """Click an element in the middle of the screen, where no other covers it."""
        self.run("arguments[0].scrollIntoView({ block: 'center' })", element)
        element.click()

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)"
        return list(self.run(script, selector))

    @property
    def names(self) -> list[str]:
        """The tests whose rows exist, in their order."""
        return self.texts("#tests-rows .name")

    def sort_by(self, title: str) -> None:
        buttons = self.driver.find_elements(By.CSS_SELECTOR, "#tests-columns button")
        self.click(next(button for button in buttons if button.text.startswith(title)))

    def search(self, text: str) -> None:
        field = self.find("#search")
        field.clear()
        field.send_keys(text)

    def shown(self, text: str) -> None:
        """Wait until the line that counts the rows says so."""
        self.until(lambda: self.find("#shown").text == text)

    def photograph(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    @property
    def complaints(self) -> list[object]:
        """What the browser's console says: errors, refused loads, violations of the page's policy."""
        return list(self.driver.get_log("browser"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for the module, cut off from every network."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        message = "needs Chromium and ChromeDriver: apt-get install chromium chromium-driver"
        if os.environ.get("TESTINFRA_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    options = Options()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def page(driver: webdriver.Chrome) -> Page:
    """The browser as a person finds it: a wide light screen, nothing remembered."""
    page = Page(driver)
    page.emulate()
    return page


def write_page(folder: Path, n: int, *, hostile: bool) -> Path:
    baseline = make_baseline(n, hostile=hostile)
    costs = [100.0, 101.0, 99.0, 100.0, 180.0, 182.0]
    nodeids = list(baseline.properties)
    histories = [
        *(make_history(nodeid, costs, step=4, spread=0.05) for nodeid in nodeids[:3]),
        *(make_history(nodeid, costs[::-1], step=2) for nodeid in nodeids[3:5]),
        make_history(nodeids[5], [100.0, 130.0]),
    ]
    report = build_report(baseline, "perf.json", histories, ORIGIN)
    path = folder / f"page-{n}.html"
    path.write_text(render_html(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty tests, ten of them with names that would be markup."""
    return write_page(tmp_path_factory.mktemp("pages"), 50, hostile=True)


@pytest.fixture(scope="module")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50,000 tests."""
    return write_page(tmp_path_factory.mktemp("pages"), 50_000, hostile=False)


def test_it_loads_without_a_network_and_without_a_complaint(page: Page, hostile_page: Path) -> None:
    """The page asks for nothing, every plot is drawn, and the console stays empty."""
    page.open(hostile_page)
    plots = "document.querySelectorAll('.histogram, .split, main .lines')"
    sizes = f"return [...{plots}].map((node) => node.clientWidth)"

    assert page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert len(page.run(sizes)) > 20
    assert min(page.run(sizes)) > 0
    page.run("scrollTo(0, 0)")
    page.photograph("wide-light")
    assert page.complaints == []


def test_the_answers_come_in_the_order_of_the_questions(page: Page, hostile_page: Path) -> None:
    """Targets, time, work, history, provenance: from the top to the bottom."""
    page.open(hostile_page)

    assert page.texts("main h2") == [
        "Are we inside the targets?",
        "Where does the time go?",
        "Which tests to work on first?",
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
    page.run("document.getElementById('figure-slowest').scrollIntoView()")
    page.photograph("wide-dark")

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
    page.photograph("hostile-name")
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
    """Slash searches, arrows go through the rows, Enter opens one."""
    page.open(hostile_page)
    page.find("body").send_keys("/")
    assert page.driver.switch_to.active_element.get_attribute("id") == "search"
    assert page.find("#search").get_attribute("value") == ""

    page.find("#viewport").send_keys(Keys.ARROW_DOWN)
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    row = "return document.activeElement.closest('tr').getAttribute('aria-rowindex')"
    assert page.run(row) == "3"
    page.driver.switch_to.active_element.send_keys(Keys.END)
    assert page.run(row) == "61"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.until(lambda: page.find("#detail").is_displayed())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(page: Page, hostile_page: Path, scheme: str) -> None:
    """Nothing makes the page scroll sideways, and no table column is cut off."""
    page.emulate(width=360, height=740, scheme=scheme)
    page.open(hostile_page)

    assert page.run("return document.documentElement.scrollWidth") <= 360
    for table in page.driver.find_elements(By.CSS_SELECTOR, "main .cards"):
        assert page.run("return arguments[0].scrollWidth <= arguments[0].parentElement.clientWidth", table)
    page.run("document.getElementById('targets').scrollIntoView()")
    page.photograph(f"phone-{scheme}")
    page.run("document.getElementById('tests').scrollIntoView()")
    page.photograph(f"phone-{scheme}-tests")


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
    page.photograph("fifty-thousand")
    assert page.complaints == []
