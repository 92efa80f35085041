"""The planning documents against the repository: artifacts, links, node ids."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.invariants import CheckedBy, render

ROOT = Path(__file__).parents[3]
BACKEND = ROOT / "backend"
PHASE = ROOT / ".planning" / "phases" / "06-production-hardening"
PLAN = PHASE / "06-production-hardening-GAPCLOSURE-02-PLAN.md"
DOCUMENTS = [*ROOT.glob(".planning/**/*.md"), BACKEND / "tests" / "TESTING_GUIDE.md"]
NODEID = re.compile(r"\btests/[\w/]+\.py::[\w:]+")
MANAGED = re.compile(r"<!-- testinfra:begin .*?<!-- testinfra:end -->", re.DOTALL)
"""Written from the baseline: `testinfra docs --check` holds them to it. A renamed test changes it first."""


def front_matter(path: Path) -> dict[str, Any]:
    """The YAML between the first two lines of dashes."""
    _, text, _ = path.read_text(encoding="utf-8").split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


MUST_HAVES = front_matter(PLAN)["must_haves"]


@pytest.mark.parametrize("artifact", MUST_HAVES["artifacts"], ids=lambda artifact: artifact["path"])
def test_artifact_provides_what_the_plan_says(artifact: dict[str, Any]) -> None:
    """Every artifact of the plan exists and contains what it is said to provide."""
    text = (ROOT / artifact["path"]).read_text(encoding="utf-8")

    assert [wanted for wanted in artifact["contains"] if wanted not in text] == []


@pytest.mark.parametrize("link", MUST_HAVES["key_links"], ids=lambda link: f"{link['from']} to {link['to']}")
def test_every_key_link_of_the_plan_leads_to_a_file_that_exists(link: dict[str, str]) -> None:
    """Every key link of the plan leads from a file that names its pattern to a file that exists."""
    assert re.search(link["pattern"], (ROOT / link["from"]).read_text(encoding="utf-8"))
    assert (ROOT / link["to"]).is_file()


def test_front_matter_is_complete() -> None:
    """The plan says where it stands: phase, plan, wave, what it depends on, what must be true."""
    front = front_matter(PLAN)

    assert front["phase"] == "06-production-hardening"
    assert front["plan"] == "GAPCLOSURE-02"
    assert front["wave"] == 2
    assert front["depends_on"] == ["GAPCLOSURE-01"]
    assert set(front["must_haves"]) == {"truths", "artifacts", "key_links"}


def test_every_nodeid_in_a_document_is_a_test() -> None:
    """A test that a person names in a document exists under that name."""
    written = [MANAGED.sub("", path.read_text(encoding="utf-8")) for path in DOCUMENTS]
    nodeids = {found for text in written for found in NODEID.findall(text)}

    assert len(nodeids) >= 4
    assert [nodeid for nodeid in sorted(nodeids) if not is_test(nodeid)] == []


def is_test(nodeid: str) -> bool:
    """Whether a module of tests holds a function or method of a name that pytest collects."""
    path, *names = nodeid.split("::")
    if not (BACKEND / path).is_file():
        return False
    found: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for name in names:
        found = getattr(found, name, None)
    return callable(found) and names[-1].startswith(("test_", "Test", "runTest"))


@pytest.mark.parametrize(
    "nodeid",
    [
        "tests/unit/test_absent.py::test_anything",
        "tests/unit/test_documents.py::test_absent",
        "tests/unit/test_documents.py::is_test",
        "tests/unit/test_documents.py::NODEID",
    ],
)
def test_what_pytest_does_not_collect_is_no_test(nodeid: str) -> None:
    """A document that names a file, a test or a helper that is none would be found out."""
    assert not is_test(nodeid)


def test_links_between_documents_lead_somewhere() -> None:
    """A relative link names a file that exists."""
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]

    assert broken == []


def test_a_parametrised_property_is_one_row() -> None:
    """The page on invariants counts the cases of a property; one with another tier has its own row."""
    nodeids = [f"tests/property_tests/api/test_a.py::test_a[{case}]" for case in ("x", "y::[z]", "w")]
    found = {1: [CheckedBy(nodeid=nodeid, statement="It holds.") for nodeid in nodeids]}

    rows = [line for line in render(found, {nodeids[2]: "fast"}).splitlines() if line.startswith("| 1 ")]

    assert rows == [
        "| 1 | `api/test_a.py::test_a` | It holds. | fast |",
        "| 1 | `api/test_a.py::test_a` (2 cases) | It holds. | not measured |",
    ]
