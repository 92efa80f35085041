"""The report's section on mutants: survivors, and what each property notices."""

from __future__ import annotations

import msgspec

from atom_testinfra.core.mutants import Finding, MutantVerdict, Reach
from atom_testinfra.reports.sections.worth import build_worth

SURVIVOR = Finding(
    id="a",
    path="src/shop.py",
    line=3,
    function="rate",
    operator="constant",
    difference="--- a/src/shop.py\n+++ b/src/shop.py\n@@ -3 +3 @@\n-    return 3\n+    return 4",
    verdict=MutantVerdict.SURVIVED,
    n_reaching=2,
    n_executed=9,
    closest=["tests/t.py::test_rate"],
)


def noticed(id_: str, by: str, verdict: MutantVerdict, n_reaching: int) -> Finding:
    return msgspec.structs.replace(
        SURVIVOR, id=id_, line=9, verdict=verdict, noticed_by=by, n_reaching=n_reaching, closest=[]
    )


def reach(name: str, *blocks: str, is_property: bool = True) -> Reach:
    return Reach(
        nodeid=f"tests/t.py::{name}", cpu_s=0.1, is_property=is_property, blocks=dict.fromkeys(blocks, 1)
    )


def test_a_property_is_worth_what_it_executes_and_notices() -> None:
    """A crash is counted apart from a check, and code that nobody else executes, too."""
    findings = [
        SURVIVOR,
        noticed("b", "tests/t.py::test_total", MutantVerdict.ASSERTION, 1),
        noticed("c", "tests/t.py::test_crash", MutantVerdict.EXCEPTION, 2),
    ]
    blocks = {"a": "src/shop.py:rate#0", "b": "src/shop.py:total#0", "c": "src/shop.py:total#0"}
    reaches = [
        reach("test_rate", "src/shop.py:rate#0"),
        reach("test_total", "src/shop.py:rate#0", "src/shop.py:total#0"),
        reach("test_crash", "src/shop.py:total#0"),
        reach("test_plain", "src/shop.py:rate#0", is_property=False),
    ]
    section = build_worth(findings, blocks, reaches)
    assert section is not None
    assert [
        (one.nodeid.rpartition("::")[2], one.n_executed, one.n_noticed, one.n_by_assertion, one.n_alone)
        for one in section.properties
    ] == [("test_total", 3, 1, 1, 1), ("test_crash", 2, 1, 0, 0), ("test_rate", 1, 0, 0, 0)]
    assert section.summary == "2 of 3 mutants that tests execute were noticed (67 %)."
    assert section.tables()[0].rows == [["src/shop.py:3", "return 3 → return 4", 9, "tests/t.py::test_rate"]]
    assert any("1 property noticed by crashes only" in note for note in section.notes)
    assert any("noticed nothing first" in note for note in section.notes)


def test_without_mutants_there_is_no_section() -> None:
    """A report on a project that never asked has nothing to say about it."""
    assert build_worth([], {}, []) is None
