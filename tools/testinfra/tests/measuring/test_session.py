"""Which runs a session makes, and which of them its time budget has room for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from atom_testinfra.cli import main
from atom_testinfra.core.config import Config, Profile
from atom_testinfra.core.measurement import PinPolicy
from atom_testinfra.core.session import SessionSpec, choose_profiles
from atom_testinfra.core.status import ExitStatus
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


@pytest.mark.parametrize(("arguments", "n_workers"), [([], 2), (["-n", "0"], 0), (["-n", "3"], 3)])
def test_the_command_line_s_workers_go_before_those_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], n_workers: int
) -> None:
    """Also none at all."""
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
        (1.0, {"local": 1, "ci": 1}),
    ],
)
def test_a_repeat_that_passes_the_budget_is_left_out_and_quicker_ones_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget_s: float | None, made: dict[str, int]
) -> None:
    """The budget is filled with what still fits; the first run of each profile is always made."""
    clock = [0.0]
    n_made = dict.fromkeys(LASTS_S, 0)

    class Quick(Session):
        def _run_cell(self, repeat: int, profile: str, parts: object) -> None:
            clock[0] += LASTS_S[profile]
            n_made[profile] += 1

    monkeypatch.setattr(Clocks, "wall", lambda: clock[0])
    profiles = {"local": Profile(max_examples=200), "ci": Profile(max_examples=50)}
    spec = a_spec(profiles=profiles, repeats=3, time_budget_s=budget_s)
    session = Quick(
        spec, folder=tmp_path, runs=tmp_path, provenance=read_provenance(tmp_path, []), observer=None
    )  # type: ignore[arg-type]  # nobody watches
    session.run()
    assert n_made == made
    assert session.left_out == {profile: 3 - n for profile, n in made.items() if n < 3}
