"""What the runs of `timebox.py` come to, against what is asked of them."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Any

from evidence import table

if TYPE_CHECKING:
    from collections.abc import Sequence

Run = dict[str, Any]
LIMITS = {"known": (0.02, 0.05), "none": (0.05, 0.10), "half": (0.05, 0.10), "double": (0.05, 0.10)}
"""The median and the ninth decile of the deviation that a run may have."""
FAIR = 0.85
BUSY = 0.5
"""CPUs that others use, from where a machine counts as busy."""
GROUPS = {"known": ("known",), "none": ("none",), "wrong by two": ("half", "double")}


def describe(runs: Sequence[Run], *, n_missing: int) -> str:
    """Return the tables, and what was missed."""
    fitting = [run for run in runs if run["fits"]]
    head = ["costs", "workers", "runs", "median", "p90", "worst", "asked", "kept"]
    rows = []
    for name, ways in GROUPS.items():
        for n_workers in sorted({run["n_workers"] for run in runs}):
            found = [run for run in fitting if run["costs"] in ways and run["n_workers"] == n_workers]
            if found:
                rows.append([name, str(n_workers or "none"), *_row(found, LIMITS[ways[0]])])
    quiet = [run for run in fitting if run["others_cpus"] < BUSY]
    loaded = [run for run in fitting if run["others_cpus"] >= BUSY]
    of_all = f" of {len(runs) + n_missing} that were asked for" if n_missing else ""
    parts = [
        f"{len(runs)} runs{of_all}. The deviation is that of the whole process, without its sign.",
        table(head, rows),
        _loads(quiet, loaded),
        _fairness(fitting),
        _all(runs),
    ]
    return "\n\n".join(parts)


def _row(runs: Sequence[Run], limits: tuple[float, float]) -> list[str]:
    off = sorted(abs(run["off"]) for run in runs)
    middle, ninth = median(off), quantile(off, 0.9)
    is_kept = middle <= limits[0] and ninth <= limits[1]
    asked = f"{limits[0]:.0%} / {limits[1]:.0%}"
    return [
        str(len(off)),
        f"{middle:.1%}",
        f"{ninth:.1%}",
        f"{off[-1]:.1%}",
        asked,
        "yes" if is_kept else "NO",
    ]


def quantile(ordered: Sequence[float], q: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    return ordered[max(math.ceil(q * len(ordered)) - 1, 0)]


def _loads(quiet: Sequence[Run], loaded: Sequence[Run]) -> str:
    said = [
        f"{len(runs)} runs beside which other processes used {words} {BUSY:g} CPUs were off by "
        f"{median(abs(run['off']) for run in runs):.1%} (median)"
        for runs, words in ((quiet, "less than"), (loaded, "at least"))
        if runs
    ]
    return f"{'; '.join(said)}."


def _fairness(runs: Sequence[Run]) -> str:
    rows = []
    tools = list(dict.fromkeys(run["tool"] for run in runs))
    for tool, way in ((tool, way) for tool in tools for way in LIMITS):
        of_way = [run for run in runs if (run["costs"], run["tool"]) == (way, tool)]
        found = [run["fairness"] for run in of_way if run["fairness"]]
        if found:
            quarters = [f"{median(run[i] for run in found):.2f}" for i in range(4)]
            n_below = sum(min(run) < FAIR for run in found)
            worst = min(min(run) for run in found)
            name = way if tool == tools[0] else f"{way}, earlier version"
            rows.append([name, str(len(found)), *quarters, f"{worst:.2f}", str(n_below)])
    head = ["costs", "runs", "first", "second", "third", "last quarter", "worst", f"with one below {FAIR}"]
    return (
        "Examples of a property against the number that hindsight would have given, by quarters of the order "
        "in which the properties ended: medians of the properties, and of the runs. Without costs, hindsight "
        f"means equal times.\n\n{table(head, rows)}"
    )


def _all(runs: Sequence[Run]) -> str:
    rows = [
        [
            run["suite"],
            run["tool"][:4],
            run["costs"],
            str(run["n_workers"] or "none"),
            f"{run['asked_s']:g} {run['clock']}",
            f"{run['taken_s']:.2f}",
            f"{run['off']:+.1%}" if run["fits"] else f"({run['off']:+.1%})",
            f"{run['n_examples']:,} of {run['n_properties']}",
            f"{run['cpu_s']:.1f}",
            f"{run['others_cpus']:.1f}",
            " ".join(f"{ratio:.2f}" for ratio in run["fairness"]),
        ]
        for run in runs
    ]
    head = [
        "suite",
        "version",
        "costs",
        "workers",
        "asked",
        "taken",
        "off",
        "examples",
        "CPU s",
        "others",
        "quarters",
    ]
    return (
        "All runs; in brackets those whose floors alone would have taken longer, which count nowhere above. "
        f"`others` is the number of CPUs that other processes used meanwhile.\n\n{table(head, rows)}"
    )
