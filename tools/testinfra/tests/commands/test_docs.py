"""`testinfra docs`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.samples import HOSTILE, make_baseline

from atom_testinfra.cli import main
from atom_testinfra.reports.blocks import BLOCKS
from atom_testinfra.storage.baseline import save_baseline

END = "<!-- testinfra:end -->"


def block(text: str) -> str:
    return f"<!-- testinfra:begin {text} -->\nold\n{END}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a baseline, and README.md as its one document."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.testinfra]\nbaseline = "perf.json"\ndocs = ["README.md"]\n', encoding="utf-8"
    )
    (tmp_path / "README.md").write_text("# Nothing\n", encoding="utf-8")
    save_baseline(tmp_path / "perf.json", make_baseline(40, hostile=True))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_readme(project: Path, text: str) -> Path:
    path = project / "README.md"
    path.write_bytes(text.encode())
    return path


EVERY_BLOCK = {
    "table": ["table of=verdicts", "table of=slowest rows=3", "table of=excluded", "table of=facts"],
    "summary": ["summary of=targets"],
    "value": ["value of=suite.wall_s"],
    "number-below": ["number-below limit=1 profile=local", "number-below limit=0.5 profile=ci"],
    "properties": ["properties"],
    "limits": ["limits"],
    "test-types": ["test-types"],
    "replaced-targets": ["replaced-targets original=1"],
    "include": ["include path=result.md"],
    "profiles": ["profiles"],
    "verbs": ["verbs"],
    "cli": ["cli", "cli verb=docs"],
    "settings": ["settings"],
    "advice": ["advice"],
    "exit-codes": ["exit-codes"],
    "pytest-options": ["pytest-options"],
    "make": ["make"],
    "flags": ["flags"],
    "variables": ["variables"],
    "left-out": ["left-out"],
    "schemas": ["schemas"],
    "marked": ["marked by=rule"],
    "blocks": ["blocks"],
}


def test_every_block_writes_something(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind of block has content, and the documents are current once written."""
    (project / "Makefile").write_text("a: b ## what a does\n", encoding="utf-8")
    (project / "test_a.py").write_text(
        'import pytest\n@pytest.mark.rule(7)\ndef test_a():\n    """Says."""\n', encoding="utf-8"
    )
    (project / "result.md").write_text("# result\n\nIt took 3 s.\n", encoding="utf-8")
    path = write_readme(project, "\n".join(block(text) for texts in EVERY_BLOCK.values() for text in texts))

    assert sorted(EVERY_BLOCK) == sorted(BLOCKS)
    assert main(["docs"]) == 0
    text = path.read_text(encoding="utf-8")
    assert "old" not in re.split(r"\W+", text)
    assert "| `make a` | what a does |" in text
    assert "<!-- testinfra:begin include path=result.md -->\n\nIt took 3 s.\n\n" in text
    assert "| Fast | < 10 s | 50.0 ms | < 3 s | 60.0 ms |" in text
    assert "| Property, slow tier | 200 (50 in CI) | < 100 s (< 25 s in CI) |" in text
    assert "| Slow tier, ci, 50 examples | < 1 s | < 25 s |" in text
    assert "| 7 | `test_a.py::test_a` | Says. |" in text
    assert "hypothesis\\_max\\_examples" in text or "`hypothesis_max_examples`" in text
    assert "| `--testinfra-pins {respect,scale,cap,override}` |" in text
    assert "SUPPRESS" not in text
    assert "| `--gate` | `compare` | Exit with 1 when something is slower. |" in text
    assert "| `NO_COLOR` | No colours in the report, whatever its value. |" in text
    assert "| `GITHUB_ACTIONS` | it says that the machine is CI |" in text
    assert "| `atom_testinfra/storage/schemas/run.schema.json` | " in text
    assert "Usage: testinfra docs" in text
    assert "-h, --help" in text.partition("Usage: testinfra docs")[2]
    assert main(["docs", "--check"]) == 0
    assert "blocks in 1 document are current" in capsys.readouterr().err


def test_check_prints_a_diff_and_the_command_that_fixes_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stale figure fails the build and shows itself; the document is left alone."""
    path = write_readme(project, f"It took <!-- testinfra:begin value of=suite.wall_s -->1 s{END}.\n")
    before = path.read_bytes()

    assert main(["docs", "--check"]) == 1
    out, err = capsys.readouterr()
    assert f"-It took <!-- testinfra:begin value of=suite.wall_s -->1 s{END}." in out
    assert f"+It took <!-- testinfra:begin value of=suite.wall_s -->63.4 s{END}." in out
    assert out.startswith("--- README.md\n+++ README.md\n")
    assert "run `testinfra docs`" in err
    assert path.read_bytes() == before


@pytest.mark.parametrize("arguments", [["docs"], ["docs", "--check"], ["docs", "README.md"]])
def test_a_check_of_nothing_is_not_a_success(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """A project whose blocks were lost, or whose settings name the wrong files, is told so."""
    write_readme(project, "No block here.\n")

    assert main(arguments) == 3
    assert "there is no managed block in README.md, so nothing was" in capsys.readouterr().err


def test_figures_of_a_failed_verification_are_named_as_such(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The documents are written all the same, and one sentence says what the figures are worth."""
    write_readme(project, block("value of=suite.wall_s"))

    assert main(["docs"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    what = "which is not verified: 1 property failed; 2 of 7 targets missed"
    assert notes == [f"note: the figures are from 'perf.json', {what}"]


def test_a_test_that_failed_has_no_figure_and_the_message_says_why(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence names the document, the test, the reason and what to do."""
    write_readme(project, block("value of=duration_s test=tests/test_a.py::test_fails profile=local"))

    assert main(["docs"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: README.md:1: block 'value': 'tests/test_a.py::test_fails' has no figures under 'local', "
        "because of its last run: it failed: AssertionError; when it passes, measure and verify again"
    )


def test_a_figure_that_changes_in_the_baseline_makes_the_document_stale(project: Path) -> None:
    """Documents cannot drift from what was measured."""
    write_readme(project, block("value of=suite.wall_s") + block("table of=slowest"))
    assert main(["docs"]) == 0
    assert main(["docs", "--check"]) == 0

    save_baseline(project / "perf.json", make_baseline(41))

    assert main(["docs", "--check"]) == 1


def test_a_figure_changed_by_hand_gets_into_no_document(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document has no place for a warning, so that there is an error."""
    path = write_readme(project, block("table of=slowest"))
    before = path.read_bytes()
    baseline = json.loads((project / "perf.json").read_text(encoding="utf-8"))
    nodeid, subject = next(iter(baseline["properties"].items()))
    subject["profiles"]["local"]["runs"]["duration_s"][0] *= 100
    (project / "perf.json").write_text(json.dumps(baseline), encoding="utf-8")

    assert main(["docs"]) == 2
    error = capsys.readouterr().err
    assert f"'perf.json' was changed after it was written: the digest of {nodeid!r} does not hold" in error
    assert "hint: see which figures: testinfra verify --check perf.json" in error
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("block_text", "path", "value"),
    [
        ("value of=suite.wall_s", ("suite", "wall_s"), 4.0),
        ("table of=verdicts", ("targets", "suite_s"), 9000.0),
        ("value of=verification_timestamp", ("verification_timestamp",), "2030-01-01T00:00:00Z"),
    ],
)
def test_no_other_field_changed_by_hand_gets_into_a_document(
    project: Path, capsys: pytest.CaptureFixture[str], block_text: str, path: tuple[str, ...], value: object
) -> None:
    """Not the suite's time, not the limits that it is checked against, not the date."""
    readme = write_readme(project, block(block_text))
    before = readme.read_bytes()
    baseline = json.loads((project / "perf.json").read_text(encoding="utf-8"))
    place = baseline
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] != value
    place[path[-1]] = value
    (project / "perf.json").write_text(json.dumps(baseline), encoding="utf-8")

    assert main(["docs"]) == 2
    told = f"'perf.json' was changed after it was written: the digest of {path[0]!r} does not hold"
    assert told in capsys.readouterr().err
    assert readme.read_bytes() == before


def test_a_verdict_changed_by_hand_gets_into_no_document(project: Path) -> None:
    """Verdicts are made of the figures again."""
    path = write_readme(project, block("value of=targets_verified.slow_tier_under_100s"))
    baseline = json.loads((project / "perf.json").read_text(encoding="utf-8"))
    assert baseline["targets_verified"]["slow_tier_under_100s"] is None
    baseline["targets_verified"]["slow_tier_under_100s"] = True
    (project / "perf.json").write_text(json.dumps(baseline), encoding="utf-8")

    assert main(["docs"]) == 0
    assert "not measured" in path.read_text(encoding="utf-8")


def test_line_endings_are_kept_and_their_drift_is_shown(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document with carriage returns stays one."""
    path = write_readme(project, block("limits").replace("\n", "\r\n"))
    assert main(["docs"]) == 0
    written = path.read_bytes()
    assert written.count(b"\r\n") == written.count(b"\n") > 5

    path.write_bytes(written.replace(b"| ---: |\r\n", b"| ---: |\n"))
    capsys.readouterr()
    assert main(["docs", "--check"]) == 1
    assert "-| --- | ---: | ---: |" in capsys.readouterr().out


def test_figures_of_one_test_are_found_by_its_node_id(project: Path) -> None:
    """A sentence can name a test and its cost."""
    nodeid = next(iter(make_baseline(40).properties))
    path = write_readme(
        project, f'<!-- testinfra:begin value of=duration_s test="{nodeid}" profile=local -->?{END}\n'
    )

    assert main(["docs"]) == 0
    assert re.search(r"-->[\d.]+ (ms|s)<!--", path.read_text(encoding="utf-8"))


def test_hostile_node_ids_do_not_break_a_document(project: Path) -> None:
    """A table of hostile tests is one table, and the document is still readable afterwards."""
    path = write_readme(project, block(f"table of=slowest rows={len(HOSTILE) + 40}"))

    assert main(["docs"]) == 0
    assert main(["docs", "--check"]) == 0
    rows = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "README.md:3: no block is called 'nonsense'"),
        ("table", "README.md:3: block 'table' needs of=..."),
        ("table of=nothing", "no table 'nothing'; there are: verdicts"),
        ("table of=verdicts rows=0", "rows=0 is not a whole number above 0"),
        ("limits of=x", "block 'limits' takes no argument, not 'of'"),
        ("summary of=x", "no section 'x'; there are: targets"),
        ("value of=suite", "'suite' is not one value"),
        ("value of=suite.nothing", "no 'nothing' there; there is: wall_s"),
        ("value of=duration_s test=gone", "no test 'gone' in the baseline"),
        ("cli verb=x", "no verb 'x'; there are: measure"),
        ("marked by=rule", "no test carries the marker 'rule'"),
        ("make", "cannot read"),
        ("include path=gone.md", "cannot read"),
        ("include path=../secret", "'../secret' leaves the project"),
        ("replaced-targets original=x", "original=x is not a number of seconds"),
        ("number-below limit=0 profile=local", "limit=0 is not a number of seconds"),
        ("number-below limit=1 profile=none", "no profile 'none' in the baseline; there are: "),
    ],
)
def test_a_block_that_names_nothing_is_an_error_with_its_place(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """Every document or none is written; the message says where to look."""
    path = write_readme(project, f"# A\n\n{block(text)}")
    before = path.read_bytes()

    assert main(["docs"]) == 2
    assert message in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_broken_marker_is_an_error_with_file_and_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A marker that lost its partner never passes a check."""
    write_readme(project, "a\n<!-- testinfra:begin limits -->\n")

    assert main(["docs", "--check"]) == 2
    assert "README.md:2: block 'limits' is never closed" in capsys.readouterr().err


def test_without_a_baseline_the_message_says_how_to_make_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only blocks that need a baseline ask for one."""
    (project / "perf.json").unlink()
    write_readme(project, block("limits"))
    assert main(["docs"]) == 0

    write_readme(project, block("table of=verdicts"))
    capsys.readouterr()
    assert main(["docs"]) == 3
    assert "testinfra measure" in capsys.readouterr().err


def test_json_says_which_blocks_are_stale(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script reads the same answer."""
    write_readme(project, block("limits"))

    assert main(["docs", "--check", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["is_current"] is False
    assert answer["documents"] == [
        {"path": "README.md", "n_blocks": 1, "stale": [{"name": "limits", "line": 1}]}
    ]


def test_files_on_the_command_line_are_written_instead(project: Path) -> None:
    """One document can be brought up to date alone."""
    write_readme(project, block("limits"))
    other = project / "other.md"
    other.write_text(block("limits"), encoding="utf-8")

    assert main(["docs", "other.md"]) == 0
    assert main(["docs", "--check", "other.md"]) == 0
    assert main(["docs", "--check"]) == 1


def test_a_document_that_the_settings_name_and_nobody_has_is_an_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A renamed document does not leave the check without noticing."""
    (project / "README.md").unlink()

    assert main(["docs", "--check"]) == 2
    assert "no file matches 'README.md'" in capsys.readouterr().err
