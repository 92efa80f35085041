"""What must be equal across a session's runs before their figures may be combined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.records.measurement import Machine

if TYPE_CHECKING:
    from atom_testinfra.core.records.measurement import Provenance


def circumstances(made: Provenance) -> dict[str, object]:
    """
    Return under what a run was made, by name.

    Whether the working tree had changes is not part of it: that is told beside the figures.
    """
    versions = dict(sorted(made.versions.items()))
    return {"commit": made.commit, "Python": made.python, **versions, "machine": made.machine}


def list_differences(before: Provenance, now: Provenance) -> list[str]:
    """Return which circumstances differ now, each with both values."""
    old, new = circumstances(before), circumstances(now)
    return [
        f"{name} {_show(old.get(name))}, now {_show(new.get(name))}"
        for name in old | new
        if old.get(name) != new.get(name)
    ]


def describe_calibration(name: str | None) -> str:
    """Return the name of a calibration, as part of a sentence."""
    return "an unrecorded calibration" if name is None else f"calibration {name}"


def describe_machine(machine: Machine) -> str:
    """Return what kind of machine it is, in words."""
    kind = f"{machine.system} {machine.arch}, {machine.cpu}"
    return f"{kind}, {machine.n_cpus} CPUs, {machine.memory_mb} MB"


def _show(value: object) -> str:
    if isinstance(value, Machine):
        return f"({describe_machine(value)})"
    return "none" if value is None else str(value)
