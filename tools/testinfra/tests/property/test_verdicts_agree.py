"""Headline, summary, titles, terminal and exit status say the same of every session."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.strategies import BOUNDS, a_measurement, a_run

from atom_testinfra.cli import main
from atom_testinfra.core.records.measurement import Pin, Run
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.core.targets.conclusion import Judgement
from atom_testinfra.core.vocabulary import Outcome
from atom_testinfra.reports.data import build_report
from atom_testinfra.reports.html import render_html
from atom_testinfra.reports.markdown import render_markdown
from atom_testinfra.reports.text import render_text
from atom_testinfra.storage.baseline import load_baseline
from atom_testinfra.storage.runs import save_run

SIGNS = {0: "✓", 1: "✗", 3: "\N{EN DASH}"}


@st.composite
def sessions(draw: st.DrawFn) -> list[Run]:
    """Draw a session whose tests pass, fail, are skipped, pinned or slow, under usual and other profiles."""
    profiles = draw(st.lists(st.sampled_from(["local", "ci", "dev"]), min_size=1, max_size=3, unique=True))
    kinds = draw(
        st.lists(st.sampled_from(["quick", "slow", "failed", "skipped", "pinned"]), min_size=1, max_size=4)
    )
    return [_run(profile, kinds) for profile in profiles]


def _run(profile: str, kinds: list[str]) -> Run:
    run = a_run(
        [_measurement(f"tests/test_a.py::test_{n}", kind, profile) for n, kind in enumerate(kinds)],
        profile=profile if profile in BOUNDS else "local",
        run_id=f"s-{profile}",
    )
    return replace(run, header=replace(run.header, profile=profile))


def _measurement(nodeid: str, kind: str, profile: str) -> Any:
    outcome = {"failed": Outcome.FAILED, "skipped": Outcome.SKIPPED}.get(kind, Outcome.PASSED)
    return a_measurement(
        nodeid,
        bound=30 if kind == "pinned" else BOUNDS.get(profile, 100),
        pin=Pin(max_examples=30) if kind == "pinned" else None,
        body_us=900_000.0 if kind == "slow" else 100.0,
        outcome=outcome,
    )


def verify(root: Path, runs: list[Run], share: float) -> tuple[int, dict[str, Any], str]:
    """Return status, JSON document and terminal output of `testinfra verify` on these runs."""
    targets = f"[tool.testinfra.targets]\nshare = {share}\n"
    (root / "pyproject.toml").write_text(
        f'[tool.testinfra]\n{targets}[tool.testinfra.tiers]\n"*_0" = "fast"\n'
    )
    for run in runs:
        save_run(run, root / ".testinfra" / "runs" / f"{run.header.run_id}.jsonl")
    outputs = []
    with contextlib.chdir(root):
        for arguments in (["--json"], []):
            out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                status = main(["verify", "--no-suite", *arguments])
            out.flush()
            outputs.append(out.buffer.getvalue().decode())
    document = json.loads(outputs[0]) if outputs[0] else {}
    return status, document, outputs[1]


@settings(max_examples=60)
@given(sessions(), st.sampled_from([0.0, 0.5, 0.8, 1.0]))
@example([_run("dev", ["quick"])], 0.8)
@example([_run("local", ["quick"]), _run("ci", ["quick"])], 0.8)
@example([_run("local", ["pinned"]), _run("ci", ["pinned"])], 0.8)
@example([_run("local", ["quick", "failed"])], 0.8)
@example([_run("local", ["slow"])], 0.8)
def test_all_outputs_say_what_the_exit_status_says(runs: list[Run], share: float) -> None:
    """One sign and one headline from `verify` to the page; "targets met" only where the status is 0."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(os.path.realpath(name))
        status, document, printed = verify(root, runs, share)
        if not document:  # every property failed or was skipped: one line on stderr says so
            assert status == ExitStatus.NOTHING
            return
        headline = document["headline"]
        sign = SIGNS[status]
        assert document["exit_status"] == status
        assert document["is_verified"] is (status == 0)
        assert (Judgement(document["judgement"]) is Judgement.MET) is (status == 0)
        assert bool(re.match(r"\d of 7 targets met", headline)) is (status == 0)
        assert "targets met" not in headline or status == 0
        assert bool(document["problems"]) is (status == 1)
        assert (document["hint"] is None) is (document["judgement"] in {"met", "missed"})
        assert printed.splitlines()[-1] == f"{sign} {headline}."
        assert_every_target_is_counted(document, headline)
        if not (root / "performance_baseline.json").exists():
            assert not any(target["n_measured"] for target in document["targets"] if target["tier"])
            return
        report = build_report(load_baseline(root / "performance_baseline.json"), "b.json")
        assert report.targets.headline == headline
        assert render_markdown(report).startswith(f"### Property tests: {sign} {headline}\n")
        assert render_markdown(report, limit=10).startswith(f"### Property tests: {sign} {headline}\n")
        assert render_text(report, width=200).splitlines()[1] == f"{sign} {headline}"
        page = render_html(report)
        assert f"<title>{headline} · property tests</title>" in page
        assert f'aria-hidden="true">{sign}</span> {headline}</h1>' in page


def assert_every_target_is_counted(document: dict[str, Any], headline: str) -> None:
    """A headline that counts targets counts all seven, those without a measurement too."""
    verdicts = [target["verdict"] for target in document["targets"]]
    assert len(verdicts) == 7
    n_unknown = verdicts.count(None)
    if document["judgement"] in {"met", "missed"}:
        assert (f", {n_unknown} not measured" in headline) is (n_unknown > 0)
