"""Keeps the garbage collector's work for a test apart from what others have left on the heap."""

from __future__ import annotations

import gc


class Heap:
    """
    Hides from the collector what is there before a test begins.

    A full collection passes over every module, every collected item and every cache, and is charged to the
    test that happens to be running: 0.2 s in a suite of some hundred properties, ten times what one of them
    costs. With all of that set aside a test pays for its own objects, whatever ran before it.
    """

    def __init__(self) -> None:
        self._is_settled = False

    def settle(self) -> None:
        """Set aside what there is; called before a test, outside of what is timed."""
        if not hasattr(gc, "freeze"):
            return  # PyPy collects in another way
        if self._is_settled:
            gc.collect()  # of little: what the last test left, which would be kept for good otherwise
        gc.freeze()
        self._is_settled = True
