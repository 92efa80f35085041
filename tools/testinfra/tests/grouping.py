"""What makes xdist's groups work with every version of pytest."""

from __future__ import annotations

CONFTEST = """
    import pytest

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(config, items):
        # As xdist does, whose version 3.8 sets a name that pytest does not read any more from 9.2 on.
        for item in items:
            mark = item.get_closest_marker("xdist_group")
            if mark is not None and getattr(config.option, "loadgroup", False):
                if not item.nodeid.endswith(f"@{mark.args[0]}"):
                    item._id = type(item._id).parse(f"{item.nodeid}@{mark.args[0]}")
"""
