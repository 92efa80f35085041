"""Requests made up from the OpenAPI document by Schemathesis, about the rows of a world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CheckFunction
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import negative_data_rejection

from atom.kit.errors import InvalidError
from atom.kit.pagination import Cursor, encode_key
from tests.factories import NOW
from tests.http import Api
from tests.property_tests.api.ids import NOBODY, TABLES, id_fields
from tests.property_tests.api.places import IsWanted, Place, places
from tests.property_tests.api.transport import CaseTransport

HAS_RULES = frozenset(
    {
        "close_period",
        "define_workflow",
        "collect_metric",
        "ingest_events",
        "pay_bill",
        "pay_expense",
        "post_bill",
        "post_invoice",
        "post_transaction",
        "read_readiness",
        "read_supervised_readiness",
        "settle_reservation",
        "start_execution",
        "submit_feedback",
        "transfer",
    }
)
"""Operations with rules that JSON Schema cannot express: debits equal credits, an end follows its start."""

FIRST_CASES = 3
CURSOR = Cursor(at=NOW, id=NOBODY).encode()
KEY_CURSOR = encode_key("m")

schemathesis.openapi.format("uuid", st.just(NOBODY))
schemathesis.openapi.format("cursor", st.just(CURSOR))
schemathesis.openapi.format("key-cursor", st.just(KEY_CURSOR))


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation of the document, and its id; its strategies are made once."""

    id: str
    definition: APIOperation[Any, Any, Any, Any]

    @property
    def takes_anything(self) -> bool:
        """Whether a request for it has a body, a query or a path parameter that could be invalid."""
        return any((self.definition.body, self.definition.query, self.definition.path_parameters))

    @property
    def tag(self) -> str:
        """The domain that it belongs to."""
        tag: str = self.definition.definition.raw["tags"][0]
        return tag

    @cached_property
    def valid(self) -> st.SearchStrategy[Case[Any]]:
        """Requests that conform to the document."""
        return self.definition.as_strategy(GenerationMode.POSITIVE)

    @cached_property
    def invalid(self) -> st.SearchStrategy[Case[Any]]:
        """Requests that violate the document somewhere."""
        return self.definition.as_strategy(GenerationMode.NEGATIVE)


class Contract:
    """The OpenAPI document of a running app: its operations, and whether an answer conforms to it."""

    def __init__(self, api: Api) -> None:
        self.schema = schemathesis.openapi.from_dict(api.document)
        self.schema.app = api.app  # for the requests that Schemathesis makes up itself to check an answer
        self.transport = CaseTransport(api.app)
        self._known_cases: dict[str, list[Case[Any]]] = {}
        self.schema.config.generation.update(allow_x00=False)  # the document cannot say that NUL is refused
        checks = self.schema.config.checks
        # 422: a rule that JSON Schema cannot express (see `_check_refusal`).
        # 413: each field is valid, but the body is too large.
        for check, statuses in (
            (checks.positive_data_acceptance, ["413", "422"]),
            (checks.negative_data_rejection, ["413"]),
        ):
            check.expected_statuses = [*check.expected_statuses, *statuses]

    @cached_property
    def operations(self) -> list[Operation]:
        """Every operation, by its id."""
        named = []
        for result in self.schema.get_all_operations():
            assert isinstance(result, Ok), result
            found = result.ok()
            named.append(Operation(id=found.definition.raw["operationId"], definition=found))
        return sorted(named, key=lambda operation: operation.id)

    @cached_property
    def whole_cases(self) -> dict[str, Case[Any]]:
        """A valid request for each operation, by its id: the one with the most id fields."""
        return {operation.id: self._whole_case(operation) for operation in self.operations}

    def _whole_case(self, operation: Operation) -> Case[Any]:
        """Look at the first cases alone, in which every field is there: all take twenty times as long."""
        return max(islice(self._coverage(operation), FIRST_CASES), key=lambda case: len(id_fields(case)))

    def valid_cases(self, name: str) -> list[Case[Any]]:
        """Return valid requests for an operation, at the bounds of its schemas."""
        (operation,) = (each for each in self.operations if each.id == name)
        return self._valid_cases(operation)

    def _valid_cases(self, operation: Operation) -> list[Case[Any]]:
        if operation.id not in self._known_cases:
            self._known_cases[operation.id] = list(self._coverage(operation))
        return self._known_cases[operation.id]

    def _coverage(self, operation: Operation) -> Iterator[Case[Any]]:
        return self.schema.iter_coverage_cases(
            operation.definition,
            generation_modes=[GenerationMode.POSITIVE],
            generation_config=self.schema.config.generation,
        )

    def tagged(self, tag: str) -> list[Operation]:
        """Return the operations of a domain; fail if there is none."""
        found = [operation for operation in self.operations if operation.tag == tag]
        assert found
        return found

    def valid(self) -> st.SearchStrategy[Case[Any]]:
        """Return requests of any operation that conform to the document."""
        return st.sampled_from(self.operations).flatmap(lambda operation: operation.valid)

    def invalid(self) -> st.SearchStrategy[Case[Any]]:
        """Return requests of any operation that violate the document somewhere."""
        wanted = [operation for operation in self.operations if operation.takes_anything]
        return st.sampled_from(wanted).flatmap(lambda operation: operation.invalid)

    def boundaries(self, operation: Operation) -> Iterator[Case[Any]]:
        """Return requests at the bounds of an operation's schemas, and one step beyond each."""
        return self.schema.iter_coverage_cases(
            operation.definition,
            generation_modes=list(GenerationMode),
            generation_config=self.schema.config.generation,
        )

    def body_places(self, is_wanted: IsWanted) -> Iterator[tuple[str, Place]]:
        """Go through the places in the bodies of all operations whose schema is wanted."""
        for operation in self.operations:
            body = operation.definition.definition.raw.get("requestBody")
            if body is not None:
                schema = body["content"]["application/json"]["schema"]
                for place in dict.fromkeys(places(self.schema.raw_schema, schema, is_wanted)):
                    yield operation.id, place

    def parameters(self, name: str) -> list[tuple[str, str]]:
        """Return where an operation takes parameters, `path` or `query`, and their names."""
        (found,) = (operation for operation in self.operations if operation.id == name)
        parameters = found.definition.definition.raw.get("parameters", [])
        return [(each["in"], each["name"]) for each in parameters if each["in"] != "header"]

    def aimed(self, data: st.DataObject, case: Case[Any], *rows: dict[str, list[str]]) -> Case[Any]:
        """
        Replace a request's placeholder ids by drawn ids; rows that are given twice are drawn twice as often.
        """
        return self.with_ids(case, lambda known: data.draw(st.sampled_from(known)), *rows)

    def with_ids(
        self, case: Case[Any], choose: Callable[[list[str]], str], *rows: dict[str, list[str]]
    ) -> Case[Any]:
        """Replace each placeholder id of a request by one that is chosen among the ids of its table."""

        def aimed(name: str, value: Any) -> Any:
            if isinstance(value, dict):
                return {key: aimed(key, each) for key, each in value.items()}
            if isinstance(value, list):
                return [aimed(name, each) for each in value]
            known = [id_ for ids in rows for id_ in ids.get(TABLES.get(name, ""), [])]
            return choose(known) if value == NOBODY and known else value

        case.path_parameters = aimed("", case.path_parameters)
        case.query = aimed("", case.query)
        case.body = aimed("", case.body)
        return case

    def send(self, case: Case[Any], secret: str | None) -> Response:
        """Send a request with a key, or without, and return the answer."""
        if secret is None:
            case.headers.pop("Authorization", None)
            return self.transport.send(case, {})
        return self.transport.send(case, {"Authorization": f"Bearer {secret}"})

    def call(self, case: Case[Any], secret: str) -> Response:
        """Send a request, and run every check of Schemathesis on its answer."""
        response = self.send(case, secret)
        excluded: list[CheckFunction] = [] if _arrives_as_drawn(case, response) else [negative_data_rejection]
        case.validate_response(
            response, headers={"Authorization": f"Bearer {secret}"}, excluded_checks=excluded
        )
        _check_refusal(case, response)
        return response


def _arrives_as_drawn(case: Case[Any], response: Response) -> bool:
    """
    Return whether the part that violates the document is in the request that was sent.

    A URL cannot express `[]`, `{}` or null, so a query value that is invalid in
    this way is left out. A list of one value or an object of one field becomes
    a single value, which may be valid. `Contract.send` puts a missing key back.
    """
    sent = parse_qs(urlsplit(str(response.request.url)).query, keep_blank_values=True)
    is_query_whole = all(
        name in sent and (len(sent[name]) > 1 or not isinstance(value, list | dict))
        for name, value in case.query.items()
    )
    lost = {
        ParameterLocation.QUERY: not is_query_whole,
        ParameterLocation.HEADER: True,
    }
    broken = [] if case.meta is None else case.meta.components.items()
    return any(info.mode.is_negative and not lost.get(place, False) for place, info in broken)


def _check_refusal(case: Case[Any], response: Response) -> None:
    """Require that a valid request is refused only by a rule that JSON Schema cannot express."""
    if response.status_code != 422 or case.meta is None or case.meta.generation.mode.is_negative:
        return
    if case.query.get("cursor") not in (None, CURSOR, KEY_CURSOR):
        return  # the schema allows any text, and no other text is a cursor
    problem: dict[str, Any] = response.json()
    assert problem["title"] == InvalidError.title, f"the document allows what is refused: {problem}"
    assert case.operation.definition.raw["operationId"] in HAS_RULES, f"unknown rule: {problem}"
    assert [error["field"] for error in problem["errors"]] != []
