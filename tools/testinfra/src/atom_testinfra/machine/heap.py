"""Keeps the garbage collector's work for a test apart from what others have left on the heap."""

from __future__ import annotations

import gc


class Heap:
    """
    Hides from the collector what is there before a property begins.

    A full collection passes over every module, every collected item and every cache, and is charged to the
    test that happens to be running: 0.2 s in a suite of some hundred properties, ten times what one of them
    costs. With all of that set aside a property pays for its own objects, whatever ran before it. Other tests
    find the heap whole: some of them ask the collector what it knows, or drop an object of their module and
    expect it to be gone. What a property has left is collected before the next one begins; otherwise it
    would be kept.
    """

    def __init__(self) -> None:
        self.is_aside = False

    def set_aside(self) -> None:
        """Set aside what there is; called before a property, outside of what is timed."""
        if hasattr(gc, "freeze"):  # PyPy collects in another way
            gc.freeze()
            self.is_aside = True

    def collect(self) -> None:
        """Collect what came since; called after a property that another one follows, outside of its time."""
        gc.collect()

    def restore(self) -> None:
        """Give everything back to the collector."""
        if self.is_aside:
            gc.unfreeze()
            self.is_aside = False
