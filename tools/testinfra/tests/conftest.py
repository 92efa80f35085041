"""Fixtures of the tool's tests."""

from __future__ import annotations

pytest_plugins = ["pytester"]
