"""Which settings are, or were, profiles of Hypothesis; nothing of it is imported here."""

from __future__ import annotations

import sys

PROFILES = "_profiles"


class SeenProfiles:
    """
    Every profile that was registered, also one that another of its name has replaced since.

    Hypothesis forgets a profile that is registered again, as by two conftests that both make a `dev`, but the
    settings that were made under the first one keep their values from it.
    """

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}
        """By identity, which stays theirs for as long as they are held here."""

    def __contains__(self, settings: object) -> bool:
        return id(settings) in self._seen

    def pytest_plugin_registered(self) -> None:
        """Look at what a conftest has registered, before the next one is imported."""
        self.look()

    def pytest_collectstart(self) -> None:
        """Look at what the modules before this one have registered."""
        self.look()

    def look(self) -> None:
        """Remember the profiles that there are now."""
        settings = getattr(sys.modules.get("hypothesis"), "settings", None)
        for profile in getattr(settings, PROFILES, {}).values():
            self._seen[id(profile)] = profile
