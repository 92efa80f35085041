"""The file in which the workers of a timed run tell each other what began and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock

from atom_testinfra.core.budgets.events import Event

if TYPE_CHECKING:
    from pathlib import Path

_encoder = msgspec.json.Encoder(enc_hook=repr)  # of a report, which may carry anything
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Ledger:
    """Events of all processes, one a line; no handle stays open between two calls."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(f"{path.name}.lock"))
        self._read_to = 0

    def append(self, event: Event) -> None:
        """Add an event, whole, whoever else writes."""
        with self._lock, self._path.open("ab") as file:
            file.write(_encoder.encode(event) + b"\n")

    def news(self) -> list[Event]:
        """Return what was written since the last call, by anybody; a line that is not whole waits."""
        with self._lock:
            if not self._path.exists():
                return []
            with self._path.open("rb") as file:
                file.seek(self._read_to)
                data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return [_decoder.decode(line) for line in whole.splitlines()]
