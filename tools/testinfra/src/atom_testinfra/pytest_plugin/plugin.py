"""Hook functions of the plugin; everything they do is in the objects they register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.pytest_plugin.ini import Exporter, ProfileLoader, add_ini_options

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options and register what acts before the first conftest is imported."""
    add_ini_options(parser)
    pluginmanager.register(Exporter(), "atom_testinfra_exporter")
    pluginmanager.register(ProfileLoader(), "atom_testinfra_profile_loader")
