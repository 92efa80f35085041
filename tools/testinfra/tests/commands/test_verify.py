"""`testinfra verify` on small projects: what it writes, prints, and returns."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.measuring.test_session import a_spec
from tests.samples import make_baseline
from tests.strategies import BOUNDS, a_measurement, a_run, a_session

from atom_testinfra.cli import main
from atom_testinfra.core.config import Profile
from atom_testinfra.core.records.measurement import Collected, Pin, Run
from atom_testinfra.core.vocabulary import Kind, Outcome
from atom_testinfra.storage.baseline import save_baseline
from atom_testinfra.storage.runs import save_run
from atom_testinfra.storage.session_specs import SPEC_SUFFIX, save_spec

BODIES = {"tests/test_a.py::test_a": 100.0, "tests/test_a.py::test_b": 900.0}
CUT_OFF = replace(a_run([a_measurement()], end=None), collected=Collected(nodeids=["tests/t.py::test_late"]))
PASSING_SUITE = "def test_one(): pass\n"


class Project:
    """A project on disk with runs that were recorded before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.baseline = root / "performance_baseline.json"
        self.settings("")
        (root / "tests").mkdir()
        (root / "tests" / "test_suite.py").write_text(PASSING_SUITE)

    def settings(self, text: str) -> None:
        (self.root / "pyproject.toml").write_text(
            '[tool.testinfra]\nsuite = ["tests", "-p", "no:cacheprovider"]\n' + dedent(text)
        )

    def record(self, runs: list[Run]) -> None:
        for run in runs:
            save_run(run, self.root / ".testinfra" / "runs" / f"{run.header.run_id}.jsonl")

    def read(self) -> Any:
        return json.loads(self.baseline.read_text())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: None) -> Project:
    for name, value in {"COLUMNS": "80", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


class TestVerify:
    """Measurements in, verdicts out."""

    def test_writes_every_verdict_and_times_the_suite(self, project: Project, capsys: Any) -> None:
        """The suite runs, the file has the plan's keys, and checks out against itself."""
        project.record(a_session(BODIES))
        assert main(["verify"]) == 0
        document = project.read()
        assert document["targets_verified"] == {
            "fast_tier_under_10s": True,
            "medium_tier_under_60s": None,
            "slow_tier_under_100s": None,
            "ci_fast_tier_under_3s": True,
            "ci_medium_tier_under_15s": None,
            "ci_slow_tier_under_25s": None,
            "full_suite_under_5min": True,
        }
        assert document["suite"]["outcomes"] == {"passed": 1}
        assert 0 < document["suite"]["wall_s"] < 300
        assert [entry["test"] for entry in document["slowest_tests"]] == [
            "tests/test_a.py::test_b",
            "tests/test_a.py::test_a",
        ]
        assert main(["verify", "--check"]) == 0
        assert "follow from the measurements of 2 properties" in capsys.readouterr().out

    def test_prints_the_verdicts_in_eighty_columns(self, project: Project, capsys: Any) -> None:
        """Data goes to stdout, plain where there is no terminal; the rest to stderr."""
        project.record(a_session(BODIES))
        assert main(["verify", "--no-suite"]) == 0
        out, err = capsys.readouterr()
        assert "Fast tier, local " in out
        assert "✓ 2 of 7 targets met, 5 not measured." in out
        assert max(map(len, out.splitlines())) <= 80
        assert "\x1b" not in out
        assert err.startswith("written: ")

    def test_prints_one_json_document(self, project: Project, capsys: Any) -> None:
        """With --json, stdout is one document with the evidence of each verdict."""
        project.record(a_session(BODIES))
        assert main(["verify", "--no-suite", "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["is_verified"] is True
        assert document["targets"][0]["verdict"] is True
        assert document["targets"][0]["n_measured"] == 2

    def test_a_suite_that_is_not_timed_keeps_its_last_time(self, project: Project, capsys: Any) -> None:
        """A time from another day is kept with its date, and not shown as if it were today's."""
        project.record(a_session(BODIES))
        main(["verify"])
        before = project.read()["suite"]
        capsys.readouterr()
        assert main(["verify", "--no-suite"]) == 0
        assert project.read()["suite"] == before
        assert main(["verify", "--no-suite", "--replace"]) == 0
        assert project.read()["suite"] is None
        assert project.read()["targets_verified"]["full_suite_under_5min"] is None

    def test_a_missed_target_fails_and_says_what_would_meet_it(self, project: Project, capsys: Any) -> None:
        """It names the test, the excess, and the number of examples that would do."""
        project.settings('[tool.testinfra.tiers]\n"*" = "fast"\n')
        project.record(a_session(BODIES | {"tests/test_a.py::test_slow": 70_000.0}))
        assert main(["verify", "--no-suite"]) == 1
        out = capsys.readouterr().out
        assert project.read()["targets_verified"]["fast_tier_under_10s"] == "partial"
        assert "tests/test_a.py::test_slow" in out
        assert "examples instead of 200 would meet it" in out
        assert "✗ 2 of 7 targets missed, 5 not measured." in out

    def test_the_share_asked_for_is_a_setting(self, project: Project) -> None:
        """Where less is asked for, a missed target is not a failure, but still a missed target."""
        project.settings('[tool.testinfra.targets]\nshare = 0.0\n[tool.testinfra.tiers]\n"*" = "fast"\n')
        project.record(a_session({"tests/test_a.py::test_slow": 70_000.0}))
        assert main(["verify", "--no-suite"]) == 0
        assert project.read()["targets_verified"]["fast_tier_under_10s"] is False

    def test_a_ci_profile_without_effect_fails_and_names_the_pins(
        self, project: Project, capsys: Any
    ) -> None:
        """Where CI runs as many examples, it is the pin that is to blame, and it is told where it stands."""
        project.record(
            [
                a_run(
                    [a_measurement(bound=50, pin=Pin(max_examples=50, path="a.py", line=7))],
                    profile=name,
                )
                for name in ("local", "ci")
            ]
        )
        assert main(["verify", "--no-suite"]) == 1
        assert "no effect on 1 of the properties" in capsys.readouterr().out
        assert "pinned to 50 at a.py:7" in project.read()["notes"]

    @pytest.mark.parametrize("settings", ['[tool.testinfra.targets]\nci_profile = "local"\n', ""])
    def test_the_same_number_in_ci_is_no_failure_where_it_was_asked_for(
        self, project: Project, settings: str
    ) -> None:
        """One profile for both, or two that ask for the same number and differ in something else."""
        project.settings(settings)
        runs = [a_run([a_measurement(bound=200)], profile=name) for name in ("local", "ci")]
        runs = [replace(run, header=replace(run.header, max_examples=200)) for run in runs]
        project.record(runs[:1] if settings else runs)
        assert main(["verify", "--no-suite"]) == 0
        assert main(["verify", "--check"]) == 0

    def test_what_fails_is_what_the_last_line_says(self, project: Project, capsys: Any) -> None:
        """Seven targets met and status 1: the headline says why, and the hint what to do."""
        project.record(
            [
                a_run([a_measurement(bound=50, pin=Pin(max_examples=50))], profile=name)
                for name in ("local", "ci")
            ]
        )
        assert main(["verify", "--no-suite"]) == 1
        out, err = capsys.readouterr()
        assert out.splitlines()[-1] == "✗ The CI profile has no effect on 1 property."
        assert 'hint: set pins = "scale" in [tool.testinfra] and measure again' in err

    def test_a_failing_property_is_reported_and_left_out(self, project: Project, capsys: Any) -> None:
        """The others are measured; the one that failed has no figures and fails the verification."""
        failing = a_measurement("tests/test_a.py::test_bad", outcome=Outcome.FAILED, reason="AssertionError")
        project.record([a_run([a_measurement("tests/test_a.py::test_a"), failing])])
        assert main(["verify", "--no-suite"]) == 1
        assert "tests/test_a.py::test_bad" in capsys.readouterr().out
        document = project.read()
        assert [*document["properties"]] == ["tests/test_a.py::test_a"]
        assert document["excluded"] == [
            {
                "nodeid": "tests/test_a.py::test_bad",
                "profile": "local",
                "outcome": "failed",
                "reason": "failed: AssertionError",
            }
        ]

    def test_a_failing_suite_has_no_time_and_fails(self, project: Project, capsys: Any) -> None:
        """How long it takes to fail is not a measurement."""
        (project.root / "tests" / "test_suite.py").write_text("def test_one(): assert False\n")
        project.record(a_session(BODIES))
        assert main(["verify"]) == 1
        assert project.read()["targets_verified"]["full_suite_under_5min"] is None
        assert "1 failed" in capsys.readouterr().out

    def test_a_suite_that_cannot_run_leaves_the_baseline(self, project: Project, capsys: Any) -> None:
        """pytest's own message is shown, and nothing is written."""
        (project.root / "tests" / "test_suite.py").write_text("import nowhere\n")
        project.record(a_session(BODIES))
        assert main(["verify"]) == 2
        assert "No module named 'nowhere'" in capsys.readouterr().err
        assert not project.baseline.exists()


class TestNothingToJudge:
    """A success about nothing is not a success: status 3, the next step, and the file as it was."""

    def test_a_session_of_another_profile_judges_nothing(self, project: Project, capsys: Any) -> None:
        """A renamed profile leaves every target without a figure, whatever the suite's time."""
        run = a_run([a_measurement()])
        project.record([replace(run, header=replace(run.header, profile="dev"))])
        assert main(["verify"]) == 3
        out, err = capsys.readouterr()
        assert "\N{EN DASH} Not measured: no property has figures under 'local' or 'ci'." in out
        assert "hint: measured was 'dev': measure 'local' (testinfra measure --baseline)" in err
        assert not project.baseline.exists()

    def test_a_session_that_judges_nothing_leaves_the_baseline(self, project: Project) -> None:
        """It is neither replaced nor verified again by a session that no target is about."""
        project.record(a_session(BODIES))
        assert main(["verify", "--no-suite"]) == 0
        before = project.baseline.read_bytes()
        run = a_run([a_measurement()], session_id="20261123T", run_id="new-0")
        project.record([replace(run, header=replace(run.header, profile="dev"))])
        assert main(["verify", "--no-suite"]) == 3
        assert project.baseline.read_bytes() == before

    def test_figures_of_a_renamed_profile_meet_no_target(self, project: Project, capsys: Any) -> None:
        """Old figures do not make its targets green for ever: the settings have to name its successor."""
        project.record(a_session(BODIES))
        assert main(["verify", "--no-suite"]) == 0
        before = project.baseline.read_bytes()
        project.settings(
            "[tool.testinfra.profiles]\ndev = { max_examples = 200 }\nci = { max_examples = 50 }\n"
        )
        run = a_run(
            [a_measurement(bound=50)],
            profile="ci",
            run_id="new-0",
            session_id="20261123T",
            started_at="2026-11-23T10:15:00Z",
        )
        project.record([run])
        capsys.readouterr()
        assert main(["verify", "--no-suite"]) == 3
        err = capsys.readouterr().err
        assert "for the profile 'local', which the settings do not have (they have dev, ci)" in err
        assert "local_profile = ... in [tool.testinfra.targets]" in err
        assert project.baseline.read_bytes() == before
        assert main(["verify", "--no-suite", "--replace"]) == 0
        assert "they are not judged" in capsys.readouterr().err

    def test_a_file_without_a_property_is_not_current(self, project: Project, capsys: Any) -> None:
        """`--check` finds no difference in an empty file, and says that there is nothing in it."""
        save_baseline(project.baseline, make_baseline(0))
        assert main(["verify", "--check"]) == 3
        assert "has no property" in capsys.readouterr().err


class TestUpdate:
    """A session updates what it measured; what it did not measure is kept, with its session."""

    NAMES = [f"tests/test_a.py::test_{letter}" for letter in "abcde"]
    NEW = "20261123T101500Z"
    AGE = "(2026-11-22 at 0123456789ab)"

    @pytest.fixture
    def measured(self, project: Project) -> Project:
        """A baseline of five properties; what is recorded from here on is another session."""
        (project.root / "tests" / "test_a.py").write_text("")
        project.record(a_session(dict.fromkeys(self.NAMES, 100.0)))
        assert main(["verify", "--no-suite"]) == 0
        return project

    def record(self, project: Project, runs: list[Run], **spec: Any) -> None:
        """Record a later session, and what it was asked for."""
        project.record(
            [
                replace(
                    run,
                    header=replace(
                        run.header,
                        session_id=self.NEW,
                        run_id=f"{self.NEW}-{run.header.profile}-r{run.header.repeat}",
                        started_at="2026-11-23T10:15:00Z",
                        provenance=replace(run.header.provenance, commit="f" * 40),
                    ),
                )
                for run in runs
            ]
        )
        profiles = {run.header.profile: Profile(max_examples=BOUNDS[run.header.profile]) for run in runs}
        asked = {"session_id": self.NEW, "profiles": profiles, "repeats": 5} | spec
        save_spec(a_spec(**asked), project.root / ".testinfra" / "runs")

    @pytest.mark.parametrize(
        ("n_left", "what"),
        [
            (1, f"4 properties keep earlier figures {AGE}: {', '.join(NAMES[1:4])}, and 1 more"),
            (2, f"3 properties keep earlier figures {AGE}: {', '.join(NAMES[2:])}"),
            (4, f"1 property keeps earlier figures {AGE}: {NAMES[4]}"),
        ],
    )
    def test_measuring_a_part_of_the_suite_keeps_the_other_figures(
        self, measured: Project, capsys: Any, n_left: int, what: str
    ) -> None:
        """`measure -- -k a` and then `verify`: the others keep their figures, and a note says so."""
        before = measured.read()
        capsys.readouterr()
        self.record(measured, a_session(dict.fromkeys(self.NAMES[:n_left], 300.0)), arguments=["-k", "a"])
        assert main(["verify", "--no-suite"]) == 0
        captured = capsys.readouterr()
        assert f"note: {what}\n" in captured.err
        age = f"Figures of {5 - n_left} of 5 properties are from earlier sessions, the oldest of 2026-11-22."
        assert f"\n\n{age}\n\n" in captured.out
        after = measured.read()
        assert [*after["properties"]] == self.NAMES
        for nodeid in self.NAMES[:n_left]:
            assert "source" not in after["properties"][nodeid]["profiles"]["local"]
            assert after["properties"][nodeid]["profiles"] != before["properties"][nodeid]["profiles"]
        (key,) = after["earlier"]
        assert after["earlier"][key] == before["provenance"]
        for nodeid in self.NAMES[n_left:]:
            cost = after["properties"][nodeid]["profiles"]["ci"]
            assert cost.pop("source") == key
            old = before["properties"][nodeid]["profiles"]["ci"]
            assert {**cost, "predicted": None} == {**old, "predicted": None}
        assert main(["verify", "--check"]) == 0
        assert main(["compare"]) == 0

    def asked_for(self, n: int) -> list[Run]:
        """Return a session of one property under the local profile, made with that many examples."""
        runs = [
            a_run([a_measurement(self.NAMES[0], bound=n)], profile="local", repeat=repeat)
            for repeat in range(5)
        ]
        return [replace(run, header=replace(run.header, max_examples=n)) for run in runs]

    def test_fewer_examples_than_the_settings_ask_for_replace_nothing(
        self, measured: Project, capsys: Any
    ) -> None:
        """A quick look, `measure --profile local=6`, does not make a target easier to meet."""
        before = measured.baseline.read_bytes()
        self.record(measured, self.asked_for(6))
        assert main(["verify", "--no-suite"]) == 2
        err = capsys.readouterr().err
        assert (
            f"has figures of {self.NAMES[0]!r} for 200 examples under 'local', and this session ran 6, fewer"
            " than the 200 of the settings: nothing was written" in err
        )
        assert measured.baseline.read_bytes() == before
        assert main(["verify", "--no-suite", "--replace"]) == 0
        said = "the session asked for 6 examples under 'local', and the settings ask for 200"
        assert f"note: {said}: its figures are for 6" in capsys.readouterr().err

    @pytest.mark.parametrize(("n", "settings", "is_told"), [(400, 200, True), (100, 100, False)])
    def test_more_examples_and_other_settings_are_written(
        self, measured: Project, capsys: Any, n: int, settings: int, is_told: bool
    ) -> None:
        """More are told; as few as the settings ask for now are what the targets are for."""
        measured.settings(f"""
            [tool.testinfra.profiles]
            local = {{ max_examples = {settings} }}
            ci = {{ max_examples = 50 }}
        """)
        self.record(measured, self.asked_for(n))
        assert main(["verify", "--no-suite"]) == 0
        assert (f"asked for {n} examples under 'local'" in capsys.readouterr().err) is is_told

    def test_measuring_one_profile_keeps_the_figures_of_the_other(self, measured: Project) -> None:
        """`measure --profile ci` leaves the local figures and what was asked of them."""
        before = measured.read()
        runs = [run for run in a_session(dict.fromkeys(self.NAMES, 300.0)) if run.header.profile == "ci"]
        self.record(measured, runs)
        assert main(["verify", "--no-suite"]) == 0
        after = measured.read()
        assert after["property_test_targets"]["max_examples_default"] == 200
        for subject in after["properties"].values():
            assert "source" in subject["profiles"]["local"]
            assert "source" not in subject["profiles"]["ci"]
        assert after["targets_verified"] == before["targets_verified"]
        assert main(["verify", "--check"]) == 0

    def test_a_property_that_fails_now_keeps_its_figures(self, measured: Project, capsys: Any) -> None:
        """Nothing is lost, the headline is the failure, and it stays one until the property passes."""
        runs = [
            replace(
                run,
                measurements=[
                    replace(found, outcome=Outcome.FAILED) if found.nodeid == self.NAMES[0] else found
                    for found in run.measurements
                ],
            )
            for run in a_session(dict.fromkeys(self.NAMES, 100.0))
        ]
        self.record(measured, runs)
        assert main(["verify", "--no-suite"]) == 1
        out = capsys.readouterr().out
        assert out.splitlines()[-1] == "✗ 1 property failed."
        assert [*measured.read()["properties"]] == self.NAMES
        assert main(["verify", "--check"]) == 0
        self.NEW = "20261124T101500Z"
        self.record(measured, a_session({self.NAMES[1]: 100.0}), arguments=["-k", "b"])
        assert main(["verify", "--no-suite"]) == 1
        self.NEW = "20261125T101500Z"
        self.record(measured, a_session({self.NAMES[0]: 100.0}), arguments=["-k", "a"])
        assert main(["verify", "--no-suite"]) == 0
        assert measured.read()["excluded"] == []

    def test_a_test_that_was_renamed_is_gone(self, measured: Project, capsys: Any) -> None:
        """The whole selection was collected, and it was not there: that is said, and its figures go."""
        capsys.readouterr()
        self.record(measured, a_session(dict.fromkeys([*self.NAMES[:4], "tests/test_a.py::test_new"], 100.0)))
        assert main(["verify", "--no-suite"]) == 0
        what = f"1 property is gone from the suite, and so from the file: {self.NAMES[4]}"
        assert f"note: {what}\n" in capsys.readouterr().err
        assert self.NAMES[4] not in measured.read()["properties"]
        assert measured.read()["earlier"] == {}

    @pytest.mark.parametrize("is_there", [True, False])
    def test_tests_of_an_ignored_file_stay_and_those_of_a_deleted_one_go(
        self, measured: Project, *, is_there: bool
    ) -> None:
        """It may be ignored by an option as long as it is there; a deleted file takes its tests along."""
        if not is_there:
            (measured.root / "tests" / "test_a.py").unlink()
        self.record(measured, a_session({"tests/test_b.py::test_b": 100.0}))
        assert main(["verify", "--no-suite"]) == 0
        assert (self.NAMES[0] in measured.read()["properties"]) is is_there

    @pytest.mark.parametrize(
        "narrowed", [{"arguments": ["tests/test_a.py"]}, {"arguments": ["-k", "a"]}, {"only": NAMES[:4]}]
    )
    def test_a_narrowed_selection_shows_that_nothing_is_gone(
        self, measured: Project, narrowed: dict[str, Any]
    ) -> None:
        """Some paths, `-k`, and single tests are not the whole selection."""
        self.record(measured, a_session(dict.fromkeys(self.NAMES[:4], 100.0)), **narrowed)
        assert main(["verify", "--no-suite"]) == 0
        assert [*measured.read()["properties"]] == self.NAMES

    def test_deselected_tests_are_not_gone(self, measured: Project) -> None:
        """`PYTEST_ADDOPTS=-k...` leaves no trace in the arguments, but in the count of the deselected."""
        runs = [
            replace(run, collected=Collected(nodeids=self.NAMES[:4], n_deselected=1))
            for run in a_session(dict.fromkeys(self.NAMES[:4], 100.0))
        ]
        self.record(measured, runs)
        assert main(["verify", "--no-suite"]) == 0
        assert [*measured.read()["properties"]] == self.NAMES

    def test_a_quick_session_does_not_replace_a_good_record(self, measured: Project, capsys: Any) -> None:
        """One run where five are kept is refused, with the two ways on; the file stays as it is."""
        before = measured.baseline.read_bytes()
        capsys.readouterr()
        quick = a_session({self.NAMES[0]: 100.0}, n_repeats=1)
        self.record(measured, quick, repeats=1, arguments=["-k", "a"])
        assert main(["verify", "--no-suite"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert f"has 5 runs of '{self.NAMES[0]}' under " in err
        assert "and this session has 1 (and so with 1 more), too few for a comparison" in err
        assert (
            "testinfra measure --baseline --repeats 5; or write it anyway: testinfra verify --replace" in err
        )
        assert measured.baseline.read_bytes() == before
        assert main(["verify", "--no-suite", "--replace"]) == 0
        assert [*measured.read()["properties"]] == self.NAMES[:1]
        note = (
            f"4 properties are dropped from the file by --replace: {', '.join(self.NAMES[1:4])}, and 1 more"
        )
        assert note in capsys.readouterr().err

    def test_a_time_budget_may_leave_runs_out(self, measured: Project, capsys: Any) -> None:
        """The session asked for enough of them: it is taken, and the loss is said."""
        capsys.readouterr()
        few = a_session(dict.fromkeys(self.NAMES, 100.0), n_repeats=3)
        self.record(measured, few, repeats=5, time_budget_s=1.0)
        assert main(["verify", "--no-suite"]) == 0
        assert "note: 5 properties under 'ci': 3 runs instead of 5\n" in capsys.readouterr().err

    def test_figures_changed_by_hand_are_not_taken_over(self, measured: Project, capsys: Any) -> None:
        """Kept figures get a new digest, so the old one has to hold first."""
        document = measured.read()
        document["properties"][self.NAMES[4]]["profiles"]["ci"]["setup_s"] = 0.5
        measured.baseline.write_text(json.dumps(document))
        before = measured.baseline.read_bytes()
        self.record(measured, a_session({self.NAMES[0]: 100.0}), arguments=["-k", "a"])
        assert main(["verify", "--no-suite"]) == 2
        assert "was changed after it was written" in capsys.readouterr().err
        assert measured.baseline.read_bytes() == before

    def test_a_suite_that_fails_now_keeps_its_time(self, measured: Project, capsys: Any) -> None:
        """The failure is the headline, with the test and the log; the time of the last pass stays."""
        assert main(["verify"]) == 0
        wall_s = measured.read()["suite"]["wall_s"]
        (measured.root / "tests" / "test_suite.py").write_text("def test_one(): assert False\n")
        capsys.readouterr()
        assert main(["verify"]) == 1
        out, err = capsys.readouterr()
        assert out.splitlines()[-1] == "✗ The whole suite did not pass."
        assert "tests/test_suite.py::test_one" in out
        assert "suite.log" in err
        assert measured.read()["suite"]["last_passed"]["wall_s"] == wall_s
        assert main(["verify", "--check"]) == 0

    def test_control_characters_of_a_name_are_shown_as_escapes(self, project: Project, capsys: Any) -> None:
        """A name's control characters are shown as escapes, and stdout stays one document."""
        project.record(a_session({"tests/t.py::test_x[\x1b[31m]": 100.0}))
        assert main(["verify", "--no-suite"]) == 0
        self.record(project, a_session(dict.fromkeys(self.NAMES, 100.0)), arguments=["-k", "a"])
        capsys.readouterr()
        assert main(["verify", "--no-suite", "--json"]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["is_verified"] is True
        assert r"(2026-11-22 at 0123456789ab): tests/t.py::test_x[\x1b[31m]" in err


class TestNothing:
    """Where there is nothing to verify, the status says so and the file is untouched."""

    def test_without_runs_the_status_is_3(self, project: Project, capsys: Any) -> None:
        """Without a measurement there is no verdict."""
        assert main(["verify"]) == 3
        assert "testinfra measure" in capsys.readouterr().err

    def test_without_a_passed_property_the_status_is_3(self, project: Project, capsys: Any) -> None:
        """When all of them failed there is nothing to write."""
        project.record([a_run([a_measurement(outcome=Outcome.FAILED)])])
        assert main(["verify"]) == 3
        assert (
            "the only property, 'tests/test_a.py::test_a', was not measured: failed"
            in capsys.readouterr().err
        )
        assert not project.baseline.exists()

    def test_checking_a_missing_baseline_is_an_error(self, project: Project) -> None:
        """Checking a file that is not there is no success."""
        assert main(["verify", "--check"]) == 3

    def test_an_unknown_session_is_an_error(self, project: Project) -> None:
        """A session that was asked for by name is not replaced by another."""
        project.record(a_session(BODIES))
        for name in ("gone", ""):  # a variable of the shell that is not set is not the latest session
            assert main(["verify", "--session", name]) == 3


class TestRefuse:
    """What cannot be trusted is refused in one line, and nothing is written."""

    @pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"schema": "other"}'])
    def test_a_file_that_is_not_a_baseline_is_refused_and_left_alone(
        self, project: Project, text: str, capsys: Any
    ) -> None:
        """It is refused before the suite runs, and left as it is."""
        project.baseline.write_text(text)
        project.record(a_session(BODIES))
        assert main(["verify"]) == 2
        err = capsys.readouterr().err
        assert err.startswith("error: ")
        assert "performance_baseline.json'" in err
        assert "hint: " in err
        assert "timing" not in err
        assert project.baseline.read_text() == text
        assert main(["verify", "--check"]) == 2

    @pytest.mark.parametrize(
        ("runs", "message"),
        [
            ([CUT_OFF], "is not finished"),
            ([a_run([a_measurement()], is_traced=True)], "under coverage"),
            (
                [a_run([a_measurement()]), a_run([a_measurement()], repeat=1, n_workers=2)],
                "different commits",
            ),
        ],
    )
    def test_runs_that_were_cut_off_or_traced_are_refused(
        self, project: Project, runs: list[Run], message: str, capsys: Any
    ) -> None:
        """Runs that were cut off, traced, or made under different circumstances make no baseline."""
        project.record(runs)
        assert main(["verify", "--no-suite"]) == 2
        assert message in capsys.readouterr().err
        assert not project.baseline.exists()


class TestMissingRuns:
    """What a session was asked for lies beside its runs; a run that left no file is missed by it."""

    SESSION = "20261122T171500Z"
    PROFILES = {"local": Profile(max_examples=200), "ci": Profile(max_examples=50)}

    def write(self, project: Project, runs: list[Run], **changes: Any) -> None:
        spec = a_spec(session_id=self.SESSION, **({"profiles": self.PROFILES} | changes))
        project.record(runs)
        save_spec(spec, project.root / ".testinfra" / "runs")

    def test_a_profile_without_a_run_is_refused(self, project: Project, capsys: Any) -> None:
        """Stopped while the second profile collected: no baseline of the first alone."""
        self.write(project, [a_run([a_measurement()])], repeats=1)
        assert main(["verify", "--no-suite"]) == 2
        error, hint = capsys.readouterr().err.splitlines()
        assert error == f"error: session '{self.SESSION}' is not finished: profile 'ci' has no run"
        assert hint == "hint: finish it: testinfra measure --resume"
        assert not project.baseline.exists()

    def test_not_even_the_time_budget_leaves_a_profile_out(self, project: Project) -> None:
        """The first run of each is always made."""
        self.write(project, [a_run([a_measurement()])], repeats=1, time_budget_s=1.0)
        assert main(["verify", "--no-suite"]) == 2

    @pytest.mark.parametrize(("budget_s", "status"), [(None, 2), (100.0, 0)])
    def test_fewer_repeats_than_asked_for_need_a_time_budget(
        self, project: Project, capsys: Any, budget_s: float | None, status: int
    ) -> None:
        """It has left out what it had no room for; without one the session was stopped."""
        self.write(project, a_session(BODIES, n_repeats=3), repeats=5, time_budget_s=budget_s)
        assert main(["verify", "--no-suite"]) == status
        said = "is not finished: profile 'local' has 3 of 5 runs" in capsys.readouterr().err
        assert said is (status == 2)

    def test_a_finished_session_is_verified(self, project: Project) -> None:
        """As many runs of each profile as it asks for, whatever the others do."""
        profiles = {"local": Profile(max_examples=200, repeats=1), "ci": Profile(max_examples=50)}
        runs = [
            run for run in a_session(BODIES) if (run.header.profile, run.header.repeat > 0) != ("local", True)
        ]
        self.write(project, runs, profiles=profiles, repeats=5)
        assert main(["verify", "--no-suite"]) == 0

    def test_a_profile_in_which_nothing_runs_again_has_one_run(self, project: Project) -> None:
        """Tests without Hypothesis are recorded once, and a run that records nothing leaves no file."""
        plain = a_measurement("tests/t.py::test_plain", kind=Kind.PLAIN, hypothesis=None)
        local = [a_run([a_measurement()], repeat=repeat) for repeat in range(5)]
        self.write(project, [*local, a_run([plain], profile="ci")], repeats=5)
        assert main(["verify", "--no-suite"]) == 0

    def test_runs_from_elsewhere_need_not_say_what_was_asked_for(self, project: Project) -> None:
        """A folder of run files, such as another job's artifact."""
        self.write(project, [a_run([a_measurement()])], repeats=1)
        folder = project.root / ".testinfra" / "runs"
        (folder / f"{self.SESSION}{SPEC_SUFFIX}").unlink()
        assert main(["verify", "--no-suite", "--runs", str(folder)]) == 0


class TestCheck:
    """The file against itself."""

    def test_a_figure_changed_by_hand_is_named(self, project: Project, capsys: Any) -> None:
        """It says where, what stands there, what should, and how to make it right."""
        project.record(a_session(BODIES))
        main(["verify", "--no-suite"])
        text = project.baseline.read_text()
        duration = project.read()["slowest_tests"][0]["duration"]
        project.baseline.write_text(text.replace(f'"duration":{duration}', '"duration":0.5'))
        capsys.readouterr()
        assert main(["verify", "--check"]) == 1
        out, err = capsys.readouterr()
        assert out == f"slowest_tests[0].duration: stored 0.5, recomputed {duration}\n"
        assert "hint: measure, then verify" in err

    def test_says_that_the_limits_have_changed(self, project: Project, capsys: Any) -> None:
        """The file is right by its own limits; that the settings have others now is said."""
        project.record(a_session(BODIES))
        main(["verify", "--no-suite"])
        project.settings("[tool.testinfra.targets]\nsuite_s = 200\n")
        assert main(["verify", "--check"]) == 0
        assert "not those of the file" in capsys.readouterr().err

    def test_says_which_verdicts_it_cannot_check(self, project: Project, capsys: Any) -> None:
        """A verdict that somebody else keeps in the file is kept, and nobody vouches for it."""
        project.baseline.write_text('{"targets_verified": {"mine": true}}')
        project.record(a_session(BODIES))
        main(["verify", "--no-suite"])
        assert main(["verify", "--check"]) == 0
        assert "note: targets_verified.mine is kept" in capsys.readouterr().err

    def test_a_file_can_be_named_for_the_check(self, project: Project, tmp_path: Path) -> None:
        """`verify --check FILE` checks that file and not the one of the settings."""
        project.record(a_session(BODIES))
        assert main(["verify", "--no-suite", "other.json"]) == 0
        assert not project.baseline.exists()
        assert main(["verify", "--check", "other.json"]) == 0


class TestHostileNames:
    """Node ids come from other people's code."""

    NAME = "tests/t.py::test_x[\n\x1b[31m[bold]<b>|`\u202e]"

    def test_node_ids_do_nothing_to_a_terminal(self, project: Project, capsys: Any) -> None:
        """Control characters are shown as escapes, markup as it is, and a line stays a line."""
        project.settings('[tool.testinfra.tiers]\n"*" = "fast"\n')
        project.record(a_session({self.NAME: 70_000.0}))
        assert main(["verify", "--no-suite"]) == 1
        out = capsys.readouterr().out
        assert r"tests/t.py::test_x[\x0a\x1b[31m[bold]<b>|`\u202e]" in out
        assert "\x1b" not in out
        assert main(["verify", "--check"]) == 0


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_suite_is_timed_leaves_the_old_baseline(
    project: Project, sent: signal.Signals, status: int
) -> None:
    """The suite is ended, and the baseline is the old one, whole."""
    project.record(a_session(BODIES))
    assert main(["verify", "--no-suite"]) == 0
    before = project.baseline.read_bytes()
    started = project.root / "started"
    (project.root / "tests" / "test_suite.py").write_text(
        f"import os, pathlib, time\n"
        f"def test_long():\n"
        f"    pathlib.Path({os.fspath(started)!r}).write_text(str(os.getpid()))\n"
        f"    time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "atom_testinfra", "verify"]
    verify = subprocess.Popen(command, cwd=project.root, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if started.exists() and started.read_text():
            break
        with pytest.raises(subprocess.TimeoutExpired):
            verify.wait(0.05)
    verify.send_signal(sent)
    _, err = verify.communicate(timeout=30)
    assert verify.returncode == status
    assert "the baseline is as it was" in err
    assert project.baseline.read_bytes() == before
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_two_at_once_leave_one_whole_baseline(project: Project) -> None:
    """The file is the one or the other; its figures belong together."""
    project.record(a_session(BODIES))
    command = [sys.executable, "-m", "atom_testinfra", "verify", "--no-suite"]
    both = [subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
    assert main(["verify", "--check"]) == 0
    msgspec.json.decode(project.baseline.read_bytes())
