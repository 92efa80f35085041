"""The report as a page, as far as it can be said without a browser."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import make_baseline, make_detection, make_history

from atom_testinfra.reports.data import build_report
from atom_testinfra.reports.html import (
    breakable,
    content_policy,
    embed_json,
    prose,
    render_html,
    split_nodeid,
)
from atom_testinfra.reports.numbers import moment
from atom_testinfra.reports.tables import visible


class Outline(HTMLParser):
    """What a browser makes of the page: elements, attributes, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(build_report(make_baseline(40, hostile=True), "b.json"))


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    """A browser that opens the page asks no network for anything."""
    outline = Outline(page)
    links = [
        value
        for _, attributes in outline.elements
        for name, value in attributes.items()
        if name in {"src", "href", "action", "data", "poster", "srcset"} and value is not None
    ]

    assert links
    assert [link for link in links if not link.startswith(("#", "data:,"))] == []
    assert "@import" not in page.partition("<script")[0]
    assert "url(" not in page.partition("<script")[0]


def test_the_policy_allows_the_one_script_and_nothing_else(page: str) -> None:
    """Markup that slipped into the page could not run a script, and could not phone home."""
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in Outline(page).elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]

    assert "default-src 'none'" in policy
    assert policy.count("sha256-") == 1
    assert "unsafe-eval" not in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert content_policy(scripts) == policy


def test_no_element_comes_from_a_node_id(page: str) -> None:
    """A test's name is text, wherever it stands."""
    outline = Outline(page)

    assert "img" not in {tag for tag, _ in outline.elements}
    assert sum(tag == "script" for tag, _ in outline.elements) == 2
    assert not any(name.startswith("on") for _, attributes in outline.elements for name in attributes)


def test_every_row_is_in_the_page(page: str) -> None:
    """The table of all tests has all tests, whatever the tables above show."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    rows = json.loads(data)["rows"]
    nodeids = {rows["files"][file] + name for file, name in zip(rows["file"], rows["name"], strict=True)}

    assert len(rows["name"]) == 50
    assert "tests/test_x.py::test_markup[<script>alert(1)</script>]" in nodeids
    assert r"tests/test_x.py::test_lines[one\x0atwo\x0d\x0athree]" in nodeids
    assert all(len(column) == 50 for cost in rows["costs"].values() for column in cost.values())


def test_the_same_report_gives_the_same_bytes() -> None:
    """Two builds of one commit have one page."""
    first, second = (render_html(build_report(make_baseline(30), "b.json")) for _ in range(2))

    assert first == second


def test_a_thousand_tests_with_a_past_and_curves_fit_into_a_megabyte_and_a_half() -> None:
    """The page can be mailed, kept as an artifact and opened on a phone."""
    baseline = make_baseline(1000)
    costs = [100.0 + index / 7 for index in range(20)]
    histories = [make_history(nodeid, costs, spread=0.1) for nodeid in baseline.properties]
    detection = make_detection(list(baseline.properties))
    page = render_html(build_report(baseline, "b.json", histories, detection=detection))

    assert len(page.encode()) < 1_500_000


@pytest.mark.parametrize("n", [0, 1])
def test_a_page_of_nothing_or_one_test_is_a_page(n: int) -> None:
    """An empty baseline says that it is empty."""
    page = render_html(build_report(make_baseline(n, suite=None), "b.json"))

    assert "Where does the time go?" in page
    assert ("No property was measured." in page) == (n == 0)


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_data_reads_back_and_cannot_end_its_element(value: object) -> None:
    """Data in a page is data: no `</script>`, no comment, nothing a parser would act on."""
    text = embed_json(value)

    assert json.loads(text) == value
    assert not set("<>&") & set(text)


@pytest.mark.parametrize(
    ("nodeid", "parts"),
    [
        ("tests/test_a.py::test_a[x::y]", ("test_a[x::y]", "tests/test_a.py")),
        ("tests/test_a.py::TestMachine::runTest", ("TestMachine::runTest", "tests/test_a.py")),
        ("without a file", ("without a file", "")),
    ],
)
def test_a_name_comes_before_its_file_and_keeps_its_parameters(nodeid: str, parts: tuple[str, str]) -> None:
    """What tells a test from its neighbours stands first and is never cut."""
    assert split_nodeid(nodeid) == parts


class TestProse:
    """Sentences as markup."""

    def test_a_command_is_code_and_everything_else_text(self) -> None:
        """Backticks mark code; markup in the sentence, inside of it too, stays text."""
        assert prose("see `a <b>` & <i>") == "see <code>a &lt;b&gt;</code> &amp; &lt;i&gt;"

    def test_a_figure_keeps_its_unit(self) -> None:
        """No line ends between a number and its unit; a word that begins like a unit is none."""
        assert prose("46 % in 12 ms, 3 s of 5 samples") == "46\xa0% in 12\xa0ms, 3\xa0s of 5 samples"


@given(st.text())
def test_a_node_id_that_may_break_reads_the_same(nodeid: str) -> None:
    """Where a line may break there is an element without text, and no other."""
    outline = Outline(f"<p>{breakable(nodeid)}</p>")

    assert "".join(outline.texts).replace("\r", "\n") == visible(nodeid)
    assert {tag for tag, _ in outline.elements} <= {"p", "wbr"}


def test_a_time_is_written_to_the_minute() -> None:
    """In the words of a person; anything else stays as it is."""
    assert moment("2026-11-22T19:40:13.395Z") == "2026-11-22 19:40 UTC"
    assert moment("yesterday") == "yesterday"
