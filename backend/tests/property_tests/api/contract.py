"""Requests made up from the OpenAPI document by Schemathesis, about the rows of a world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, Response
from schemathesis.config import PositiveDataAcceptanceConfig
from schemathesis.schemas import APIOperation
from starlette.testclient import TestClient

from atom.kit.errors import InvalidError
from atom.kit.pagination import Cursor
from tests.factories import NOW

HAS_RULES = frozenset(
    {
        "close_period",
        "collect_metric",
        "ingest_events",
        "pay_bill",
        "pay_expense",
        "post_bill",
        "post_invoice",
        "post_transaction",
        "submit_feedback",
        "transfer",
    }
)
"""Operations that ask for more than JSON Schema can say: that debits are credits, an end follows a start."""

NOBODY = "00000000-0000-4000-8000-000000000000"
KNOWN_IDS: list[str] = []
"""What ids are drawn from, besides `NOBODY`: the rows of the world that the example has built."""


def _nth_id(n: int) -> str:
    return KNOWN_IDS[n % len(KNOWN_IDS)] if n and KNOWN_IDS else NOBODY


IDS = st.integers(0, 1_000).map(_nth_id)
schemathesis.openapi.format("uuid", IDS)
schemathesis.openapi.format("cursor", IDS.map(lambda id_: Cursor(at=NOW, id=id_).encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the document and what it is called."""

    id: str
    definition: APIOperation

    @property
    def takes_anything(self) -> bool:
        """Whether there is anything in a request for it that could be wrong."""
        return any((self.definition.body, self.definition.query, self.definition.path_parameters))

    def cases(self, mode: GenerationMode) -> st.SearchStrategy[Case]:
        """Return requests that keep the document (`POSITIVE`), or break it (`NEGATIVE`)."""
        return self.definition.as_strategy(mode)


class Contract:
    """The document of a running app: its operations, and whether an answer is one that it promises."""

    def __init__(self, client: TestClient) -> None:
        self.schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        self.schema.app = client.app
        self.schema.config.generation.update(allow_x00=False)  # no text may have one; JSON Schema has no word
        accepted = [*PositiveDataAcceptanceConfig().expected_statuses, "422"]  # by `_check_refusal` alone
        self.schema.config.checks.positive_data_acceptance = PositiveDataAcceptanceConfig(
            expected_statuses=accepted
        )

    @cached_property
    def operations(self) -> list[Operation]:
        """Every operation, by its id."""
        found = [result.ok() for result in self.schema.get_all_operations()]
        named = [Operation(id=one.definition.raw["operationId"], definition=one) for one in found]
        return sorted(named, key=lambda operation: operation.id)

    def valid(self) -> st.SearchStrategy[Case]:
        """Return requests of any operation that keep the document."""
        return self._drawn(GenerationMode.POSITIVE, lambda _: True)

    def invalid(self) -> st.SearchStrategy[Case]:
        """Return requests that break the document somewhere."""
        return self._drawn(GenerationMode.NEGATIVE, lambda operation: operation.takes_anything)

    def call(self, case: Case, secret: str) -> Response:
        """Send a request, and check its answer by everything that Schemathesis knows to check."""
        headers = {"Authorization": f"Bearer {secret}"}
        response = case.call(headers=headers)
        case.validate_response(response, headers=headers)
        _check_refusal(case, response)
        return response

    def _drawn(self, mode: GenerationMode, is_wanted: Callable[[Operation], bool]) -> st.SearchStrategy[Case]:
        wanted = [operation for operation in self.operations if is_wanted(operation)]
        return st.sampled_from(wanted).flatmap(lambda operation: operation.cases(mode))


def _check_refusal(case: Case, response: Response) -> None:
    """Require that a valid request is refused only by a rule that JSON Schema cannot say."""
    if response.status_code != 422 or case.meta is None or case.meta.generation.mode.is_negative:
        return
    problem: dict[str, Any] = response.json()
    assert problem["title"] == InvalidError.title, f"the document allows what is refused: {problem}"
    assert case.operation.definition.raw["operationId"] in HAS_RULES, f"unknown rule: {problem}"
    assert [error["field"] for error in problem["errors"]] != []
