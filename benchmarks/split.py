"""
What a property still finds when its examples are split: `make bench-split`.

Eight kinds of property with a bug that is rare in one way or another run 100 times whole and as shares, at
equal numbers of examples, without saved examples. Shares have the settings and the seeds that
`--testinfra-split` gives them, also where it would leave such a property whole: the table says why.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence import save, table
from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

from atom_testinfra.core.scheduling.splitting import DOMAIN_FACTOR, ShareNumber, seed_of_share
from atom_testinfra.pytest_plugin.internals import SEED, SETTINGS
from atom_testinfra.pytest_plugin.scheduling.shares import share_settings
from atom_testinfra.pytest_plugin.scheduling.splittable import calls_target
from atom_testinfra.pytest_plugin.steering.domains import count_inputs

if TYPE_CHECKING:
    from collections.abc import Callable

N_RUNS = 100
N_EXAMPLES = 200
SHARES = (2, 4)
NO_FOLDER = Path(tempfile.gettempdir()) / "never-written"
"""The properties have a database of their own, so the shares do not use this one."""


class FoundError(Exception):
    """The bug."""


def _digest(value: object) -> int:
    return int.from_bytes(sha256(repr(value).encode()).digest()[:4])


def _guide(value: int) -> None:
    target(-abs(value - 777_777_777.0))
    if abs(value - 777_777_777) < 1000:
        raise FoundError


def _fails_if(is_bug: Callable[..., bool]) -> Callable[..., None]:
    def body(*values: Any) -> None:
        if is_bug(*values):
            raise FoundError

    return body


INTEGERS = st.integers(0, 10**9)
KINDS: dict[str, tuple[list[st.SearchStrategy[Any]], Callable[..., None]]] = {
    "1 of 200 integers": ([INTEGERS], _fails_if(lambda x: _digest(x) % 200 == 0)),
    "1 of 200 lists": ([st.lists(INTEGERS)], _fails_if(lambda xs: bool(xs) and _digest(xs) % 200 == 0)),
    "two equal large integers": ([INTEGERS, INTEGERS], _fails_if(lambda x, y: x == y > 1000)),
    "a list of 40 or more": ([st.lists(st.booleans())], _fails_if(lambda xs: len(xs) >= 40)),
    "a text with a rare letter": (
        [st.text()],
        _fails_if(lambda text: any(_digest(c) % 900 == 0 for c in text)),
    ),
    "a number near a limit": ([st.floats(allow_nan=False)], _fails_if(lambda x: 1e5 < abs(x) < 1e6)),
    "2 of 400 inputs": ([st.integers(0, 399)], _fails_if(lambda x: x in {211, 342})),
    "guided by target()": ([INTEGERS], _guide),
}


def main() -> int:
    """Run, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; figures are the same")
    cells = [(kind, n) for kind in KINDS for n in (1, *SHARES)]
    with ProcessPoolExecutor(parser.parse_args().jobs) as pool:
        counts = dict(zip(cells, pool.map(_count, *zip(*cells, strict=True)), strict=True))
    found = {kind: {n: counts[kind, n] for n in (1, *SHARES)} for kind in KINDS}
    rows = [
        [
            kind,
            *(str(found[kind][n]) for n in (1, *SHARES)),
            "split" if _is_split(kind) else "left whole",
        ]
        for kind in KINDS
    ]
    split = [kind for kind in KINDS if _is_split(kind)]
    lost = [
        f"{kind}, {n} shares" for kind in split for n in SHARES if _is_less(found[kind][n], found[kind][1])
    ]
    verdict = (
        "No kind that is split finds its bug less often than whole, beyond chance (one-sided, 2.3 %)."
        if not lost
        else f"Found less often than whole, beyond chance (one-sided, 2.3 %): {'; '.join(lost)}."
    )
    head = ["runs that found the bug", "whole", *(f"{n} shares" for n in SHARES), "--testinfra-split"]
    report = (
        f"{N_RUNS} runs of {N_EXAMPLES} examples each, whole and in shares that add up to the same number. "
        "The seeds of the runs differ, and are the same whenever this is run.\n\n"
        f"{table(head, rows)}\n\n{verdict}"
    )
    save("split", "make bench-split", found, report)
    return 0


def _count(kind: str, n_shares: int) -> int:
    sys.stderr.write(f"{kind}, {n_shares} shares\n")
    return sum(_finds(kind, run, n_shares) for run in range(N_RUNS))


def _finds(kind: str, run: int, n_shares: int) -> bool:
    """Return whether one of the shares finds the bug; each runs to its end, as it does on its own worker."""
    return any(_run(kind, run, ShareNumber(number, n_shares)) for number in range(1, n_shares + 1))


def _run(kind: str, run: int, share: ShareNumber) -> bool:
    strategies, body = KINDS[kind]
    test: Any = given(*strategies)(_with_arguments(body, len(strategies)))
    own = settings(
        max_examples=N_EXAMPLES,
        database=InMemoryExampleDatabase(),
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target],
        suppress_health_check=list(HealthCheck),
    )
    setattr(test, SETTINGS, own if share.n_shares == 1 else share_settings(own, share, NO_FOLDER))
    setattr(test, SEED, seed_of_share(str(run), kind, share))
    try:
        test()
    except FoundError:
        return True
    return False


def _with_arguments(body: Callable[..., None], n: int) -> Callable[..., None]:
    """Return the body as a function with named arguments, which Hypothesis asks for."""
    if n == 1:
        return lambda x: body(x)
    return lambda x, y: body(x, y)


def _is_split(kind: str) -> bool:
    strategies, body = KINDS[kind]
    n_inputs = count_inputs({str(i): strategy for i, strategy in enumerate(strategies)})
    return not calls_target(body) and n_inputs >= DOMAIN_FACTOR * N_EXAMPLES


def _is_less(split: int, whole: int) -> bool:
    """Whether two shares of `N_RUNS` differ by more than two standard errors."""
    mean = (split + whole) / (2 * N_RUNS)
    return (whole - split) / N_RUNS > 2 * sqrt(2 * mean * (1 - mean) / N_RUNS)


if __name__ == "__main__":
    raise SystemExit(main())
