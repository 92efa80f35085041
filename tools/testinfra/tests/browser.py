"""A page in a real browser: Debian's Chromium, driven by Selenium, without a network."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from tests.samples import make_baseline, make_detection, make_history

from atom_testinfra.core.origin import Origin
from atom_testinfra.reports.data import build_report
from atom_testinfra.reports.html import render_html

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
WITH_CURVE = 20
"""The first properties of a page have a curve, and that of the next one is stale."""
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
        self.read_console()
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

    def print(self) -> bytes:
        """Return the page as it is printed on A4."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": True}
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", paper)["data"])

    @property
    def complaints(self) -> list[object]:
        """What the browser's console says: errors, refused loads, violations of the page's policy."""
        return self.read_console()

    def read_console(self) -> list[object]:
        """Return what the browser has logged since it was last asked."""
        return list(self.driver.get_log("browser"))  # type: ignore[no-untyped-call]  # Selenium has no types there


@contextmanager
def open_browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Start a browser that no network can be reached from; where there is none, the tests are skipped."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        message = "needs Chromium and ChromeDriver: apt-get install chromium chromium-driver"
        if os.environ.get("TESTINFRA_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    options = Options()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
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


def write_page(folder: Path, n: int, *, is_hostile: bool = False) -> Path:
    """Write the page of `n` tests, some with a past; hostile ones have ten more, whose names are markup."""
    baseline = make_baseline(n, hostile=is_hostile)
    costs = [100.0, 101.0, 99.0, 100.0, 180.0, 182.0]
    nodeids = list(baseline.properties)
    histories = [
        *(make_history(nodeid, costs, step=4, spread=0.05) for nodeid in nodeids[:3]),
        *(make_history(nodeid, costs[::-1], step=2) for nodeid in nodeids[3:5]),
        *(make_history(nodeid, [100.0, 130.0]) for nodeid in nodeids[5:6]),
    ]
    detection = make_detection(
        nodeids[:WITH_CURVE], stale=nodeids[WITH_CURVE : WITH_CURVE + 1], budgeted={}, n_properties=n
    )
    report = build_report(baseline, "perf.json", histories, ORIGIN, detection=detection)
    path = folder / f"page-{n}.html"
    path.write_text(render_html(report), encoding="utf-8")
    return path
