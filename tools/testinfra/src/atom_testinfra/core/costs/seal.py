"""Whether what was measured is still what its digests were taken of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.costs.baseline import EncodedProperties
from atom_testinfra.core.costs.digests import PropertiesDigest, digest_property, digest_sections
from atom_testinfra.core.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atom_testinfra.core.costs.baseline import Baseline, PropertyCost

COMPARED_KEYS = ("earlier", "excluded", "provenance")
"""Beside the properties: what says how two sides are to be compared."""
PUBLISHED_KEYS = (*COMPARED_KEYS, "suite", "targets", "tiers", "verification_timestamp")
"""Beside the properties: all that is measured or set, for any of it can be quoted."""
N_NAMED = 3
"""Places that an error names."""


def refuse_changed(
    baseline: Baseline, name: str, file: str = "FILE", *, keys: Sequence[str] = COMPARED_KEYS
) -> None:
    """
    Raise when a figure was changed after the file was written: nothing may be concluded from it.

    This looks at the digests of what was measured; `verification.check` computes again what follows from it.

    Args:
        baseline: the file, read.
        name: stands for it in the message.
        file: stands for it in the hint.
        keys: what is to hold beside the properties.

    Raises:
        BaselineError: A digest does not hold.
    """
    changed = _find_changed(baseline, keys)
    if not changed:
        return
    named = ", ".join(map(repr, changed[:N_NAMED])) + (" ..." if len(changed) > N_NAMED else "")
    told = f"the digest of {named} does" if len(changed) == 1 else f"{len(changed)} digests, of {named}, do"
    raise BaselineError(
        f"{name!r} was changed after it was written: {told} not hold",
        hint=f"see which figures: testinfra verify --check {file}",
    )


def _find_changed(baseline: Baseline, keys: Sequence[str]) -> list[str]:
    """Return the node ids, then the keys of the file, that are not what their digests were taken of."""
    properties = baseline.properties
    is_sealed = seal_of(properties)
    changed = [n for n in properties if not is_sealed(n) and not _holds(properties[n])]
    expected = digest_sections(baseline, baseline.verification_timestamp)
    expected["properties"] = digest_properties(properties)
    return changed + [key for key in ("properties", *keys) if baseline.digests.get(key) != expected[key]]


def _holds(subject: PropertyCost) -> bool:
    return digest_property(subject) == subject.check


def seal_of(properties: Mapping[str, PropertyCost]) -> Callable[[str], bool]:
    """Return what tells of a property that its digest holds, without computing it; False is not known."""
    return properties.is_sealed if isinstance(properties, EncodedProperties) else lambda _: False


def digest_properties(properties: Mapping[str, PropertyCost]) -> str:
    """Return the digest of all properties, each by its own, whether or not that holds."""
    if isinstance(properties, EncodedProperties):
        return properties.digest
    digest = PropertiesDigest()
    for nodeid, subject in properties.items():
        digest.add(nodeid, subject)
    return digest.result()
