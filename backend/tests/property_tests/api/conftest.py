"""The contract of the running app, for the properties of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.http import Api
    from tests.property_tests.api.contract import Contract


@pytest.fixture(scope="session")
def contract(running_api: Api) -> Contract:
    """The OpenAPI document, and requests made up from it."""
    from tests.property_tests.api.contract import Contract  # Schemathesis is imported where it is used

    return Contract(running_api.client)
