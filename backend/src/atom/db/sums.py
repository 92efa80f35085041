"""Sums of whole numbers of any size: each number fits a 64-bit column, the sum of many need not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

HALF: Final = 10**9
"""SQLite raises an error for a sum beyond 64 bits, so it adds up the digits above this one apart."""


class _WholeNumber(TypeDecorator[int]):
    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> int:  # noqa: ARG002
        """Return the sum of what was added up, which is nothing without a row."""
        high, _, low = (value or "0").rpartition(" ")
        return int(high or 0) * HALF + int(low)


class whole_sum(FunctionElement[int]):  # noqa: N801 - a function of SQL
    """The exact sum of a column of whole numbers; 0 without a row."""

    type = _WholeNumber()
    name = "whole_sum"
    inherit_cache = True


@compiles(whole_sum)
def _compile_whole_sum(element: whole_sum, compiler: SQLCompiler, **options: Any) -> str:
    (amount,) = element.clauses
    return compiler.process(_in_decimal(amount), **options)


@compiles(whole_sum, "sqlite")
def _compile_whole_sum_of_halves(element: whole_sum, compiler: SQLCompiler, **options: Any) -> str:
    (amount,) = element.clauses
    high, low = (compiler.process(func.sum(half), **options) for half in (amount // HALF, amount % HALF))
    return f"({high} || ' ' || {low})"


def _in_decimal(amount: ColumnElement[int]) -> ColumnElement[str]:
    """PostgreSQL adds up in NUMERIC, which has no bound that matters."""
    return func.sum(amount).cast(Text)
