"""Bring a baseline of an older schema version to the present one."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from atom_testinfra.core.costs.baseline import SCHEMA_VERSION, ProfileCost, PropertyCost, TierName, update
from atom_testinfra.core.costs.digests import (
    LENGTH,
    PropertiesDigest,
    digest_earlier,
    digest_property,
    encode_property,
)
from atom_testinfra.core.errors import BaselineError
from atom_testinfra.core.records.measurement import Pin
from atom_testinfra.core.vocabulary import Kind
from atom_testinfra.storage.json_document import RESTORE, decode_value

_encode = msgspec.json.Encoder(order="deterministic").encode


class ProfileCost1(
    ProfileCost, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """A cost of version 1: the same figures, and a digest of its own, taken of them in this order."""

    check: str = ""


class PropertyCost1(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A property of version 1."""

    kind: Kind
    tier: TierName
    measured_tier: TierName
    is_declared: bool = False
    digest: str | None = None
    pin: Pin | None = None
    check: str = ""
    profiles: dict[str, ProfileCost1]


_properties_decoder = msgspec.json.Decoder(dict[str, PropertyCost1])
_notes_decoder = msgspec.json.Decoder(list[str])
_digests_decoder = msgspec.json.Decoder(dict[str, str])


def to_version_3(values: dict[str, Raw], name: str) -> dict[str, Raw]:
    """
    Return the values of a file of version 2 as version 3 has them.

    Version 3 names the calibration, which may be missing, has its notes as one text, and figures of earlier
    sessions.

    Raises:
        BaselineError: A key is missing, or a value has another type.
    """
    for key in ("digests", "notes"):
        if key not in values:
            raise BaselineError(f"{name!r}: the key {key!r} is missing", hint=RESTORE)
    notes = decode_value(_notes_decoder, values["notes"], "notes", name)
    digests = decode_value(_digests_decoder, values["digests"], "digests", name)
    encoded: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "notes": " ".join(notes),
        "earlier": {},
        "digests": digests | {"earlier": digest_earlier({})},
    }
    return values | {key: Raw(msgspec.json.encode(value)) for key, value in encoded.items()}


def migrate(values: dict[str, Raw], name: str) -> dict[str, Raw]:
    """
    Return the values of a file of version 1 as version 2 has them.

    Version 1 kept a digest for each cost, and one of those for each property. They cannot be carried over, so
    that they are checked against the figures here, once and for all.

    Raises:
        BaselineError: A key is missing, a value has another type or range, or a figure was changed by hand.
    """
    for key in ("digests", "properties"):
        if key not in values:
            raise BaselineError(f"{name!r}: the key {key!r} is missing", hint=RESTORE)
    digests = decode_value(_digests_decoder, values["digests"], "digests", name)
    found = decode_value(_properties_decoder, values["properties"], "properties", name)
    before, after = sha256(), PropertiesDigest()
    texts: dict[str, Raw] = {}
    for nodeid, old in sorted(found.items()):
        _verify(old, f"properties[{_encode(nodeid).decode()}]", name)
        before.update(_encode((nodeid, old.check)))
        subject = _convert(old)
        after.add(nodeid, subject)
        texts[nodeid] = Raw(encode_property(subject))
    if before.hexdigest()[:LENGTH] != digests.get("properties"):
        raise _changed("properties", name)
    encoded: dict[str, Any] = {
        "schema_version": 2,
        "digests": digests | {"properties": after.result()},
        "properties": texts,
    }
    return values | {key: Raw(msgspec.json.encode(value)) for key, value in encoded.items()}


def _verify(old: PropertyCost1, place: str, name: str) -> None:
    for profile, cost in old.profiles.items():
        if _digest(replace(cost, check="")) != cost.check:
            raise _changed(f"{place}.profiles[{_encode(profile).decode()}]", name)
    checks = {profile: cost.check for profile, cost in old.profiles.items()}
    if _digest((replace(old, check="", profiles={}), checks)) != old.check:
        raise _changed(place, name)


def _convert(old: PropertyCost1) -> PropertyCost:
    profiles = {
        profile: ProfileCost(**{field: getattr(cost, field) for field in ProfileCost.__struct_fields__})
        for profile, cost in old.profiles.items()
    }
    others = [field for field in PropertyCost.__struct_fields__ if field not in {"check", "profiles"}]
    subject = PropertyCost(**{field: getattr(old, field) for field in others}, profiles=profiles)
    return update(subject, check=digest_property(subject))


def _digest(value: object) -> str:
    return sha256(_encode(value)).hexdigest()[:LENGTH]


def _changed(place: str, name: str) -> BaselineError:
    return BaselineError(f"{name!r}: {place} does not fit its digest", hint=RESTORE)
