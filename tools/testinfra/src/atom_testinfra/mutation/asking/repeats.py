"""Whether a test does again, unchanged, what it did when it was recorded: only then its answer counts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from atom_testinfra.mutation.asking.copies import Copies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.mutants import Reach
    from atom_testinfra.mutation.asking.copies import Say
    from atom_testinfra.mutation.asking.in_process import Asker
    from atom_testinfra.mutation.asking.sharing import SharedEntries

MEASURED_WALL_S = 300.0
"""How long an unchanged test may take on the clock."""


class Repeat(NamedTuple):
    """What a test did when it ran again, unchanged, in a copy of the process that is asked."""

    error: str | None
    """Why it does not pass there."""
    rests: frozenset[str]
    """Functions, by `path:name`, that it enters less often than before: what they made is still there."""


class Repeats:
    """Runs tests once more, unchanged, before an answer of theirs is believed."""

    def __init__(self, asker: Asker, entries: SharedEntries) -> None:
        self._asker = asker
        self._entries = entries
        self._known: dict[str, Repeat] = {}

    def of(self, tests: Sequence[Reach]) -> Mapping[str, Repeat]:
        """Return what these tests do again; each runs once in a session."""
        new = {test.nodeid: test for test in tests if test.nodeid not in self._known}
        while new:
            copies = Copies(1)
            copies.start(partial(self._run, list(new.values())), wall_s=MEASURED_WALL_S)
            copy, _ = copies.wait_for_one()
            for said in copy.said:
                if "again" in said:
                    self._known[said["again"]] = Repeat(said["error"], frozenset(said["rests"]))
                    del new[said["again"]]
            begun = next((said["begins"] for said in reversed(copy.said) if "begins" in said), None)
            if begun in new:  # it ended the copy, or did not end
                self._known[begun] = Repeat("it ends the process that it runs in", frozenset())
                del new[begun]
        return {test.nodeid: self._known[test.nodeid] for test in tests}

    def _run(self, tests: Sequence[Reach], say: Say) -> None:
        self._asker.use_own_folder()
        self._entries.forget_fixtures()
        for test in tests:
            say({"begins": test.nodeid, "wall_s": MEASURED_WALL_S})
            self._entries.begin()
            with self._asker.replay.replaying(test.nodeid):
                raised = self._asker.run(test.nodeid)
            again = self._entries.take(self._asker.items[test.nodeid])
            error = None if raised is None else str(raised)[:300]
            say({"again": test.nodeid, "error": error, "rests": find_rests(test.blocks, again)})


def find_rests(before: Mapping[str, int], again: Mapping[str, int]) -> list[str]:
    """
    Return the functions with a block that a test enters less than half as often as before.

    What such a function returned is kept somewhere, in a cache or in a fixture of the session. A mutant there
    would not run, or not as in a process that never ran the original.
    """
    found = {
        block.rpartition("#")[0] for block, n_before in before.items() if 2 * again.get(block, 0) < n_before
    }
    return sorted(found)
