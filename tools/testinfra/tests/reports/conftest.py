"""The browser and the pages that its tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from tests.browser import Page


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests, cut off from every network."""
    from tests.browser import open_browser  # Selenium is imported where a browser is needed, and nowhere else

    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(driver: Chrome) -> Page:
    """The browser as a person finds it: a wide light screen, nothing remembered."""
    from tests.browser import Page

    page = Page(driver)
    page.emulate()
    return page


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty tests, ten of them with names that would be markup."""
    from tests.browser import write_page

    return write_page(tmp_path_factory.mktemp("pages"), 50, is_hostile=True)
