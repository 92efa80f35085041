"""Project budgets and spend guardrails on top of the ledger."""
