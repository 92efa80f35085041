"""The folder in which the workers of one machine leave what the shares of a property did."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import execnet
import msgspec

from atom_testinfra.core.scheduling.splitting import SplitPlan

PLAN = "plan.json"


class ShareFiles:
    """One file for each share that has run, and one for each property that was reported."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def examples(self) -> Path:
        """Where failing examples of properties are kept that have no database."""
        return self._folder / "examples"

    def save_plan(self, plan: SplitPlan) -> None:
        """Leave the plan, which is the same in each worker."""
        self._replace(PLAN, msgspec.json.encode(plan))

    def load_plan(self) -> SplitPlan | None:
        """Return the plan, `None` if no worker has left one."""
        path = self._folder / PLAN
        return msgspec.json.decode(path.read_bytes(), type=SplitPlan) if path.exists() else None

    def save(self, group: int, number: int, result: dict[str, Any]) -> None:
        """Leave what a share did: whatever pytest-xdist could send, too."""
        self._replace(f"{group}-{number}.share", execnet.dumps(result))

    def load(self, group: int) -> dict[int, dict[str, Any]]:
        """Return what the shares of a property did that have run, by their number."""
        paths = self._folder.glob(f"{group}-*.share")
        found = {int(path.stem.partition("-")[2]): execnet.loads(path.read_bytes()) for path in paths}
        return dict(sorted(found.items()))

    def groups(self) -> list[int]:
        """Return the groups: the properties with a share that has run."""
        return sorted({int(path.stem.partition("-")[0]) for path in self._folder.glob("*-*.share")})

    def claim(self, group: int) -> bool:
        """Return whether the caller is the first to ask, and so is to report the property."""
        try:
            (self._folder / f"{group}.reported").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _replace(self, name: str, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(self._folder / name)
