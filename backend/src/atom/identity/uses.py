"""When each key was last used: noted in memory, so that no reading request has to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom.identity.keys import note_uses

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


class KeyUses:
    """The last use of each key since it was last written and committed."""

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}

    def note(self, key_id: str, at: datetime) -> None:
        """Note that a key was used."""
        self._last[key_id] = at

    def write(self, session: Session) -> dict[str, datetime]:
        """Write what is noted, and return it: once that is committed, it can be forgotten."""
        noted = dict(self._last)
        note_uses(session, noted)
        return noted

    def forget(self, written: dict[str, datetime]) -> None:
        """Forget uses that were written, unless the key was used again since."""
        for key_id, at in written.items():
            if self._last.get(key_id) == at:
                self._last.pop(key_id, None)
