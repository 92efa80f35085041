"""Being asked to stop while a child process runs: by Ctrl-C, or by whoever ends jobs."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked us to stop."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


@contextlib.contextmanager
def signals_raise() -> Generator[None, None, None]:
    """Turn a signal to stop into `Stopped`, so that what holds a child ends it; further ones are ignored."""

    def raise_stopped(signum: int, frame: object) -> None:  # noqa: ARG001
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(signum)

    before = {signum: signal.signal(signum, raise_stopped) for signum in SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
