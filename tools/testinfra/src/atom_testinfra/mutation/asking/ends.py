"""What the end of a copy says about the mutant in it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from atom_testinfra.core.mutants import MutantVerdict

if TYPE_CHECKING:
    from atom_testinfra.mutation.asking.copies import Copy

CAME_BACK = "a process that a test forked goes on with the tests instead of ending, so that two would report"


def describe_end(copy: Copy, status: int) -> dict[str, Any]:
    """Return the verdict that a copy gave, or what its end says where it gave none."""
    for said in reversed(copy.said):
        if "verdict" in said:
            test = next((one["test"] for one in reversed(copy.said) if "test" in one), None)
            answer = dict(said, verdict=MutantVerdict(said["verdict"]))
            if answer["verdict"].is_noticed:
                answer.setdefault("noticed_by", test)
            if answer.get("n_run") is None:
                answer["n_run"] = sum("test" in one for one in copy.said)
            if answer["verdict"] is MutantVerdict.SURVIVED and any("came_back" in one for one in copy.said):
                return {"verdict": MutantVerdict.NOT_ASKED, "reason": CAME_BACK, "n_run": answer["n_run"]}
            return answer
        if "unfit" in said:
            return {"verdict": MutantVerdict.NOT_ASKED, "reason": said["unfit"], "n_run": 0}
        if "trouble" in said:
            return {
                "verdict": MutantVerdict.EXCEPTION,
                "error": said["trouble"].strip().splitlines()[-1][:200],
            } | _last(copy)
    code = os.waitstatus_to_exitcode(status)
    if copy.is_overdue:
        return {"verdict": MutantVerdict.TIME, "error": "it waited for something that never came"} | _last(
            copy
        )
    if code == -signal.SIGXCPU:
        return {"verdict": MutantVerdict.TIME} | _last(copy)
    how = (
        f"the process was ended by signal {-code}"
        if code < 0
        else f"the process ended itself with status {code}"
    )
    return {"verdict": MutantVerdict.LIMIT, "error": how} | _last(copy)


def _last(copy: Copy) -> dict[str, Any]:
    """Return the test that was running, and how many had begun."""
    tests = [said["test"] for said in copy.said if "test" in said]
    return {"noticed_by": tests[-1] if tests else None, "n_run": len(tests)}
