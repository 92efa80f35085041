"""What `testinfra measure` makes of its command line, and which sessions it leaves to `--resume`."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest
from tests.made_runs import make_record, make_run
from tests.measuring.test_session import a_spec

from atom_testinfra.cli import main
from atom_testinfra.core.policies import PinPolicy
from atom_testinfra.core.records.session import SessionSpec
from atom_testinfra.measuring.session import Session
from atom_testinfra.storage.folders import prepare_folder
from atom_testinfra.storage.runs import save_run
from atom_testinfra.storage.session_specs import SPEC_SUFFIX, load_spec, save_spec

LONG = "a or " * 1000 + "a"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[SessionSpec]:
    """A project with a folder `tests`, whose sessions note what they were asked for and run nothing."""
    (tmp_path / "pyproject.toml").write_text('[tool.testinfra]\npaths = ["suite"]\n', encoding="utf-8")
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    specs: list[SessionSpec] = []
    monkeypatch.setattr(Session, "run", lambda session: specs.append(session._spec))
    return specs


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (["tests"], ["tests"]),
        (["tests/::x", "-v"], ["tests/::x", "-v"]),
        (["-k", "tests"], ["suite", "-k", "tests"]),
        (["-k", LONG], ["suite", "-k", LONG]),
        ([LONG], ["suite", LONG]),
    ],
)
def test_the_settings_paths_hold_unless_others_are_named(
    asked: list[SessionSpec], given: list[str], used: list[str]
) -> None:
    """A folder's name as an option's value is not a path, nor is what no file can be called."""
    main(["measure", "--", *given])
    assert [spec.arguments for spec in asked] == [used]


@pytest.mark.parametrize(
    "option", ["--co", "--collect-only", "--version", "-h", "--fixtures", "--setup-plan"]
)
def test_what_runs_no_test_is_refused(
    asked: list[SessionSpec], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """Before pytest is asked, with the option's name."""
    assert main(["measure", "--", "-q", option]) == 2
    assert asked == []
    message = f"with {option} pytest runs no test, so there is nothing to measure"
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ("-n 2", "-n"),
        ("-qn2", "-n"),
        ("--numprocesses=2", "-n"),
        ("--testinfra-max-examples 3", "--max-examples"),
        ("--testinfra-values", "--values"),
    ],
)
def test_what_the_command_itself_says_is_refused_after_the_dashes(
    asked: list[SessionSpec], capsys: pytest.CaptureFixture[str], given: str, option: str
) -> None:
    """Otherwise it would be ignored without a message. As the value of another option it is allowed."""
    assert main(["measure", "--", *given.split()]) == 2
    assert asked == []
    assert f"after -- has no effect: say {option} before it" in " ".join(capsys.readouterr().err.split())
    main(["measure", "--", "-k", *given.split()[:1]])
    assert len(asked) == 1


@pytest.mark.parametrize(
    "given",
    [
        *("--profile a=1", "--max-examples 5", "--pins cap", "--repeats 2", "--seed-set 0", "--values"),
        *("--only-properties", "--time-budget 3", "-n 0", "--explain x", "-- -k x"),
    ],
)
def test_nothing_can_be_changed_of_a_session_that_is_resumed(
    asked: list[SessionSpec], capsys: pytest.CaptureFixture[str], given: str
) -> None:
    """Also by what would be the default: the error names what was given."""
    assert main(["measure", "--resume", *given.split()]) == 2
    option = "pytest's arguments" if given.startswith("-- ") else given.split()[0]
    message = f"--resume continues a session with its own options: leave out {option}"
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "steering"),
    [
        ("--baseline", ["suite", "tool"]),
        ("--baseline --repeats 2 --seed-set 1 -n 0", ["suite", "tool"]),
        *((f"--baseline --pins {policy}", ["tool", "tool"]) for policy in PinPolicy),
        ("--profile own", ["suite"]),
        ("--profile own --pins cap", ["tool"]),
        ("--profile own --max-examples 9", ["tool"]),
    ],
)
def test_a_policy_for_pins_reaches_a_suite_that_steers_itself(
    asked: list[SessionSpec], arguments: str, steering: list[str]
) -> None:
    """Given on the command line it is the tool that sets it; the settings' own leaves the suite alone."""
    with Path("pyproject.toml").open("a", encoding="utf-8") as file:
        file.write('pins = "cap"\n[tool.testinfra.profiles]\n')
        file.write('own = { max_examples = 5, env = { A = "b" }, steering = "suite" }\n')
        file.write('other = { max_examples = 5, env = { A = "b" } }\n')
    main(["measure", *arguments.split()])
    (spec,) = asked
    assert [profile.steering for profile in spec.profiles.values()] == steering
    assert {profile.env["A"] for profile in spec.profiles.values()} == {"b"}


@pytest.mark.parametrize("number", ["9" * 10, "9" * 5000])
@pytest.mark.parametrize("option", ["--profile local={}", "--max-examples {}"])
def test_a_number_beyond_all_measure_is_refused(
    asked: list[SessionSpec], capsys: pytest.CaptureFixture[str], option: str, number: str
) -> None:
    """One that Python itself would not read, too."""
    assert main(["measure", *option.format(number).split()]) == 2
    assert asked == []
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "status"), [("-1", 2), (str(2**63), 2), ("9" * 5000, 2), (str(2**63 - 1), 3)]
)
def test_a_set_of_seeds_is_one_that_a_record_can_name(
    asked: list[SessionSpec], capsys: pytest.CaptureFixture[str], number: str, status: int
) -> None:
    """Otherwise the first line of every run file would be one that nothing reads."""
    assert main(["measure", "--seed-set", number]) == status
    assert [spec.seed_set for spec in asked] == ([int(number)] if status == 3 else [])
    assert ("--seed-set" in capsys.readouterr().err) is (status == 2)


class TestSpec:
    """What a session is to do is on disk, whole, as long as there is something to go on with."""

    def test_a_session_that_recorded_nothing_is_forgotten(self, asked: list[SessionSpec]) -> None:
        """It would stand before the one that was stopped."""
        runs = Path(".testinfra/runs")
        main(["measure"])
        assert len(asked) == 1
        assert not list(runs.glob(f"*{SPEC_SUFFIX}"))
        save_spec(a_spec(session_id="s"), runs)
        save_run(make_run([make_record("a")]), runs / "s-local-r0.jsonl")
        main(["measure", "--profile", "other=77"])
        main(["measure", "--resume"])
        assert [spec.session_id == "s" for spec in asked] == [False, False, True]

    def test_a_session_of_another_commit_is_not_gone_on_with(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Exit status 2 before pytest is started, with what differs and the next step; its files stay."""
        monkeypatch.chdir(tmp_path)
        runs = tmp_path / ".testinfra" / "runs"
        prepare_folder(runs)
        save_spec(a_spec(session_id="s"), runs)
        save_run(make_run([make_record("a")]), runs / "s-local-r0.jsonl")
        before = sorted(runs.iterdir())
        assert main(["measure", "--resume"]) == 2
        *_, error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: session 's' was begun with commit c0ffee, now ")
        assert hint.endswith("measure again: testinfra measure")
        assert sorted(runs.iterdir()) == before

    @pytest.mark.parametrize("left", [b"", b'{"session_id":"t","pro'])
    def test_what_a_killed_start_left_hides_no_session(self, tmp_path: Path, left: bytes) -> None:
        """Half a file, of a session that has no runs."""
        save_spec(a_spec(session_id="s"), tmp_path)
        save_run(make_run([make_record("a")]), tmp_path / "s-local-r0.jsonl")
        (tmp_path / f"t{SPEC_SUFFIX}").write_bytes(left)
        assert load_spec(tmp_path).session_id == "s"

    def test_a_start_on_a_full_disk_leaves_nothing(
        self, asked: list[SessionSpec], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The error says what to do."""
        runs = Path(".testinfra/runs")
        prepare_folder(runs)

        def full(descriptor: int) -> NoReturn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        assert main(["measure"]) == 2
        assert [path.name for path in runs.iterdir()] == [".gitignore"]
        assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["measure --fit", "measure --time-budget", "mutate --fail-under"])
@pytest.mark.parametrize("number", ["nan", "inf", "-1"])
def test_a_number_that_bounds_nothing_is_refused(
    asked: list[SessionSpec], capsys: pytest.CaptureFixture[str], option: str, number: str
) -> None:
    """The error comes before anything is measured, because nothing can be compared with such a number."""
    assert main([*option.split(), number]) == 2
    assert asked == []
    assert option.split()[1] in capsys.readouterr().err
