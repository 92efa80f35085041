"""Which runs a session makes, and which of them its time budget has room for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.cli import main
from atom_testinfra.core.config import AS_IS, Config, Profile
from atom_testinfra.core.errors import ConfigError, RunFileError
from atom_testinfra.core.policies import PinPolicy, Steering
from atom_testinfra.core.records.measurement import Measurement, Provenance, Run
from atom_testinfra.core.records.session import AS_IS_PROFILE, SessionSpec, choose_profiles
from atom_testinfra.core.status import ExitStatus
from atom_testinfra.machine.calibration import NAME as CALIBRATION
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.machine.fingerprint import read_provenance
from atom_testinfra.measuring.session import Session

LASTS_S = {"local": 100.0, "ci": 30.0}


def a_spec(**changes: Any) -> SessionSpec:
    profiles = {"local": Profile(max_examples=200, repeats=1), "ci": Profile(max_examples=50)}
    fields: dict[str, Any] = {
        "session_id": "s",
        "profiles": profiles,
        "repeats": 5,
        "pins": PinPolicy.RESPECT,
        "seed_set": 0,
        "n_workers": 0,
        "arguments": [],
    }
    return SessionSpec(**(fields | changes))


def test_each_profile_has_its_own_number_of_runs() -> None:
    """One long run of the local profile, five quick ones of the other; the first of each comes first."""
    assert [*a_spec().cells()] == [(0, "local"), (0, "ci"), *((repeat, "ci") for repeat in range(1, 5))]


def test_profiles_take_turns_and_turn_about() -> None:
    """So that a machine that gets slower weighs on all of them alike."""
    profiles = {"a": Profile(max_examples=1), "b": Profile(max_examples=1, repeats=2)}
    cells = [*a_spec(profiles=profiles, repeats=3).cells()]
    assert cells == [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a")]


def test_a_number_on_the_command_line_keeps_the_profile_s_repeats() -> None:
    """`--profile ci=30` is the known profile with another number."""
    config = Config(profiles={"ci": Profile(max_examples=50, repeats=4, env={"CI": "true"})})
    assert choose_profiles(config, ["ci=30"], None) == {
        "ci": Profile(max_examples=30, repeats=4, env={"CI": "true"})
    }


def test_without_a_choice_the_suite_s_own_settings_are_measured() -> None:
    """A baseline takes every profile of the settings, and `as-is` can be asked for by its name."""
    config = Config(profiles={"ci": Profile(max_examples=50)})
    assert choose_profiles(config, [], None) == {AS_IS: AS_IS_PROFILE}
    assert choose_profiles(config, ["as-is", "ci"], None) == {AS_IS: AS_IS_PROFILE, **config.profiles}
    assert choose_profiles(config, [], None, is_for_baseline=True) == config.profiles
    with pytest.raises(ConfigError, match="bare `testinfra measure`"):
        Config(profiles={AS_IS: Profile(max_examples=50)})


SUITE = Profile(max_examples=200, repeats=1, env={"CI": "false"}, steering=Steering.SUITE)


@pytest.mark.parametrize(
    ("chosen", "max_examples", "expected"),
    [
        (["local"], None, SUITE),
        (["local=50"], None, replace(SUITE, max_examples=50, steering=Steering.TOOL)),
        (["local=200"], None, replace(SUITE, steering=Steering.TOOL)),
        (["local"], 50, replace(SUITE, max_examples=50, steering=Steering.TOOL)),
    ],
)
def test_a_number_on_the_command_line_reaches_a_suite_that_steers_itself(
    chosen: list[str], max_examples: int | None, expected: Profile
) -> None:
    """The tool sets it, in the environment of the profile."""
    config = Config(profiles={"local": SUITE})
    assert choose_profiles(config, chosen, max_examples) == {"local": expected}


@pytest.mark.parametrize(("arguments", "n_workers"), [([], 2), (["-n", "0"], 0), (["-n", "3"], 3)])
def test_the_command_line_s_workers_go_before_those_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], n_workers: int
) -> None:
    """`-n` takes precedence over the setting `workers`, and so does `-n 0`."""
    (tmp_path / "pyproject.toml").write_text("[tool.testinfra]\nworkers = 2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asked: list[SessionSpec] = []
    monkeypatch.setattr(Session, "run", lambda session: asked.append(session._spec))
    assert main(["measure", "--json", *arguments]) == ExitStatus.NOTHING
    assert [spec.n_workers for spec in asked] == [n_workers]


@pytest.mark.parametrize(
    ("budget_s", "made"),
    [
        (None, {"local": 3, "ci": 3}),
        (400.0, {"local": 3, "ci": 3}),
        (299.0, {"local": 2, "ci": 3}),
        (200.0, {"local": 1, "ci": 3}),
        (1.0, {"local": 1, "ci": 0}),
    ],
)
def test_a_repeat_that_passes_the_budget_is_left_out_and_quicker_ones_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget_s: float | None, made: dict[str, int]
) -> None:
    """The budget is filled with what still fits, and no run begins when it is over."""
    clock = [0.0]
    n_made = dict.fromkeys(LASTS_S, 0)

    class Quick(Session):
        def _run_cell(self, repeat: int, profile: str, parts: object) -> bool:
            clock[0] += LASTS_S[profile]
            n_made[profile] += 1
            return False

    monkeypatch.setattr(Clocks, "wall", lambda: clock[0])
    profiles = {"local": Profile(max_examples=200), "ci": Profile(max_examples=50)}
    spec = a_spec(profiles=profiles, repeats=3, time_budget_s=budget_s)
    session = Quick(
        spec, folder=tmp_path, runs=tmp_path, provenance=read_provenance(tmp_path, []), observer=Unwatched()
    )
    session.run()
    assert n_made == made
    assert session.left_out == {profile: 3 - n for profile, n in made.items() if n < 3}


class Unwatched:
    """An observer that looks away."""

    def begin(self, repeat: int, profile: str) -> None: ...

    def collected(self, nodeids: list[str]) -> None: ...

    def measured(self, record: Measurement) -> None: ...

    def tick(self) -> None: ...


class Noting(Session):
    """Notes what it would run."""

    def _run_cell(self, repeat: int, profile: str, parts: object) -> bool:
        self.ran = [*getattr(self, "ran", []), (repeat, profile)]
        return False


class TestResumed:
    """A session is gone on with where its runs can be put together with new ones."""

    MADE = make_run([make_record("a")])
    MADE = replace(MADE, header=replace(MADE.header, calibration=CALIBRATION))
    SPEC = a_spec(profiles={"local": Profile(max_examples=200)}, repeats=2)

    def resume(self, tmp_path: Path, now: Provenance, recorded: list[Run], **changes: Any) -> Noting:
        spec = replace(self.SPEC, **changes)
        session = Noting(spec, folder=tmp_path, runs=tmp_path, provenance=now, observer=Unwatched())
        session.adopt(recorded)
        return session

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"commit": "beef"}, "commit c0ffee, now beef"),
            ({"commit": None}, "commit c0ffee, now none"),
            ({"python": "CPython 3.12.1"}, "Python CPython 3.11.7, now CPython 3.12.1"),
            ({"versions": {"hypothesis": "7"}}, "hypothesis 6.170.15, now 7"),
            (
                {"versions": {"hypothesis": "6.170.15", "pytest-xdist": "3"}},
                "pytest-xdist none, now 3",
            ),
            (
                {"machine": replace(MADE.header.provenance.machine, n_cpus=4)},
                "machine (Linux x86_64, one, 2 CPUs, 4096 MB), now (Linux x86_64, one, 4 CPUs, 4096 MB)",
            ),
            (
                {"commit": "beef", "python": "PyPy 3.11.1"},
                "commit c0ffee, now beef; Python CPython 3.11.7, now PyPy 3.11.1",
            ),
        ],
    )
    def test_under_other_circumstances_nothing_is_run(
        self, tmp_path: Path, change: dict[str, Any], message: str
    ) -> None:
        """`verify` would refuse all of it afterwards; the error names what differs."""
        session = self.resume(tmp_path, replace(self.MADE.header.provenance, **change), [self.MADE])
        with pytest.raises(RunFileError) as caught:
            session.run()
        assert str(caught.value) == f"session 's' was begun with {message}"
        assert caught.value.hint is not None
        assert caught.value.hint.endswith("testinfra measure")
        assert not hasattr(session, "ran")

    @pytest.mark.parametrize("change", [{}, {"is_dirty": True}, {"command": ["testinfra", "measure"]}])
    def test_what_verify_takes_together_is_gone_on_with(self, tmp_path: Path, change: dict[str, Any]) -> None:
        """A change that is not committed is told beside the figures, and refuses none."""
        session = self.resume(tmp_path, replace(self.MADE.header.provenance, **change), [self.MADE])
        session.run()
        assert session.ran == [(1, "local")]

    def test_a_finished_session_is_told_again_whatever_has_changed(self, tmp_path: Path) -> None:
        """Nothing is run, so nothing is mixed."""
        now = replace(self.MADE.header.provenance, commit="beef")
        session = self.resume(tmp_path, now, [self.MADE], repeats=1)
        session.run()
        assert not hasattr(session, "ran")
