"""What a copy of the process says, and what is made of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from atom_testinfra.core.mutants import MutantVerdict
from atom_testinfra.mutation.asking.copies import Copies
from atom_testinfra.mutation.asking.ends import describe_end

if TYPE_CHECKING:
    from atom_testinfra.mutation.asking.copies import Say


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (MutantVerdict.SURVIVED, MutantVerdict.NOT_ASKED),
        (MutantVerdict.ASSERTION, MutantVerdict.ASSERTION),
    ],
)
def test_a_mutant_whose_fork_goes_on_with_the_tests_has_not_survived(
    verdict: MutantVerdict, expected: MutantVerdict
) -> None:
    """Two processes of pytest would report then; what the first one noticed stands."""

    def ask(say: Say) -> None:
        say({"test": "test_fork"})
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        say({"verdict": verdict})

    copies = Copies(1)
    copies.start(ask, wall_s=60.0)
    answer = describe_end(*copies.wait_for_one())
    assert answer["verdict"] is expected
    assert ("goes on with the tests" in answer.get("reason", "")) == (expected is MutantVerdict.NOT_ASKED)
