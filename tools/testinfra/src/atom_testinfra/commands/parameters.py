"""Parameters that several verbs have: a time span, and pytest's own words after `--`."""

from __future__ import annotations

import importlib.util
import os
import re
from math import isnan
from typing import TYPE_CHECKING, Any

import click

from atom_testinfra.core.errors import ConfigError
from atom_testinfra.core.time_spans import parse_wall_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

PYTEST_WORDS = "atom_testinfra.pytest_words"


class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic since click 8.4
    """A time span such as `90s`, `10m` or `1h30m`; in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        try:
            return parse_wall_seconds(value)
        except ConfigError as exc:
            self.fail(str(exc), param, ctx)


class Percent(click.FloatRange):
    """A share in per cent, from 0 to 100."""

    def __init__(self) -> None:
        super().__init__(0, 100)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; `nan`, which no bound of click's keeps out, is refused."""
        number: float = super().convert(value, param, ctx)
        return self.fail(f"{value!r} is not a number", param, ctx) if isnan(number) else number


class PathsThenPytest(click.Command):
    """A command whose words after `--` are pytest's, and whose other words are paths."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep pytest's words apart."""
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[PYTEST_WORDS] = args[place + 1 :]
        return super().parse_args(ctx, args[:place])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show them in the usage, too."""
        return [*super().collect_usage_pieces(ctx), "[-- PYTEST ARGUMENTS]"]


def pytest_arguments(given: Sequence[str]) -> list[str]:
    """Return pytest's arguments without workers, coverage and output, which would get in the way."""
    kept: list[str] = []
    words = iter(given)
    for word in words:
        if word in {"-n", "--numprocesses", "--dist", "--maxprocesses"}:
            next(words, None)
        elif not re.match(
            r"-n\d|-nauto|--numprocesses=|--dist=|--cov|-x$|--exitfirst|--maxfail|-v+$|-q+$", word
        ):
            kept.append(word)
    # This package is imported before pytest can rewrite the assertions in it; it has none.
    turned_off = [
        "-q",
        "--no-header",
        "--tb=no",
        "--color=no",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    if (
        importlib.util.find_spec("pytest_cov") is not None
        and "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ
    ):
        turned_off.append("--no-cov")
    return [*kept, *turned_off]
