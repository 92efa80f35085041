"""What every object of the plugin that is registered with pytest has in common."""

from __future__ import annotations


class HooksOnly:
    """
    A plugin that shows pytest only its hooks.

    pytest looks through all names of a plugin twice, for hooks and for fixtures, and unwraps what each stands
    for: the names of the recorder and the journal, about a hundred, took a million instructions.
    """

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name.startswith("pytest_")]
