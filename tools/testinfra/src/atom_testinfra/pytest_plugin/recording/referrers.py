"""Lets Hypothesis see who refers to an object, also where the heap is set aside."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from hypothesis.internal import entropy

if TYPE_CHECKING:
    from atom_testinfra.machine.heap import Heap


class Referrers:
    """
    Stands for the module `gc` where Hypothesis registers a source of randomness.

    It asks there whether anything refers to the source, and warns if not. What is set aside from collection
    is not found by `gc.get_referrers`, so that numpy's source, or a suite's own, would seem to belong to
    nobody: a failure where warnings are errors. So nothing is aside when it asks.
    """

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._is_installed = hasattr(gc, "freeze") and getattr(entropy, "gc", None) is gc
        if self._is_installed:
            self._replace(self)

    def get_referrers(self, *objects: object) -> list[Any]:
        """Return what `gc.get_referrers` does, objects that were set aside included."""
        if not self._heap.is_aside:
            return gc.get_referrers(*objects)
        self._heap.restore()
        found = gc.get_referrers(*objects)
        self._heap.set_aside()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(gc, name)

    def restore(self) -> None:
        """Leave Hypothesis as it was found."""
        if self._is_installed:
            self._replace(gc)

    def _replace(self, collector: object) -> None:
        vars(entropy)["gc"] = collector
