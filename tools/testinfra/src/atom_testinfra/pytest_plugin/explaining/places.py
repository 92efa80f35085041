"""Names places in the code for a run that explains, and cuts what a project's own code says of itself."""

from __future__ import annotations

import os
import sysconfig
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

TEXT_LENGTH = 200
"""Characters kept of a representation: a strategy's own may have a hundred thousand."""

SITE_PACKAGES = tuple(os.path.join(sysconfig.get_path(name), "") for name in ("purelib", "platlib"))  # noqa: PTH118
STDLIB = os.path.join(sysconfig.get_path("stdlib"), "")  # noqa: PTH118 (compared as text, for each file)


class Places:
    """Names a line relative to the project's root, or to the library that it belongs to."""

    def __init__(self, root: str) -> None:
        self._prefixes = (*SITE_PACKAGES, STDLIB, os.path.join(root, ""))  # noqa: PTH118

    def of_line(self, path: str, line: int) -> str:
        """Return `file:line`."""
        for prefix in self._prefixes:
            if path.startswith(prefix):
                path = path[len(prefix) :]
                break
        return f"{cut(path)}:{line}"

    def of_code(self, code: CodeType) -> str:
        """Return where a function begins."""
        return self.of_line(code.co_filename, code.co_firstlineno)


def cut(text: str) -> str:
    """Return the beginning of a text, on one line and cut to a limit."""
    head = " ".join(text[: TEXT_LENGTH * 4].split())
    is_whole = len(head) <= TEXT_LENGTH and len(text) <= TEXT_LENGTH * 4
    return head if is_whole else f"{head[: TEXT_LENGTH - 1]}…"


def describe(value: object) -> str:
    """Return the beginning of a value's representation, also where that raises."""
    try:
        return cut(repr(value))
    except Exception as exc:  # noqa: BLE001 (a project's own `__repr__` may raise anything)
        return f"<{type(value).__name__}, whose repr() raises {type(exc).__name__}>"
