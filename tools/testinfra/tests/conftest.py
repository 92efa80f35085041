"""Fixtures of the tool's tests, and their Hypothesis profile."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# What takes long on a busy machine is no fault of a property: no verdict here may rest on the wall clock.
settings.register_profile(
    "unhurried",
    parent=settings.get_profile("default"),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", parent=settings.get_profile("unhurried"), max_examples=100_000)
settings.load_profile("unhurried")
