"""Why the ledger refuses a transaction that is well formed."""

from __future__ import annotations

from atom.kit.errors import ConflictError


class OverdraftError(ConflictError):
    """A balance would fall below its account's floor, or leave the range of balances."""

    title = "Not enough on the account"


class InactiveAccountError(ConflictError):
    """The account takes no postings any more."""

    title = "Account not active"


class PeriodClosedError(ConflictError):
    """The transaction's day lies in a closed period."""

    title = "Period closed"


class PeriodBlockedError(ConflictError):
    """The period cannot be closed: `pending` are the transactions in the way."""

    title = "Period has pending transactions"

    def __init__(self, message: str, *, pending: tuple[str, ...]) -> None:
        super().__init__(message)
        self.pending = pending


class DuplicateCodeError(ConflictError):
    """The workspace has an account of that code."""

    title = "Account code taken"


class ExternalIdReusedError(ConflictError):
    """The external id belongs to a transaction that says something else."""

    title = "External id used for another transaction"


class DraftedBeforeError(ConflictError):
    """The external id belongs to a draft that was not posted: what becomes of it is decided on the draft."""

    title = "External id of a draft"


class NotReversibleError(ConflictError):
    """Only a posted transaction can be reversed, and only once."""

    title = "Not reversible"


class NotPendingError(ConflictError):
    """The transaction has been posted or cancelled before."""

    title = "Transaction is final"
