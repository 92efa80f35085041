"""What a thread got of the CPUs, as the system tells it."""

from __future__ import annotations

import pytest

from atom_testinfra.machine.run_queue import Turns, parse_turns, read_turns


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        (b"2500000000 500000000 42\n", Turns(2.5, 0.5)),
        (b"0 116886 1\n", Turns(0.0, 0.000116886)),
        (b"0 0 0\n", None),
        (b"", None),
        (b"1 2\n", None),
        (b"a b c\n", None),
    ],
)
def test_only_a_kernel_that_counts_is_believed(text: bytes, turns: Turns | None) -> None:
    """Without its statistics the kernel writes zeros, which would say that the machine is quiet."""
    assert parse_turns(text) == turns


def test_what_was_waited_only_grows() -> None:
    """Two readings in a row are in order, where the system tells at all."""
    first, second = read_turns(), read_turns()
    if first is None:
        assert second is None
    else:
        assert second is not None
        assert second.queued_s >= first.queued_s >= 0.0
