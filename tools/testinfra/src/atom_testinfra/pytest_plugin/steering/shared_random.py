"""The source from which Hypothesis seeds a property that has no seed of its own."""

from __future__ import annotations

from random import Random

from hypothesis import register_random

from atom_testinfra.pytest_plugin.internals import RANDOM, random_holder


class SharedRandom:
    """
    Hypothesis's own source, seeded before each test.

    Nothing else about a property changes, as it would with `--hypothesis-seed`, which also keeps the examples
    that fail out of the example database and makes every call of a property draw the same.
    """

    def __init__(self) -> None:
        self._holder = random_holder()
        self._is_seeded = False

    def seed(self, seed: int) -> None:
        """Let the source begin with this seed."""
        source: Random | None = getattr(self._holder, RANDOM)
        if source is None:  # Hypothesis makes and registers it when it is first needed
            source = Random()  # noqa: S311 (it draws examples, not secrets)
            setattr(self._holder, RANDOM, source)
            register_random(source)
        source.seed(seed)
        self._is_seeded = True

    def restore(self) -> None:
        """Leave it as random as it was found."""
        if self._is_seeded:
            getattr(self._holder, RANDOM).seed()
