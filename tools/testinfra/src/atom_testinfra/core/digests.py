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
    from atom_testinfra.core.baseline import Evidence, ProfileCost, PropertyCost

LENGTH = 12

_encode = msgspec.json.Encoder(order="deterministic").encode


def digest_cost(cost: ProfileCost) -> str:
    """Return the digest of a property's cost under one profile."""
    return digest_encoded_cost(_encode(cost))


def digest_encoded_cost(data: bytes) -> str:
    """Return the digest of a cost that is encoded already."""
    # `check` is the last field, and left out where it is empty.
    unsealed, key, _ = data.rpartition(b',"check":')
    return _digest(unsealed + b"}" if key else data)


def digest_property(subject: PropertyCost) -> str:
    """Return the digest of a property; its profiles enter by their own digests."""
    head = msgspec.structs.replace(subject, check="", profiles={})
    checks = {profile: cost.check for profile, cost in subject.profiles.items()}
    return _digest(_encode((head, checks)))


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
        "excluded": _digest(_encode(evidence.excluded)),
        "provenance": _digest(_encode(evidence.provenance)),
        "suite": _digest(_encode(evidence.suite)),
        "targets": _digest(_encode(evidence.targets)),
        "tiers": _digest(_encode(list(evidence.tiers.items()))),
        "verification_timestamp": _digest(_encode(verification_timestamp)),
    }


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:LENGTH]
