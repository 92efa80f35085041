"""The source from which Hypothesis seeds a property that has no seed of its own."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import core, register_random

NAME = "_hypothesis_global_random"


class SharedRandom:
    """
    Hypothesis's own source, seeded for the length of a test.

    Nothing else about a property changes, as it would with `--hypothesis-seed`, which also keeps the examples
    that fail out of the example database and makes every call of a property draw the same.
    """

    def __init__(self) -> None:
        # One for each thread; before Hypothesis 6.136 one for all.
        self._holder: Any = getattr(core, "threadlocal", core)
        self.is_there = hasattr(self._holder, NAME)
        self._before: Any = None

    def seed(self, seed: int) -> None:
        """Begin with this seed."""
        source = self._source()
        self._before = source.getstate()
        source.seed(seed)

    def restore(self) -> None:
        """Go on where the source was before it was seeded."""
        if self._before is not None:
            self._source().setstate(self._before)
            self._before = None

    def _source(self) -> Random:
        source: Random | None = getattr(self._holder, NAME)
        if source is None:  # Hypothesis makes and registers it when it is first needed
            source = Random()  # noqa: S311 (it draws examples, not secrets)
            setattr(self._holder, NAME, source)
            register_random(source)
        return source
