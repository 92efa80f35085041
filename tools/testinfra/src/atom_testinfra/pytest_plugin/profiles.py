"""
Which settings are profiles of Hypothesis, or were.

Hypothesis forgets a profile that another one of its name replaces, as when two conftests both make a `dev`,
but settings that were made under the first keep their values from it. So whoever can tell that a conftest or
a module was imported looks at the profiles. What was seen is kept for the process, as the profiles are.
"""

from __future__ import annotations

import sys

PROFILES = "_profiles"

_seen: dict[int, object] = {}
"""By identity, which stays theirs for as long as they are held here."""


def note_profiles() -> None:
    """Remember the profiles that there are now."""
    settings = getattr(sys.modules.get("hypothesis"), "settings", None)
    for profile in getattr(settings, PROFILES, {}).values():
        _seen[id(profile)] = profile


def was_profile(settings: object) -> bool:
    """Return whether these very settings were a profile when somebody looked."""
    return id(settings) in _seen
