"""Money is an integer of minor units (cents)."""

from __future__ import annotations

MAX_AMOUNT_MINOR = 10**15
"""The largest single amount: a sum over nine thousand of them still fits a 64-bit column."""
