"""Which tests go to one worker together; imported by the process that starts workers."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

API = "tests/property_tests/api/"


def scope_of(nodeid: str) -> str:
    """Return what a test goes together with: its file, or the folder whose files share the API's contract."""
    file = nodeid.partition("::")[0]
    before, found, _ = file.partition(API)
    return before + found if found else file


class ByWhatIsBuilt(LoadFileScheduling):  # type: ignore[misc,unused-ignore]  # xdist has no types everywhere
    """A file at a time, but for those whose tests share the contract of the API."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
