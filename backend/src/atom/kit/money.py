"""Money is an integer of minor units (cents); these functions are the only way in and out of decimal text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from atom.kit.errors import InvalidError

MINOR_PER_MAJOR = 100
MAX_AMOUNT_MINOR = 10**15
"""The largest single amount: a sum over nine thousand of them still fits a 64-bit column."""


def parse_amount_minor(text: str, *, field: str = "amount") -> int:
    """Return the minor units of a decimal amount such as `12.30`; a fraction of a minor unit is refused."""
    try:
        major = Decimal(text)
    except InvalidOperation as exc:
        raise InvalidError(f"{text!r} is not an amount", field=field) from exc
    if not major.is_finite() or abs(major) * MINOR_PER_MAJOR > MAX_AMOUNT_MINOR:
        raise InvalidError(f"{text!r} is out of range", field=field)
    minor = major * MINOR_PER_MAJOR
    if minor != minor.to_integral_value():
        raise InvalidError(f"{text!r} has a fraction of a minor unit", field=field)
    return int(minor)


def format_amount(amount_minor: int) -> str:
    """Return the amount as decimal text with two places: `-5` gives `-0.05`."""
    sign = "-" if amount_minor < 0 else ""
    major, minor = divmod(abs(amount_minor), MINOR_PER_MAJOR)
    return f"{sign}{major}.{minor:02d}"
