"""What a session is to do, kept beside its runs so that it can be resumed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from atom_testinfra.core.errors import NothingMeasuredError, RunFileError
from atom_testinfra.core.records.session import SessionSpec
from atom_testinfra.storage.atomic import replace_file
from atom_testinfra.storage.folders import cannot
from atom_testinfra.storage.sessions import list_sessions

if TYPE_CHECKING:
    from pathlib import Path

    from atom_testinfra.core.records.measurement import RunPlan

_encoder = msgspec.json.Encoder()
SPEC_SUFFIX = ".session.json"
_spec_decoder = msgspec.json.Decoder(SessionSpec)


def save_plan(plan: RunPlan, path: Path) -> None:
    """Write the plan of a run, or leave no file behind."""
    _save(plan, path)


def save_spec(spec: SessionSpec, folder: Path) -> None:
    """Write down what a session is to do, so that it can be resumed, or leave no file behind."""
    _save(spec, folder / f"{spec.session_id}{SPEC_SUFFIX}")


def load_spec(folder: Path, session_id: str | None = None) -> SessionSpec:
    """Return what a session was asked for: by default the latest one that has recorded anything."""
    if session_id is None:
        specs = _saved_specs(folder)
        session_id = next((name for name in reversed(list_sessions(folder).files) if name in specs), None)
    spec = None if session_id is None else find_spec(folder, session_id)
    if spec is None:
        raise NothingMeasuredError(
            f"no session to resume in {os.fspath(folder)!r}", hint="measure first: testinfra measure"
        )
    return spec


def find_spec(folder: Path, session_id: str) -> SessionSpec | None:
    """Return what a session was asked for; `None` where that does not lie beside its runs."""
    path = folder / f"{session_id}{SPEC_SUFFIX}"
    if not os.path.isfile(path):  # noqa: PTH113 (what no file can be called is an error to `Path`)
        return None
    try:
        return _spec_decoder.decode(path.read_bytes())
    except OSError as exc:
        raise cannot("read", path, exc) from exc
    except msgspec.MsgspecError as exc:
        raise RunFileError(f"{os.fspath(path)!r} does not hold the plan of a session: {exc}") from exc


def remove_spec_without_runs(session_id: str, folder: Path) -> None:
    """Forget what a session was to do if it has recorded nothing that could be resumed."""
    if session_id not in list_sessions(folder):
        (folder / f"{session_id}{SPEC_SUFFIX}").unlink(missing_ok=True)


def _saved_specs(folder: Path) -> set[str]:
    return {path.name.removesuffix(SPEC_SUFFIX) for path in folder.glob(f"*{SPEC_SUFFIX}")}


def _save(document: RunPlan | SessionSpec, path: Path) -> None:
    try:
        replace_file(path, [_encoder.encode(document)])
    except OSError as exc:
        raise cannot("write", path, exc) from exc
    except UnicodeEncodeError as exc:
        raise RunFileError(
            f"{exc.object!r} is not valid Unicode, and cannot be written to {os.fspath(path)!r}",
            hint="name the folder above it, or give the file or the folder another name",
        ) from exc
