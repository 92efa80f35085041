"""Routes of the ledger: accounts, transactions and what they add up to."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from fastapi import Depends, Query, Request, Response, status
from sqlalchemy.orm import Session

from atom.identity.access import Administering, DomainRouter, Reading, ShortReading, Unit, Writing
from atom.kit.errors import NotFoundError
from atom.kit.pagination import KeyPage
from atom.ledger import postings, service
from atom.ledger.postings import NewTransaction, Pattern, Posting
from atom.ledger.schemas import (
    AccountChange,
    AccountQuery,
    AccountRequest,
    AccountResponse,
    DiscrepancyResponse,
    EntryResponse,
    PatternRequest,
    PeriodRequest,
    PeriodResponse,
    ReceiptResponse,
    ReversalRequest,
    TransactionQuery,
    TransactionRequest,
    TransactionResponse,
    TransferRequest,
    TrialBalanceQuery,
    TrialBalanceResponse,
)
from atom.ledger.service import Receipt
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, IdPageQuery, PageAnswer, PlaceQuery

router = DomainRouter(prefix="/v1/ledger", tag="ledger")

CREATED = status.HTTP_201_CREATED


class ProjectLookup(Protocol):
    """Knows the projects, which stand above the ledger."""

    def __call__(self, session: Session, *, workspace_id: str, project_id: str) -> bool:
        """Whether the workspace has the project."""


async def _has_project(request: Request) -> ProjectLookup:
    has_project: ProjectLookup = request.app.state.has_project
    return has_project


HasProject = Annotated[ProjectLookup, Depends(_has_project)]
POSTED: dict[int | str, dict[str, Any]] = {
    200: {"model": ReceiptResponse, "description": "Written earlier under its external id"},
    **problem_responses(*WITH_BODY, 404, 409),
}
"""How else a request to post may end: the second time it is the first one's receipt, if that is posted."""


@router.post("/accounts", status_code=CREATED, responses=problem_responses(*WITH_BODY, 409))
def open_account(request: AccountRequest, unit: Writing) -> AccountResponse:
    """Open an account."""
    account = service.open_account(
        unit.session,
        workspace_id=unit.workspace_id,
        type_=request.type,
        **request.model_dump(exclude={"type"}),
    )
    return AccountResponse.model_validate(account)


@router.get("/accounts")
def list_accounts(query: Annotated[AccountQuery, Query()], unit: ShortReading) -> PageAnswer[AccountResponse]:
    """List the accounts of the workspace by code, each with its balance."""
    page = service.list_accounts(
        unit.session,
        workspace_id=unit.workspace_id,
        type_=query.type,
        is_active=query.is_active,
        limit=query.limit,
        after=query.after,
    )
    return PageAnswer.of_names(page, AccountResponse.model_validate)


@router.get("/accounts/{account_id}", responses=problem_responses(404))
def read_account(account_id: Id, unit: ShortReading) -> AccountResponse:
    """Return an account with its balance."""
    account = service.get_account(unit.session, workspace_id=unit.workspace_id, account_id=account_id)
    return AccountResponse.model_validate(account)


@router.patch("/accounts/{account_id}", responses=problem_responses(*WITH_BODY, 404, 409))
def update_account(account_id: Id, request: AccountChange, unit: Writing) -> AccountResponse:
    """Rename, close or reopen an account."""
    account = service.update_account(
        unit.session, workspace_id=unit.workspace_id, account_id=account_id, **request.model_dump()
    )
    return AccountResponse.model_validate(account)


@router.post("/transactions", status_code=CREATED, responses=POSTED)
def post_transaction(
    request: TransactionRequest, unit: Writing, has_project: HasProject, response: Response
) -> ReceiptResponse:
    """Post a transaction, or write it as a draft."""
    _require_project(unit, has_project, request.project_id)
    new = NewTransaction(
        workspace_id=unit.workspace_id,
        postings=tuple(Posting(**line.model_dump()) for line in request.postings),
        **request.model_dump(exclude={"postings", "is_draft"}),
    )
    write = service.draft if request.is_draft else service.post
    return _receipt(write(unit.session, unit.clock, new), response)


@router.get("/transactions", responses=problem_responses(404))
def list_transactions(
    query: Annotated[TransactionQuery, Query()], unit: ShortReading
) -> PageAnswer[TransactionResponse]:
    """List transactions, newest first."""
    page = service.list_transactions(
        unit.session, workspace_id=unit.workspace_id, page=query.page, account_id=query.account_id
    )
    return PageAnswer.of(page, TransactionResponse.model_validate)


@router.get("/transactions/{transaction_id}", responses=problem_responses(404))
def read_transaction(transaction_id: Id, unit: ShortReading) -> TransactionResponse:
    """Return a transaction, without its entries."""
    found = service.get_transaction(
        unit.session, workspace_id=unit.workspace_id, transaction_id=transaction_id
    )
    return TransactionResponse.model_validate(found)


@router.get("/transactions/{transaction_id}/entries", responses=problem_responses(404))
def list_entries(
    transaction_id: Id, query: Annotated[PlaceQuery, Query()], unit: ShortReading
) -> PageAnswer[EntryResponse]:
    """List the entries of a transaction in the order they were posted."""
    found = service.list_entries(unit.session, workspace_id=unit.workspace_id, transaction_id=transaction_id)
    rest = [entry for entry in found if query.cursor is None or entry.position > query.cursor]
    page = KeyPage.cut(rest, limit=query.limit, key=lambda entry: str(entry.position))
    return PageAnswer.of(page, EntryResponse.model_validate)


@router.post(
    "/transactions/{transaction_id}/reversal",
    status_code=CREATED,
    responses=problem_responses(*WITH_BODY, 404, 409),
)
def reverse_transaction(transaction_id: Id, request: ReversalRequest, unit: Writing) -> ReceiptResponse:
    """Post the opposite of a posted transaction, to correct it."""
    receipt = service.reverse(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        transaction_id=transaction_id,
        on=request.on,
    )
    return ReceiptResponse.model_validate(receipt)


@router.post("/transactions/{transaction_id}/posting", responses=problem_responses(404, 409))
def post_draft(transaction_id: Id, unit: Writing) -> ReceiptResponse:
    """Post a draft under its own date."""
    receipt = service.post_draft(
        unit.session, unit.clock, workspace_id=unit.workspace_id, transaction_id=transaction_id
    )
    return ReceiptResponse.model_validate(receipt)


@router.post("/transactions/{transaction_id}/cancellation", responses=problem_responses(404, 409))
def cancel_draft(transaction_id: Id, unit: Writing) -> ReceiptResponse:
    """Cancel a draft for good."""
    receipt = service.cancel_draft(
        unit.session, workspace_id=unit.workspace_id, transaction_id=transaction_id
    )
    return ReceiptResponse.model_validate(receipt)


@router.post("/transfers", status_code=CREATED, responses=POSTED)
def transfer(
    request: TransferRequest, unit: Writing, has_project: HasProject, response: Response
) -> ReceiptResponse:
    """Move money from one asset account to another."""
    _require_project(unit, has_project, request.project_id)
    receipt = service.transfer(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump()
    )
    return _receipt(receipt, response)


@router.post("/invoices", status_code=CREATED, responses=POSTED)
def post_invoice(
    request: PatternRequest, unit: Writing, has_project: HasProject, response: Response
) -> ReceiptResponse:
    """Book an invoice: debit a receivable (asset), credit revenue."""
    return _post_pattern(postings.INVOICE, request, unit, has_project, response)


@router.post("/bills", status_code=CREATED, responses=POSTED)
def post_bill(
    request: PatternRequest, unit: Writing, has_project: HasProject, response: Response
) -> ReceiptResponse:
    """Book a bill: debit an expense, credit a payable (liability)."""
    return _post_pattern(postings.BILL, request, unit, has_project, response)


@router.post("/bill-payments", status_code=CREATED, responses=POSTED)
def pay_bill(
    request: PatternRequest, unit: Writing, has_project: HasProject, response: Response
) -> ReceiptResponse:
    """Pay a bill: debit the payable (liability), credit cash (asset)."""
    return _post_pattern(postings.BILL_PAYMENT, request, unit, has_project, response)


@router.post("/expense-payments", status_code=CREATED, responses=POSTED)
def pay_expense(
    request: PatternRequest, unit: Writing, has_project: HasProject, response: Response
) -> ReceiptResponse:
    """Pay an expense at once: debit the expense, credit cash (asset)."""
    return _post_pattern(postings.EXPENSE_PAYMENT, request, unit, has_project, response)


@router.get("/trial-balance")
def read_trial_balance(query: Annotated[TrialBalanceQuery, Query()], unit: Reading) -> TrialBalanceResponse:
    """Add up every posted debit and credit of the workspace."""
    found = service.trial_balance(unit.session, workspace_id=unit.workspace_id, currency=query.currency)
    return TrialBalanceResponse.model_validate(found)


@router.get("/discrepancies")
def list_discrepancies(
    query: Annotated[IdPageQuery, Query()], unit: Reading
) -> PageAnswer[DiscrepancyResponse]:
    """List the accounts whose balance is not the sum of their entries: none in an undamaged database."""
    found = service.list_discrepancies(unit.session, workspace_id=unit.workspace_id)
    page = KeyPage.within(found, limit=query.limit, after=query.cursor, key=lambda row: row.account_id)
    return PageAnswer.of(page, DiscrepancyResponse.model_validate)


@router.post(
    "/closed-periods",
    status_code=CREATED,
    responses=problem_responses(*WITH_BODY, 409),
)
def close_period(request: PeriodRequest, unit: Administering) -> PeriodResponse:
    """Close a range of days for good: nothing can be posted into it any more."""
    period = service.close_period(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump()
    )
    return PeriodResponse.model_validate(period)


def _require_project(unit: Unit, has_project: ProjectLookup, project_id: str | None) -> None:
    """Raise NotFoundError for a project that the workspace does not have."""
    if project_id is not None and not has_project(
        unit.session, workspace_id=unit.workspace_id, project_id=project_id
    ):
        raise NotFoundError("project", project_id)


def _post_pattern(
    pattern: Pattern, request: PatternRequest, unit: Unit, has_project: ProjectLookup, response: Response
) -> ReceiptResponse:
    _require_project(unit, has_project, request.project_id)
    new = pattern.transaction(workspace_id=unit.workspace_id, **request.model_dump())
    return _receipt(service.post(unit.session, unit.clock, new), response)


def _receipt(receipt: Receipt, response: Response) -> ReceiptResponse:
    if not receipt.is_new:
        response.status_code = status.HTTP_200_OK
    return ReceiptResponse.model_validate(receipt)
