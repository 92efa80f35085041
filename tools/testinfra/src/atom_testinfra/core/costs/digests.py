"""
Digests of what was measured, so that a figure changed by hand is noticed and found.

They are taken of the values, not of the text: a formatter may lay the file out anew. They protect against
slips and wishful edits, not against someone who computes them again.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atom_testinfra.core.costs.baseline import Evidence, PropertyCost, SessionProvenance

LENGTH = 12
NO_CHECK = "0" * LENGTH
"""In place of a digest that is yet to be computed: as long as one."""

COST_LINE = b"\n      "
"""Before each profile of a property."""
END_OF_PROPERTY = b"\n    }}"
AFTER_CHECK = len(b'{"check":"",') + LENGTH
"""Where the text of a property goes on after its digest, which comes first."""

_encode = msgspec.json.Encoder(order="deterministic").encode


def encode_property(subject: PropertyCost) -> bytes:
    """Return a property as it is written: on one line, and a line for each of its profiles."""
    costs = [_encode(profile) + b": " + _encode(cost) for profile, cost in sorted(subject.profiles.items())]
    # `profiles` is the last key, so that the head ends in its empty object and two braces.
    head = _encode(msgspec.structs.replace(subject, profiles={}))[:-2]
    return head + COST_LINE + (b"," + COST_LINE).join(costs) + END_OF_PROPERTY


def digest_property(subject: PropertyCost) -> str:
    """Return the digest of a property: of its values, as they are written after its `check`."""
    return digest_text(encode_property(msgspec.structs.replace(subject, check=NO_CHECK)))


def digest_text(text: bytes | memoryview) -> str:
    """Return the digest of a property that stands as `encode_property` writes it."""
    return _digest(text[AFTER_CHECK:])


class PropertiesDigest:
    """The digest of all properties, which enter one by one, each by its own digest."""

    def __init__(self) -> None:
        self._running = sha256()

    def add(self, nodeid: str, subject: PropertyCost) -> None:
        """Take one property into account."""
        self._running.update(_encode((nodeid, subject.check)))

    def result(self) -> str:
        """Return the digest of those added so far."""
        return self._running.hexdigest()[:LENGTH]


def digest_sections(evidence: Evidence, verification_timestamp: str) -> dict[str, str]:
    """Return the digests of everything but the properties, by key."""
    return {
        "earlier": digest_earlier(evidence.earlier),
        "excluded": _digest(_encode(evidence.excluded)),
        "provenance": _digest(_encode(evidence.provenance)),
        "suite": _digest(_encode(evidence.suite)),
        "targets": _digest(_encode(evidence.targets)),
        "tiers": _digest(_encode(list(evidence.tiers.items()))),
        "verification_timestamp": _digest(_encode(verification_timestamp)),
    }


def digest_earlier(earlier: Mapping[str, SessionProvenance]) -> str:
    """Return the digest of the earlier sessions, whose order is part of it."""
    return _digest(_encode([*earlier.items()]))


def _digest(data: bytes | memoryview) -> str:
    return sha256(data).hexdigest()[:LENGTH]
