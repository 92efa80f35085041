"""
Read and write `performance_baseline.json`.

Reading is strict: what it returns has the right types and ranges, and no key stood there twice. Writing keeps
every key that is not the tool's own, and leaves either the old file or the new one, whole, whatever happens.
"""

from __future__ import annotations

import os
import stat
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from atom_testinfra.core.changes.columns import ComparedCost
from atom_testinfra.core.costs.baseline import (
    SCHEMA,
    SCHEMA_VERSION,
    Baseline,
    EncodedProperties,
    PlanTargets,
    PropertyCost,
    TargetsMet,
    TargetsVerified,
)
from atom_testinfra.core.costs.digests import PropertiesDigest, digest_text, encode_property
from atom_testinfra.core.errors import BaselineError, NothingMeasuredError
from atom_testinfra.core.targets.verification import reword
from atom_testinfra.storage.atomic import replace_file, writing
from atom_testinfra.storage.json_document import (
    RESTORE,
    decode_value,
    refuse_duplicate_keys,
    split_object,
)
from atom_testinfra.storage.migration import migrate, to_version_3

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

KEYS = (
    "schema",
    "schema_version",
    "verification_timestamp",
    "targets_met",
    "targets_verified",
    "notes",
    "slowest_tests",
    "property_test_targets",
    "targets",
    "tiers",
    "provenance",
    "earlier",
    "suite",
    "excluded",
    "digests",
    "properties",
)
"""The tool's own keys, in the order of a new file."""

PLAN_KEYS = frozenset(
    {
        "slowest_tests",
        "property_test_targets",
        "targets_met",
        "targets_verified",
        "verification_timestamp",
        "notes",
    }
)
"""Keys that a baseline written by hand has; one of them is enough to tell that it is one."""

SHARED: dict[str, type[Struct]] = {
    "targets_met": TargetsMet,
    "targets_verified": TargetsVerified,
    "property_test_targets": PlanTargets,
}
"""Objects of the plan in which other people's keys are kept, too."""

SCHEMA_FILE = "performance_baseline.schema.json"
MEASURE = "measure, then verify: testinfra measure --baseline && testinfra verify"

_encoder = msgspec.json.Encoder()
_property_decoder = msgspec.json.Decoder(PropertyCost)
_raw_object_decoder = msgspec.json.Decoder(dict[str, Raw])
_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    field.encode_name: msgspec.json.Decoder(field.type)
    for field in msgspec.structs.fields(Baseline)
    if field.name != "properties"
}


class StoredProperties(EncodedProperties):
    """The properties of a file, decoded one at a time: 100,000 of them all at once would not fit."""

    def __init__(self, values: dict[str, Raw], name: str) -> None:
        self._values = dict(sorted(values.items())) if [*values] != sorted(values) else values
        self._name = name
        self._unsealed: set[str] = set()
        self._digest = ""

    @property
    def digest(self) -> str:
        """The digest of all of them, each by its own, whether or not that holds."""
        return self._digest

    @property
    def is_canonical(self) -> bool:
        """Whether every text is the one that this tool writes: then no key stands there twice."""
        return not self._unsealed

    def is_sealed(self, nodeid: str) -> bool:
        """Return whether a property's text is the very one that its digest was taken of."""
        return nodeid not in self._unsealed

    def __getitem__(self, nodeid: str) -> PropertyCost:
        return _property_decoder.decode(self._values[nodeid])

    def validate(self, sources: Collection[str] = ()) -> None:
        """
        Decode all of them, so that no later access can fail; `sources` are the earlier sessions there are.

        Raises:
            BaselineError: One of them is not what a run can have produced.
        """
        digest = PropertiesDigest()
        for nodeid, value in self._values.items():
            subject = self._decode(nodeid, value)
            for profile, cost in subject.profiles.items():
                flaw = cost.find_flaw()
                if cost.source is not None and cost.source not in sources:
                    flaw = _no_session(cost.source)
                if flaw is not None:
                    place = f"{_place(nodeid)}.profiles[{profile!r}]"
                    raise BaselineError(f"{self._name!r}: {place}: {flaw}", hint=RESTORE)
            if digest_text(memoryview(value)) != subject.check:
                self._unsealed.add(nodeid)
            digest.add(nodeid, subject)
        self._digest = digest.result()

    def _decode(self, nodeid: str, value: Raw) -> PropertyCost:
        try:
            return _property_decoder.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return decode_value(_property_decoder, value, _place(nodeid), self._name)  # says where

    def texts(self) -> Iterator[tuple[str, bytes]]:
        """Yield them in the order of the file."""
        return ((nodeid, bytes(value)) for nodeid, value in self._values.items())

    def costs(self, profile: str) -> Iterator[tuple[str, ComparedCost | None, str | None]]:
        """Yield node id, cost under one profile and digest: what a comparison needs, for less than all."""
        under = msgspec.defstruct(
            "Under", [("cost", ComparedCost | None, None)], rename={"cost": profile}, gc=False
        )
        compared = msgspec.defstruct(
            "Compared", [("profiles", under), ("digest", str | None, None)], gc=False
        )
        decode = msgspec.json.Decoder(compared).decode
        for nodeid, value in self._values.items():
            found: Any = decode(value)
            yield nodeid, found.profiles.cost, found.digest

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Foreign(Struct, frozen=True, kw_only=True):
    """What a file holds that is not the tool's: kept by every update, in its place."""

    order: list[str]
    """All keys of the file, in order."""
    values: dict[str, Raw]
    nested: dict[str, dict[str, Raw]]
    """Inside the objects of the plan."""


NOTHING_FOREIGN = Foreign(order=[], values={}, nested={})


def load_baseline(path: Path) -> Baseline:
    """
    Return the baseline in a file.

    Raises:
        NothingMeasuredError: There is no such file.
        BaselineError: It cannot be read, or it is not a baseline that can be trusted.
    """
    data = _read(path)
    if data is None:
        raise NothingMeasuredError(f"no baseline at {os.fspath(path)!r}", hint=MEASURE)
    return parse_baseline(data, os.fspath(path))


def parse_baseline(data: bytes, name: str) -> Baseline:
    """
    Return the baseline that a text holds; `name` stands for it in messages.

    Raises:
        BaselineError: It is not a baseline that can be trusted.
    """
    return _parse(data, name)[0]


def baseline_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, as it is shipped with this package."""
    text = resources.files("atom_testinfra.storage").joinpath("schemas", SCHEMA_FILE).read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(text)
    return schema


def save_baseline(path: Path, baseline: Baseline, *, adopt: bool = False) -> None:
    """
    Write the baseline and keep the file's unknown keys; concurrent writers wait for the lock.

    Raises:
        BaselineError: The file is not one that may be replaced (`adopt` allows any JSON object), or it
            cannot be written. It is as it was then.
    """
    with writing(path) as target:
        foreign = read_foreign(target, adopt=adopt)
        _replace(target, render_baseline(baseline, foreign), os.fspath(path))


def update_baseline(
    path: Path, make: Callable[[Baseline | None], Baseline], *, adopt: bool = False
) -> Baseline:
    """
    Write what `make` returns for the baseline that is there, and return it; other writers wait meanwhile.

    `make` is given `None` where there is no file, or one without figures of ours.

    Raises:
        BaselineError: The file is not one that may be replaced (`adopt` allows any JSON object), or it
            cannot be written. It is as it was then.
    """
    with writing(path) as target:
        before, foreign = _read_previous(target, adopt=adopt)
        baseline = make(before)
        _replace(target, render_baseline(baseline, foreign), os.fspath(path))
    return baseline


def _replace(target: Path, pieces: Iterator[bytes], name: str) -> None:
    """Write the pieces, unless what they make is a file that is refused when it is read."""

    def read_back(written: Path) -> None:
        try:
            parse_baseline(written.read_bytes(), name)
        except BaselineError as exc:
            raise BaselineError(
                f"not written, because it cannot be read again: {exc}",
                hint="a record of that test holds an impossible figure: measure it again",
            ) from exc

    replace_file(target, pieces, check=read_back)


def read_foreign(path: Path, *, adopt: bool = False) -> Foreign:
    """
    Return what an update of the file has to keep.

    Raises:
        BaselineError: The file is not one that may be replaced.
    """
    return _read_previous(path, adopt=adopt)[1]


def _read_previous(path: Path, *, adopt: bool) -> tuple[Baseline | None, Foreign]:
    """Return the baseline in a file, `None` if it has no figures of ours, and what else it holds."""
    data = _read(path)
    if data is None:
        return None, NOTHING_FOREIGN
    name = os.fspath(path)
    values = split_object(data, name)
    if "schema" in values and _is_marked(values, name):
        return _parse(data, name)
    refuse_duplicate_keys(data, name)
    if not adopt and values and not PLAN_KEYS & values.keys():
        raise BaselineError(
            f"{name!r} is not a performance baseline",
            hint="name another file: baseline = ... in [tool.testinfra], or keep its keys with --adopt",
        )
    # It was written by hand: what it has under a name of ours is somebody's figure, and stays under another.
    renamed = {
        _previous(key, values) if key in KEYS and key not in PLAN_KEYS else key: value
        for key, value in values.items()
    }
    renamed |= {_previous(key, values): values[key] for key in values if key in PLAN_KEYS}
    return None, _foreign(renamed, name)


def _previous(key: str, taken: Collection[str]) -> str:
    name = f"previous_{key}"
    while name in taken:
        name = f"previous_{name}"
    return name


def render_baseline(
    baseline: Baseline,
    foreign: Foreign = NOTHING_FOREIGN,
) -> Iterator[bytes]:
    """Yield the file, piece by piece: the keys it had in their order, then the new ones."""
    order = dict.fromkeys([*foreign.order, *KEYS])
    separator = b"{\n  "
    for key in order:
        yield separator + _encoder.encode(key) + b": "
        if key in foreign.values:
            yield bytes(foreign.values[key])
        elif key == "properties":
            yield from _join_properties(_texts(baseline.properties))
        else:
            yield _render_value(getattr(baseline, key), foreign.nested.get(key, {}))
        separator = b",\n  "
    yield b"\n}\n"


def _render_value(value: object, nested: dict[str, Raw]) -> bytes:
    if isinstance(value, list) and value and isinstance(value[0], Struct):
        lines = b",\n    ".join(_encoder.encode(entry) for entry in value)
        return b"[\n    " + lines + b"\n  ]"
    if nested and isinstance(value, Struct):
        value = {**msgspec.structs.asdict(value), **nested}
    return msgspec.json.format(_encoder.encode(value), indent=2).replace(b"\n", b"\n  ")


def _join_properties(texts: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    separator = b"{\n    "
    for nodeid, text in texts:
        yield separator + _encoder.encode(nodeid) + b": " + text
        separator = b",\n    "
    yield b"\n  }" if separator.startswith(b",") else b"{}"


def _texts(properties: Mapping[str, PropertyCost]) -> Iterator[tuple[str, bytes]]:
    """Return each property as it is written: as it stands in the file, if that is one that we wrote."""
    if isinstance(properties, StoredProperties) and properties.is_canonical:
        return properties.texts()
    return ((nodeid, encode_property(subject)) for nodeid, subject in properties.items())


def _parse(data: bytes, name: str) -> tuple[Baseline, Foreign]:
    values = split_object(data, name)
    version = _require_ours(values, name)
    if version == 1:
        values = migrate(values, name)
    if version < SCHEMA_VERSION:
        values = to_version_3(values, name)
    fields: dict[str, Any] = {
        key: decode_value(decoder, _require(values, key, name), key, name)
        for key, decoder in _decoders.items()
    }
    raw = decode_value(_raw_object_decoder, _require(values, "properties", name), "properties", name)
    properties = StoredProperties(raw, name)
    properties.validate(fields["earlier"])
    baseline = Baseline(**fields, properties=properties)
    _refuse_unknown_sources(baseline, name)
    foreign = _foreign(values, name)
    if not properties.is_canonical or not _is_canonical(data, baseline, foreign):
        refuse_duplicate_keys(data, name)
    else:  # what is not ours has been taken as it stands
        for value in [
            *foreign.values.values(),
            *(v for part in foreign.nested.values() for v in part.values()),
        ]:
            refuse_duplicate_keys(bytes(value), name)
    return (baseline if version == SCHEMA_VERSION else reword(baseline)), foreign


def _refuse_unknown_sources(baseline: Baseline, name: str) -> None:
    """Raise where something is said to come from a session that the file does not have."""
    suite = [] if baseline.suite is None else [("suite", baseline.suite.source)]
    excluded = [(f"excluded[{n}]", entry.source) for n, entry in enumerate(baseline.excluded)]
    for place, source in [*suite, *excluded]:
        if source is not None and source not in baseline.earlier:
            raise BaselineError(f"{name!r}: {place}: {_no_session(source)}", hint=RESTORE)


def _no_session(source: str) -> str:
    return f"its `source` {source!r} is not a session in `earlier`"


def _is_canonical(data: bytes, baseline: Baseline, foreign: Foreign) -> bool:
    """
    Return whether a text is the very one that this module would write around its properties.

    It has no key twice then, which is quicker to see than looking for them.
    """
    position = 0
    for piece in render_baseline(baseline, foreign):
        if not data.startswith(piece, position):
            return False
        position += len(piece)
    return position == len(data)


def _place(nodeid: str) -> str:
    return f"properties[{_encoder.encode(nodeid).decode()}]"


def _foreign(values: dict[str, Raw], name: str) -> Foreign:
    nested = {}
    for key, struct in SHARED.items():
        if key in values and bytes(values[key]).lstrip().startswith(b"{"):
            inner = decode_value(_raw_object_decoder, values[key], key, name)
            nested[key] = {k: v for k, v in inner.items() if k not in struct.__struct_fields__}
    return Foreign(
        order=[*values],
        values={key: value for key, value in values.items() if key not in KEYS},
        nested=nested,
    )


def _is_marked(values: dict[str, Raw], name: str) -> bool:
    schema = decode_value(msgspec.json.Decoder(object), values["schema"], "schema", name)
    return schema == SCHEMA


def _require_ours(values: dict[str, Raw], name: str) -> int:
    """Return the version of the schema, which is one that can be read."""
    if "schema" not in values or not _is_marked(values, name):
        if PLAN_KEYS & values.keys():
            raise BaselineError(
                f"{name!r} has verdicts, but no measurements that they follow from", hint=MEASURE
            )
        raise BaselineError(f"{name!r} is not a performance baseline", hint=MEASURE)
    version = decode_value(
        msgspec.json.Decoder(int), _require(values, "schema_version", name), "schema_version", name
    )
    if version > SCHEMA_VERSION:
        raise BaselineError(
            f"{name!r}: schema_version {version} is newer than {SCHEMA_VERSION}, which is read here",
            hint="update atom-testinfra",
        )
    if version < 1:
        raise BaselineError(f"{name!r}: there is no schema_version {version}", hint=RESTORE)
    return version


def _require(values: dict[str, Raw], key: str, name: str) -> Raw:
    if key not in values:
        raise BaselineError(f"{name!r}: the key {key!r} is missing", hint=RESTORE)
    return values[key]


def _read(path: Path) -> bytes | None:
    try:
        mode = path.stat().st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):  # /dev/zero has no end; a pipe has one
            raise BaselineError(f"cannot read {os.fspath(path)!r}: it is a device")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise BaselineError(f"cannot read {os.fspath(path)!r}: {exc.strerror or exc}") from exc
