"""Amounts in cents."""

from __future__ import annotations


def split(amount: int, n_shares: int) -> list[int]:
    """Return shares that differ by one cent at most and add up to the amount."""
    share, rest = divmod(amount, n_shares)
    return [share + (number < rest) for number in range(n_shares)]


def parse(text: str) -> int:
    """Return the cents of `12.34`, which `show` wrote."""
    sign = -1 if text.startswith("-") else 1
    whole, _, cents = text.lstrip("-").partition(".")
    return sign * (100 * int(whole) + int(cents))


def show(amount: int) -> str:
    """Return an amount with two decimal places."""
    whole, cents = divmod(abs(amount), 100)
    return f"{'-' if amount < 0 else ''}{whole}.{cents:02}"
