"""What a measurement lacks under older versions of pytest and Hypothesis that still work."""

from __future__ import annotations

from dataclasses import dataclass

OLDEST = {"hypothesis": "6.56.0", "pytest": "7.0"}
"""The oldest versions that the tool's own tests run with, and that its package asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that is not there before a version; every other figure is the same."""

    package: str
    before: str
    """The version from which on it is there."""
    what: str
    """A clause without a full stop."""


LOSSES = (
    Loss(
        package="hypothesis",
        before="6.131.4",
        what="a profile that is loaded after a test was decorated makes the test look pinned, "
        "because settings do not say which profile they come from",
    ),
    Loss(
        package="hypothesis",
        before="6.131.4",
        what="under `pytest --testinfra-time` properties keep their own numbers, "
        "because a limit cannot change during a run",
    ),
    Loss(
        package="hypothesis",
        before="6.103.1",
        what="the time of garbage collection counts for drawing and the body",
    ),
    Loss(
        package="hypothesis",
        before="6.94.0",
        what="`measure --explain` says next to nothing, "
        "because Hypothesis does not say how long a test case took",
    ),
    Loss(
        package="pytest",
        before="8.4",
        what="an exception that a test's garbage raises "
        "when it is collected between two tests is not noticed",
    ),
)
"""By package, the newest version first."""


def losses(package: str, version: str) -> tuple[Loss, ...]:
    """Return what is lost under this version of a package."""
    return tuple(
        loss for loss in LOSSES if loss.package == package and release(version) < release(loss.before)
    )


def release(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version, without what follows them."""
    numbers = []
    for part in version.split("."):
        digits = ""
        for character in part:
            if not (character.isascii() and character.isdigit()):
                break
            digits += character
        if not digits:
            break
        numbers.append(int(digits))
    return tuple([*numbers, 0, 0, 0][:3])
